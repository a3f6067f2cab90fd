-- Feeds that lists elsewhere name (`[[list]]`).

CREATE TABLE listed (
    list     TEXT NOT NULL,                -- the list's configured address
    address  TEXT NOT NULL,                -- the feed's
    since    INTEGER NOT NULL,             -- when the list first named it
    left_at  INTEGER,                      -- since when it does not any more; NULL while it does
    PRIMARY KEY (list, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE list_doubt (
    list     TEXT PRIMARY KEY,
    missing  INTEGER NOT NULL,             -- a hash of the feeds that it did not name
    readings INTEGER NOT NULL              -- how many in a row did not name them
) STRICT, WITHOUT ROWID;
