-- Each index that a row enters is a page to be written. So what never changes is looked up in job_specs, whose rows are written
-- once, one index holds all jobs that have not ended, and orders and events lie in the order of their keys.
CREATE TABLE lean_specs (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id),
    key TEXT NOT NULL UNIQUE,
    request TEXT,
    spec TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO lean_specs (job_id, key, request, spec)
    SELECT s.job_id, j.key, j.request, s.spec FROM job_specs s JOIN jobs j ON j.id = s.job_id ORDER BY s.job_id;
DROP TABLE job_specs;
ALTER TABLE lean_specs RENAME TO job_specs;
CREATE UNIQUE INDEX job_specs_by_request ON job_specs (request) WHERE request IS NOT NULL;

CREATE TABLE lean_jobs (
    id TEXT NOT NULL PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    key TEXT NOT NULL,
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
    phase TEXT NOT NULL DEFAULT 'ready' CHECK (phase IN ('ready', 'due', 'blocked', 'asleep', 'held', 'ended')),
    lane_id TEXT NOT NULL DEFAULT '',
    position BIGINT NOT NULL DEFAULT 0,
    priority BIGINT NOT NULL DEFAULT 0,
    queueing TEXT NOT NULL DEFAULT '{}',
    blocked_by BIGINT NOT NULL DEFAULT 0,
    -- Some job waits for it.
    dependents BOOLEAN NOT NULL DEFAULT FALSE,
    lost BIGINT NOT NULL DEFAULT 0,
    -- The data directory that holds what going on with the job needs; empty: none is needed; '*': one that is gone.
    place TEXT NOT NULL DEFAULT '',
    claimed_at BIGINT,
    park_reason TEXT,
    -- Of the end, for sums.
    end_reason TEXT,
    attempts BIGINT NOT NULL DEFAULT 0,
    input_tokens BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    cost BIGINT NOT NULL DEFAULT 0,
    cost_unknown BOOLEAN NOT NULL DEFAULT FALSE,
    ended_at BIGINT,
    CHECK ((holder IS NULL) = (lease_until IS NULL)),
    CHECK (NOT (ended AND holder IS NOT NULL))
);
INSERT INTO lean_jobs (id, repository_id, number, key, state, state_name, stage, wake_at, ended, fence, holder, lease_until,
        cancel, last_event, created_at, updated_at, phase, lane_id, position, priority, queueing, blocked_by, dependents, lost,
        place, claimed_at, park_reason, end_reason, attempts, input_tokens, output_tokens, cost, cost_unknown, ended_at)
    SELECT id, repository_id, number, key, state, state_name, stage, wake_at, ended, fence, holder, lease_until,
        cancel, last_event, created_at, updated_at, phase, lane_id, position, priority, queueing, blocked_by, dependents, lost,
        place, claimed_at, park_reason, end_reason, attempts, input_tokens, output_tokens, cost, cost_unknown,
        CASE WHEN ended THEN updated_at END
    FROM jobs ORDER BY id;
DROP TABLE jobs;
ALTER TABLE lean_jobs RENAME TO jobs;
CREATE INDEX jobs_open ON jobs (phase, lane_id, place, position, id) WHERE NOT ended;
CREATE INDEX jobs_due ON jobs (wake_at) WHERE phase = 'due';
CREATE INDEX jobs_by_claim ON jobs (repository_id, claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX jobs_by_end ON jobs (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_published ON jobs (repository_id, ended_at) WHERE end_reason = 'published';

CREATE TABLE lean_events (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL CHECK (number > 0),
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    -- Position in the feed of all jobs: grows in the order of commits.
    tx BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, number)
) WITHOUT ROWID;
INSERT INTO lean_events (job_id, number, at, event, tx) SELECT job_id, number, at, event, tx FROM events ORDER BY job_id, number;
DROP TABLE events;
ALTER TABLE lean_events RENAME TO events;
CREATE INDEX events_by_tx ON events (tx, job_id, number);
