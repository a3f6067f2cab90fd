-- A trigger on a table whose rows get their numbers has SQLite keep a journal for each statement, and stories come by the thousand:
-- `stories::found` says itself that one came.

DROP TRIGGER story_shown_i;
