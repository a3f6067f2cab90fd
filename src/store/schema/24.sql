-- Feeds that redirects lead to one address are one source of a story.

CREATE INDEX feed_by_place ON feed(coalesce(read_from, moved_to)) WHERE coalesce(read_from, moved_to) IS NOT NULL;
