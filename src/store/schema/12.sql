-- What readers are shown of a row has a checksum, so that a bit that changed on the disk is told and not published.

ALTER TABLE entry ADD COLUMN checksum INTEGER; -- NULL: none was kept; 0: it was found damaged, and its feed is asked for it
ALTER TABLE story ADD COLUMN checksum INTEGER;
ALTER TABLE feed ADD COLUMN checksum INTEGER;
UPDATE entry SET checksum = row_checksum(id, feed, entry_id, permalink, title);
UPDATE story SET checksum = row_checksum(id, public_id, canonical, merged_into);
UPDATE feed SET checksum = row_checksum(id, identity, title, link);

-- Of a story that is told very often a few entries of each feed are looked at.
DROP INDEX entry_by_story;
CREATE INDEX entry_by_story ON entry(story, feed) WHERE story <> id;

-- What SQLite learned of a store when it was small; it learns again once it is large.
DROP TABLE IF EXISTS sqlite_stat1;
DROP TABLE IF EXISTS sqlite_stat4;
