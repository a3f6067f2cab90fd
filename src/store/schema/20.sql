-- Tellings in other languages: what an encoder made of the entries of the window, and what was found by it.

-- Whose vectors there are; one row, once there are some.
CREATE TABLE encoder (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    configured TEXT NOT NULL,              -- what was asked: the address, the model and the prefix
    model      TEXT NOT NULL,              -- what it calls its model; vectors of another one cannot be compared
    dimensions INTEGER NOT NULL,
    upto       INTEGER NOT NULL            -- every entry of the window up to this one was looked at
) STRICT;

CREATE TABLE embedding (
    entry    INTEGER PRIMARY KEY REFERENCES entry(id) ON DELETE CASCADE,
    language TEXT,                         -- the first part of a tag (RFC 5646); NULL: not known, or there is no text, or the encoder refused it
    vector   BLOB NOT NULL,                -- 8 bits a dimension; empty where language is NULL
    names    BLOB NOT NULL                 -- hashes of names and numbers, 4 bytes each
) STRICT;

CREATE TABLE other_language (
    entry          INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
    other          INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, -- tells the same in another language
    language       TEXT NOT NULL,          -- of entry,
    other_language TEXT NOT NULL,          -- and of other
    score          REAL NOT NULL,
    evidence       BLOB NOT NULL,          -- packed, as in fold
    at             INTEGER NOT NULL,
    PRIMARY KEY (entry, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX other_language_by_other ON other_language(other);

CREATE TRIGGER other_language_shown_i AFTER INSERT ON other_language WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER other_language_shown_u AFTER UPDATE ON other_language WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER other_language_shown_d AFTER DELETE ON other_language WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;
