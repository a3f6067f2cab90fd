-- A feed under another address is known by what it lists: it takes over from one that is subscribed to no more.

ALTER TABLE feed ADD COLUMN has_left INTEGER NOT NULL DEFAULT 0; -- 1: the list that named it does so no more
CREATE INDEX feed_by_leaving ON feed(id) WHERE configured = 0 OR has_left = 1;
ALTER TABLE feed ADD COLUMN ids_stay INTEGER NOT NULL DEFAULT 0; -- 1: ids were seen to stay from one document to the next
