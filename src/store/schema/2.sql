-- The texts of entries move out of their rows, into blocks of many.

CREATE TABLE text_block (
    id    INTEGER PRIMARY KEY,
    held  INTEGER NOT NULL,                -- how many entries have their text in it
    bytes BLOB NOT NULL                    -- a codec byte, then texts one after the other
) STRICT;
INSERT INTO text_block (id, held, bytes) SELECT id, 1, detail FROM entry;
ALTER TABLE entry ADD COLUMN text_block INTEGER;  -- where its text is,
ALTER TABLE entry ADD COLUMN text_at INTEGER;     -- from which byte,
ALTER TABLE entry ADD COLUMN text_length INTEGER; -- and how many; NULL: to the end
UPDATE entry SET text_block = id, text_at = 0;
ALTER TABLE entry DROP COLUMN detail;

-- What the choice of a story's speaker looks at.
ALTER TABLE entry ADD COLUMN second_hand INTEGER NOT NULL DEFAULT 0; -- 1: it passes on what another publisher wrote
ALTER TABLE entry ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;   -- 1: it left the midst of its feed's document

-- Entries that are forgotten, so that they are no news when they come back.
CREATE TABLE tombstone (
    feed      INTEGER NOT NULL REFERENCES feed(id),
    id_hash   INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL,
    PRIMARY KEY (feed, id_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_gone ON entry(gone_at) WHERE gone_at IS NOT NULL;

-- Polling: what it remembers beyond the first version.

ALTER TABLE feed ADD COLUMN recent BLOB;      -- the last polls: time, length, bytes, outcome (model::history)
ALTER TABLE feed ADD COLUMN read_from TEXT;   -- where the document that we hold came from, when that was behind a redirect
ALTER TABLE feed ADD COLUMN rhythm BLOB;      -- when it last published (schedule::rhythm)
ALTER TABLE feed ADD COLUMN floods INTEGER NOT NULL DEFAULT 0; -- how many documents in a row held nothing but new entries

ALTER TABLE feed ADD COLUMN planned_by TEXT;     -- what its cadence was when next_poll was planned
ALTER TABLE feed ADD COLUMN fresh_until INTEGER; -- by the headers of the last answer

-- Servers that asked to be left alone, each for its whole domain.
CREATE TABLE hold (
    domain   TEXT PRIMARY KEY,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What subscribers see.

-- Outputs that were served, so that the address of one that is gone says so.
CREATE TABLE output (
    name        TEXT PRIMARY KEY,
    digest      TEXT NOT NULL,             -- of its documents,
    modified    INTEGER NOT NULL           -- and when they last changed, whatever it was that did
) STRICT, WITHOUT ROWID;

-- Archives of an output, in the order in which they were closed. An archive holds the stories that stand before `until` and
-- entered the output with an entry up to `upto`, less those of the archive before it. So what is in it never changes.
CREATE TABLE archive (
    output      TEXT NOT NULL,
    until       INTEGER NOT NULL,
    upto        INTEGER NOT NULL,
    name        TEXT NOT NULL,             -- `2026-10` for a month that is over, `2026-11.3` for a part of one that is not
    written     INTEGER,                   -- when its files were last brought up to date; NULL: never
    PRIMARY KEY (output, until)
) STRICT, WITHOUT ROWID;

-- The words of titles and texts, filled behind the polls once somebody searches. The row number is the entry's.
CREATE VIRTUAL TABLE search USING fts5(title, text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

-- One row: how far the words are filled in (NULL: nobody has searched yet), and how often a person corrected the stories.
CREATE TABLE tally (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    searchable  INTEGER,
    corrections INTEGER NOT NULL
) STRICT;
INSERT INTO tally (one, corrections) VALUES (1, 0);

-- Hubs that feeds name, and our subscriptions there (WebSub).

CREATE TABLE hub_subscription (
    feed        INTEGER PRIMARY KEY REFERENCES feed(id),
    hub         TEXT NOT NULL,             -- where to subscribe,
    topic       TEXT NOT NULL,             -- and to what, by the feed's own word
    callback    TEXT,                      -- the end of the address that the hub calls; NULL: it was never asked
    secret      TEXT,                      -- what it signs with
    pending     TEXT,                      -- `subscribe` or `unsubscribe`: what it was asked for and has not confirmed
    lease_until INTEGER,                   -- NULL: there is no subscription
    next_step   INTEGER,                   -- when it is asked for something; NULL: never
    failures    INTEGER NOT NULL DEFAULT 0, -- how many times in a row it was asked in vain
    missed      INTEGER NOT NULL DEFAULT 0  -- how many polls in a row found news that it had not told
) STRICT;
CREATE UNIQUE INDEX hub_subscription_by_callback ON hub_subscription(callback) WHERE callback IS NOT NULL;
