-- Who was told of which stories.

CREATE TABLE notify (
    name    TEXT PRIMARY KEY,              -- as configured
    begun   INTEGER NOT NULL,              -- when it was first there: what is older is not told
    upto    INTEGER NOT NULL               -- the newest entry that was looked at
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
    name    TEXT NOT NULL,
    story   BLOB NOT NULL,                 -- its public id
    at      INTEGER NOT NULL,
    PRIMARY KEY (name, story)
) STRICT, WITHOUT ROWID;
