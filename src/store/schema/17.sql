-- Feeds that lists elsewhere name (`[[list]]`).

CREATE TABLE listed (
    list     TEXT NOT NULL,                -- the list's configured address
    address  TEXT NOT NULL,                -- the feed's
    since    INTEGER NOT NULL,             -- when the list first named it
    left_at  INTEGER,                      -- since when it does not any more; NULL while it does
    missed   INTEGER NOT NULL DEFAULT 0,   -- how many readings in a row did not name it and were not believed
    PRIMARY KEY (list, address)
) STRICT, WITHOUT ROWID;
