CREATE TABLE repositories (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    remote TEXT NOT NULL UNIQUE,
    last_number BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    request TEXT UNIQUE,
    state TEXT NOT NULL,
    state_name TEXT NOT NULL,
    stage TEXT,
    wake_at BIGINT,
    ended BOOLEAN NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT,
    lease_until BIGINT,
    cancel TEXT,
    last_event BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (repository_id, number),
    CHECK ((holder IS NULL) = (lease_until IS NULL)),
    CHECK (NOT (ended AND holder IS NOT NULL))
);

CREATE INDEX jobs_by_time ON jobs (created_at, id);
CREATE INDEX jobs_unfinished ON jobs (created_at, id) WHERE NOT ended;

-- The order may be a megabyte; it stands apart so that a renewed lease does not rewrite it.
CREATE TABLE job_specs (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id),
    spec TEXT NOT NULL
);

CREATE TABLE events (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL CHECK (number > 0),
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
);

CREATE TABLE effects (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('reserved', 'done')),
    result TEXT,
    fence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (job_id, name),
    CHECK ((status = 'done') = (result IS NOT NULL))
);

CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid BIGINT NOT NULL,
    start_ticks BIGINT NOT NULL,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL
);
