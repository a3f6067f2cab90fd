-- Times are milliseconds since 1970 UTC. Hashes are xxh3 of 64 bits; the text decides on a hit.

CREATE TABLE feed (
    id             INTEGER PRIMARY KEY,
    identity       TEXT NOT NULL UNIQUE,   -- the address it was first configured with; story ids derive from it
    address        TEXT NOT NULL UNIQUE,   -- the address it is configured with
    name           TEXT NOT NULL,
    configured     INTEGER NOT NULL,       -- 0 when the configuration no longer names it
    title          TEXT,
    link           TEXT,
    moved_to       TEXT,                   -- where a permanent redirect led to a good feed
    etag           BLOB,
    last_modified  BLOB,
    body_hash      INTEGER,                -- of the last document as received, before decoding
    hints          TEXT,                   -- JSON: what the document says about when to come back
    next_poll      INTEGER NOT NULL,
    next_poll_why  TEXT NOT NULL,
    not_before     INTEGER,                -- until when the server asked to be left alone
    last_poll      INTEGER,
    last_success   INTEGER,
    last_full      INTEGER,                -- the last answer that carried a document
    failures       INTEGER NOT NULL DEFAULT 0,
    failing_since  INTEGER,
    last_error     TEXT,
    last_error_at  INTEGER,
    retired_at     INTEGER,                -- 410; not polled until a person names it
    polls          INTEGER NOT NULL DEFAULT 0,
    not_modified   INTEGER NOT NULL DEFAULT 0,
    body_bytes     INTEGER,                -- of the last document, as received
    saved_bytes    INTEGER NOT NULL DEFAULT 0,
    response_ms    INTEGER,                -- smoothed over the last polls
    repairs        TEXT,                   -- JSON: what the last document needed, and what was left out of it
    listed         BLOB                    -- the entries that stand in the last document: 8 bytes each, little-endian
) STRICT;

CREATE TABLE entry (
    id              INTEGER PRIMARY KEY,
    feed            INTEGER NOT NULL REFERENCES feed(id),
    id_hash         INTEGER NOT NULL,
    entry_id        TEXT NOT NULL,         -- the publisher's name for it
    permalink_key   INTEGER,
    permalink       TEXT,
    title           TEXT NOT NULL,
    published       INTEGER,
    updated         INTEGER,
    first_seen      INTEGER NOT NULL,
    digest          INTEGER NOT NULL,
    quiet_revisions INTEGER NOT NULL DEFAULT 0,
    gone_at         INTEGER,               -- when it was first missing from its feed's document
    story           INTEGER,               -- NULL: a rule of the configuration dropped it
    archived        INTEGER NOT NULL,      -- 1: older than `backfill` when its feed was first polled
    detail          BLOB NOT NULL          -- a codec byte, then JSON
) STRICT;
CREATE INDEX entry_by_id ON entry(feed, id_hash);
CREATE INDEX entry_by_permalink ON entry(permalink_key) WHERE permalink_key IS NOT NULL;
CREATE INDEX entry_by_story ON entry(story) WHERE story <> id;

-- Pages that an entry's id leads to, where that is not its permalink.
CREATE TABLE entry_alias (
    permalink_key   INTEGER NOT NULL,
    entry           INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
    permalink       TEXT NOT NULL,
    PRIMARY KEY (permalink_key, entry)
) STRICT, WITHOUT ROWID;

-- A story has the number of the entry that founded it.
CREATE TABLE story (
    id          INTEGER PRIMARY KEY,
    public_id   BLOB NOT NULL UNIQUE,
    canonical   INTEGER NOT NULL,
    founded     INTEGER NOT NULL,
    published   INTEGER,                   -- the date shown, settled when it was first published
    updated     INTEGER,                   -- moves when the canonical entry is revised or changes hands
    sort_at     INTEGER,                   -- its place in what is published; NULL: not published
    sources     INTEGER NOT NULL,          -- how many feeds tell it
    merged_into INTEGER                    -- the older story that this one turned out to be
) STRICT;
CREATE INDEX story_by_place ON story(sort_at) WHERE sort_at IS NOT NULL;

-- Why an entry belongs to a story that it did not found.
CREATE TABLE fold (
    entry    INTEGER PRIMARY KEY REFERENCES entry(id) ON DELETE CASCADE,
    rule     TEXT NOT NULL,
    matched  INTEGER NOT NULL,
    score    REAL NOT NULL,
    evidence TEXT NOT NULL,                -- JSON: what was measured
    at       INTEGER NOT NULL
) STRICT;

-- What folding keeps of the entries in its window.
CREATE TABLE print (
    entry    INTEGER PRIMARY KEY REFERENCES entry(id) ON DELETE CASCADE,
    bytes    BLOB NOT NULL
) STRICT;

-- A person took the entry out of the story, and it never goes back.
CREATE TABLE split (
    entry    INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
    story    INTEGER NOT NULL,
    PRIMARY KEY (entry, story)
) STRICT, WITHOUT ROWID;

-- How rare terms are: one row, counted through the entry that it names.
CREATE TABLE weights (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    counted  INTEGER NOT NULL,
    bytes    BLOB NOT NULL
) STRICT;
