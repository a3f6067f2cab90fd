-- What people decided about stories and entries, so that it can be listed and taken back.

CREATE TABLE correction (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,                  -- `split`, `join` or `forget`
    entry  INTEGER NOT NULL REFERENCES entry(id) ON DELETE CASCADE, -- the entry taken out or forgotten; the founder of the story that was joined to `story`
    story  INTEGER NOT NULL,               -- the story that it told; for `join` the one that stayed
    other  INTEGER NOT NULL,               -- the story that it tells by itself; for `join` the one that went; for `forget` as `story`
    undo   TEXT NOT NULL                   -- JSON: what there was before (store::corrections)
) STRICT;
CREATE INDEX correction_by_entry ON correction(entry);

INSERT INTO correction (at, kind, entry, story, other, undo)
    SELECT coalesce(place, first_seen), 'split', entry.id, split.story, entry.story, '{}' FROM split JOIN entry ON entry.id = entry
    WHERE entry.story IS NOT NULL ORDER BY 1;
