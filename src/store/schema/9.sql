-- All hubs that a feed names are asked in turn, and ours is told of a document once for each change of it.

ALTER TABLE hub_subscription ADD COLUMN hubs TEXT NOT NULL DEFAULT ''; -- one a line, in the publisher's order; `hub` is one of them

CREATE TABLE hub_told (
    document    TEXT PRIMARY KEY,          -- its address,
    hub         TEXT NOT NULL,             -- who was told of it last,
    etag        TEXT NOT NULL              -- and as what it was then
) STRICT, WITHOUT ROWID;
