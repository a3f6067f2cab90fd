-- Which older story a story follows: news that came of it, told as a story of its own.

CREATE TABLE follow (
    story    INTEGER PRIMARY KEY REFERENCES story(id) ON DELETE CASCADE,
    follows  INTEGER NOT NULL REFERENCES story(id) ON DELETE CASCADE, -- as it was then; it may have been merged since
    matched  INTEGER NOT NULL,             -- the entry there that is most alike
    score    REAL NOT NULL,
    evidence TEXT NOT NULL,                -- JSON: what was measured
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX follow_by_followed ON follow(follows);
