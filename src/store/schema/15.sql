-- Whether anything that is published changed since the outputs' files were written, so that a poll that brought nothing neither
-- renders nor reads what is there. Kept by triggers: nothing that changes what is shown has to remember to say so.

CREATE TABLE shown (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    change  INTEGER NOT NULL,              -- moves with the first change after it was noted,
    noted   INTEGER NOT NULL,              -- which is this one, where nothing changed since
    files   TEXT,                          -- what the files were made of when they were last written
    standing TEXT                          -- what decided then who may see what (publish::files)
) STRICT;
INSERT INTO shown (one, change, noted) VALUES (1, 1, 0);

-- A new entry founds a story or joins one, which tells; most updates of an entry are of what nobody sees.
CREATE TRIGGER entry_shown_u AFTER UPDATE OF feed, entry_id, permalink, title, published, updated, first_seen, gone_at, story, archived,
    text_block, text_at, place, withdrawn ON entry WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER entry_shown_d AFTER DELETE ON entry WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER story_shown_i AFTER INSERT ON story WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER story_shown_u AFTER UPDATE ON story WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER story_shown_d AFTER DELETE ON story WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER fold_shown_i AFTER INSERT ON fold WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER fold_shown_u AFTER UPDATE ON fold WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER fold_shown_d AFTER DELETE ON fold WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER follow_shown_i AFTER INSERT ON follow WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER follow_shown_u AFTER UPDATE ON follow WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

CREATE TRIGGER follow_shown_d AFTER DELETE ON follow WHEN (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;

-- The state of a feed changes with every poll, what is shown of it hardly ever.
CREATE TRIGGER feed_shown AFTER UPDATE ON feed
WHEN (OLD.title IS NOT NEW.title OR OLD.link IS NOT NEW.link OR OLD.name <> NEW.name OR OLD.address <> NEW.address
      OR OLD.configured <> NEW.configured OR OLD.is_named <> NEW.is_named OR OLD.is_private <> NEW.is_private)
     AND (SELECT change = noted FROM shown)
BEGIN UPDATE shown SET change = change + 1; END;
