-- What the weights learn of an entry is kept beside its print, and only until they are kept themselves.

CREATE TABLE uncounted (
    id      INTEGER PRIMARY KEY,           -- in the order in which it was learned
    terms   BLOB NOT NULL                  -- of the entries of one document (fold::fingerprint)
) STRICT;
INSERT INTO uncounted (terms) SELECT print_terms(bytes) FROM print JOIN entry ON entry.id = print.entry
    WHERE print.entry > coalesce((SELECT counted FROM weights), 0) AND story IS NOT NULL AND print_terms(bytes) IS NOT NULL
    ORDER BY max(first_seen, coalesce(told_since, 0)), print.entry;
UPDATE print SET bytes = coalesce(print_without_terms(bytes), x'');
ALTER TABLE weights DROP COLUMN counted;
