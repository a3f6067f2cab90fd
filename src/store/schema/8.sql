-- Addresses that are nobody's but the operator's.

-- 1: the feed's address is not shown to strangers. A feed is listed only once the configuration says that it may be.
ALTER TABLE feed ADD COLUMN is_private INTEGER NOT NULL DEFAULT 1;
