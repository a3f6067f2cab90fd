-- Outputs whose files changed, and whose command (`after`) was not run since.

CREATE TABLE owed_command (
    output  TEXT PRIMARY KEY,              -- its name
    times   INTEGER NOT NULL               -- how often they changed
) STRICT, WITHOUT ROWID;
