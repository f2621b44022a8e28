CREATE TABLE repositories (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    remote TEXT COLLATE "C" NOT NULL UNIQUE,
    last_number BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE jobs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL UNIQUE,
    request TEXT COLLATE "C" UNIQUE,
    state TEXT COLLATE "C" NOT NULL,
    state_name TEXT COLLATE "C" NOT NULL,
    stage TEXT COLLATE "C",
    wake_at BIGINT,
    ended BOOLEAN NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT COLLATE "C",
    lease_until BIGINT,
    cancel TEXT COLLATE "C",
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
    job_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES jobs (id),
    spec TEXT COLLATE "C" NOT NULL
);

CREATE TABLE events (
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL CHECK (number > 0),
    at BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (job_id, number)
);

CREATE TABLE effects (
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    name TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('reserved', 'done')),
    result TEXT COLLATE "C",
    fence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (job_id, name),
    CHECK ((status = 'done') = (result IS NOT NULL))
);

CREATE TABLE workers (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    start_ticks BIGINT NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL
);
