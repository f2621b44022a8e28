-- An operator's word that a rule of the inspection does not hold in a repository, for a while. What is over stays for the record.
CREATE TABLE exceptions (
    id TEXT NOT NULL PRIMARY KEY,
    repository_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- A pattern of paths; NULL: all files.
    path TEXT,
    -- Why, and who said so.
    message TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    until BIGINT NOT NULL
);

CREATE INDEX exceptions_by_repository ON exceptions (repository_id, until);
