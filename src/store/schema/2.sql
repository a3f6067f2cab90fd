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
