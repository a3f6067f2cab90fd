-- Words of scripts without spaces are indexed by their characters: an index that there is is filled anew.

INSERT INTO search (search) VALUES ('delete-all');
UPDATE tally SET searchable = 0 WHERE searchable IS NOT NULL;
