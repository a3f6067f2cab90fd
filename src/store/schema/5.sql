-- What hubs told, so that none of it is taken in twice: a message that somebody kept would undo what came after it.

CREATE TABLE hub_message (
    feed    INTEGER NOT NULL REFERENCES feed(id),
    hash    INTEGER NOT NULL,              -- of the body as it came
    heard   INTEGER NOT NULL,
    PRIMARY KEY (feed, hash)
) STRICT, WITHOUT ROWID;
