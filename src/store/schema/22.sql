-- Under which names newsfolds elsewhere know the entries that came through them, so that one which comes another way is known again.

CREATE TABLE known_as (
    name  BLOB NOT NULL,                   -- of a story there, or the one that the outlet's entry has of itself
    entry INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE,
    PRIMARY KEY (name, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_as_by_entry ON known_as(entry);
