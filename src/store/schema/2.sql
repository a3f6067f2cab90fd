-- Polling: what it remembers beyond the first version.

ALTER TABLE feed ADD COLUMN recent BLOB;      -- the last polls: time, length, bytes, outcome (model::history)
ALTER TABLE feed ADD COLUMN read_from TEXT;   -- where the document that we hold came from, when that was behind a redirect
ALTER TABLE feed ADD COLUMN rhythm BLOB;      -- when it last published (schedule::rhythm)
ALTER TABLE feed ADD COLUMN floods INTEGER NOT NULL DEFAULT 0; -- how many documents in a row held nothing but new entries

-- Servers that asked to be left alone, each for its whole domain.
CREATE TABLE hold (
    domain   TEXT PRIMARY KEY,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Hubs that tell us when a feed changed (WebSub).
CREATE TABLE hub_subscription (
    feed        INTEGER PRIMARY KEY REFERENCES feed(id) ON DELETE CASCADE,
    hub         TEXT NOT NULL,
    topic       TEXT NOT NULL,
    token       TEXT NOT NULL UNIQUE,         -- stands in our callback's address; nobody else knows it
    secret      TEXT NOT NULL,                -- what the hub signs with
    asked_at    INTEGER,                      -- when the hub was last asked
    lease_until INTEGER                       -- NULL until the hub verified that we meant it
) STRICT;
