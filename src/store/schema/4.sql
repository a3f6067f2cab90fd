-- Who may speak for a story.

-- What the configuration says of a feed that others' stories depend on.
ALTER TABLE feed ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feed ADD COLUMN site TEXT NOT NULL DEFAULT '';        -- the site whose pages are its own
ALTER TABLE feed ADD COLUMN is_closed INTEGER NOT NULL DEFAULT 0; -- 1: `fold = "off"`, nothing joins what it tells
ALTER TABLE feed ADD COLUMN is_named INTEGER NOT NULL DEFAULT 0;  -- 1: its name is the operator's, not made from its address

-- Each entry has a place of its own in what is published, whoever speaks for its story: newest first; NULL: not published.
ALTER TABLE entry ADD COLUMN place INTEGER;
ALTER TABLE entry ADD COLUMN told_since INTEGER; -- since when it counts as telling its story; NULL: since it was first seen
ALTER TABLE entry ADD COLUMN has_moved INTEGER NOT NULL DEFAULT 0; -- 1: an edit led it to another page
UPDATE entry SET place = coalesce(
    (SELECT sort_at FROM story WHERE story.id = entry.id),
    max(min(coalesce(published, updated, first_seen), first_seen), first_seen - 3600000)
) WHERE archived = 0 AND story IS NOT NULL;
CREATE INDEX entry_by_place ON entry(place) WHERE place IS NOT NULL;

-- That an entry passes on what another publisher wrote was its own word, and decides nothing any more.
ALTER TABLE entry DROP COLUMN second_hand;
