-- Of why entries belong together what a person is shown is kept, packed (fold::evidence).

ALTER TABLE fold ADD COLUMN packed BLOB NOT NULL DEFAULT x'';
UPDATE fold SET packed = packed_evidence(evidence);
ALTER TABLE fold DROP COLUMN evidence;
ALTER TABLE fold RENAME COLUMN packed TO evidence;

ALTER TABLE follow ADD COLUMN packed BLOB NOT NULL DEFAULT x'';
UPDATE follow SET packed = packed_evidence(evidence);
ALTER TABLE follow DROP COLUMN evidence;
ALTER TABLE follow RENAME COLUMN packed TO evidence;

-- What a correction took away is kept as it is stored.
UPDATE correction SET undo = json_set(undo, '$.fold.evidence', hex(packed_evidence(undo ->> '$.fold.evidence')))
    WHERE CASE WHEN json_valid(undo) THEN undo ->> '$.fold.evidence' IS NOT NULL ELSE FALSE END;
