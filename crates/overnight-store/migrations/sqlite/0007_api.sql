-- Who may use the API. Of a token only the SHA-256 of its text is kept: 32 random bytes need no slow hash.
CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- read, operate, admin or worker.
    scope TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- NULL: never.
    expires_at BIGINT,
    -- Brought up to date now and then, not with every request.
    last_used_at BIGINT,
    revoked_at BIGINT
);

CREATE UNIQUE INDEX tokens_by_hash ON tokens (hash);
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

-- Answers to requests that named an idempotency key, to be given again when the request comes again.
CREATE TABLE kept_answers (
    token_id TEXT NOT NULL,
    request_key TEXT NOT NULL,
    -- SHA-256 of the request.
    request TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (token_id, request_key)
);

CREATE INDEX kept_answers_by_expiry ON kept_answers (expires_at);

-- How far into the feed events were deleted with their jobs: who goes on from there or before may have missed some.
CREATE TABLE feed_marks (
    mark TEXT NOT NULL PRIMARY KEY,
    tx BIGINT NOT NULL
);
