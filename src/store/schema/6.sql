-- What tells an entry apart when its publisher gives it another id, and how fast it changes.

ALTER TABLE entry ADD COLUMN text_hash INTEGER;  -- of its text; NULL: it has none, or came before this was kept
ALTER TABLE entry ADD COLUMN revised_at INTEGER; -- when it was last revised; NULL: never
