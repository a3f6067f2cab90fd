-- Pages are looked up by keys whose upper bits are the host's (`Permalink::key`), so that the entries of a feed stand together.

ALTER TABLE entry ADD COLUMN id_page_key INTEGER; -- of the page that its id leads to, where that is not its permalink
UPDATE entry SET permalink_key = page_key(permalink) WHERE permalink IS NOT NULL;
UPDATE entry SET id_page_key = nullif(page_key(entry_id), permalink_key) WHERE id IN (SELECT entry FROM entry_alias);
DROP TABLE entry_alias;
CREATE INDEX entry_by_id_page ON entry(id_page_key) WHERE id_page_key IS NOT NULL;

CREATE INDEX story_by_merger ON story(merged_into) WHERE merged_into IS NOT NULL;

-- Few feeds are not configured any more, and each new one may be one of those under its new address.
CREATE INDEX feed_by_move ON feed(moved_to) WHERE configured = 0;
