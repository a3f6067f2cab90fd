-- What digests list: final once they are made.

CREATE TABLE digest (
    output  TEXT NOT NULL,                 -- its name
    until   INTEGER NOT NULL,              -- when its period ended
    content TEXT NOT NULL,                 -- JSON: what it lists (publish::digest)
    PRIMARY KEY (output, until)
) STRICT, WITHOUT ROWID;

CREATE TABLE digest_progress (
    output  TEXT PRIMARY KEY,
    until   INTEGER NOT NULL,              -- when the last period ended that is done with
    upto    INTEGER NOT NULL               -- the newest entry that was known then
) STRICT, WITHOUT ROWID;
