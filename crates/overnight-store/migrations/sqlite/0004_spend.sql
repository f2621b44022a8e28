-- What each start of an agent CLI used. Rows outlive their jobs: they are the accounts.
CREATE TABLE spend (
    job_id TEXT NOT NULL,
    turn BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    -- The first job of the line that the job belongs to.
    task_id TEXT NOT NULL,
    repository_id TEXT NOT NULL,
    backend TEXT NOT NULL,
    model TEXT,
    account TEXT NOT NULL,
    -- subscription, metered or unknown.
    billing TEXT NOT NULL,
    -- UTC day since 1970-01-01 on which it began.
    day BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    -- NULL: it runs, or nobody has looked yet at what a dead runner left of it.
    ended_at BIGINT,
    input_tokens BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens BIGINT NOT NULL DEFAULT 0,
    -- Answers of the model.
    answers BIGINT NOT NULL DEFAULT 0,
    -- NULL: nobody knows.
    cost BIGINT,
    estimated BOOLEAN NOT NULL DEFAULT FALSE,
    wall_ms BIGINT NOT NULL DEFAULT 0,
    -- It told something of what it used.
    accounted BOOLEAN NOT NULL DEFAULT FALSE,
    -- Of a job that was published and whose record is gone.
    published BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (job_id, turn)
);

CREATE INDEX spend_by_day ON spend (day, repository_id);
CREATE INDEX spend_by_task ON spend (task_id);
CREATE INDEX spend_by_repository ON spend (repository_id, started_at);
CREATE INDEX jobs_published ON jobs (repository_id, updated_at) WHERE end_reason = 'published';

-- By how much people have raised a budget for a while. What is NULL is not raised.
CREATE TABLE budget_raises (
    id TEXT NOT NULL PRIMARY KEY,
    -- day, repository_day or velocity.
    scope TEXT NOT NULL,
    -- Empty: of everything.
    repository_id TEXT NOT NULL,
    cost BIGINT,
    tokens BIGINT,
    turns BIGINT,
    time_ms BIGINT,
    sessions BIGINT,
    made_at BIGINT NOT NULL,
    until BIGINT NOT NULL
);

-- From when on the spend of a repository counts against its velocity, if not from its last published job.
CREATE TABLE budget_marks (
    repository_id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);

-- Warnings that were given: each comes once.
CREATE TABLE budget_warnings (
    warning TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
