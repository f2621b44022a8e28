-- Everything that decides whether a job may be claimed, apart from time and priority: a claim looks at the first job of
-- each lane instead of passing over all jobs of a lane that has to wait. Rows are never changed.
CREATE TABLE lanes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
    -- JSON list: what concurrency limits are counted by.
    limit_keys TEXT COLLATE "C" NOT NULL,
    -- JSON list: what a worker must offer.
    needs TEXT COLLATE "C" NOT NULL
);

-- How many jobs of a key may be held at a time. A group without a row: one; anything else without a row: any number.
CREATE TABLE limits (
    limit_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slots BIGINT NOT NULL CHECK (slots >= 0)
);

-- A row exists only while its job is held. The key is the referee of concurrency limits.
CREATE TABLE slots (
    limit_key TEXT COLLATE "C" NOT NULL,
    slot BIGINT NOT NULL,
    job_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (limit_key, slot)
);

CREATE INDEX slots_by_job ON slots (job_id);

CREATE TABLE job_dependencies (
    child_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    parent_id TEXT COLLATE "C" NOT NULL REFERENCES jobs (id),
    rule TEXT COLLATE "C" NOT NULL CHECK (rule IN ('done', 'ended')),
    PRIMARY KEY (child_id, parent_id)
);

CREATE INDEX dependencies_by_parent ON job_dependencies (parent_id, child_id);

-- ready: can be claimed; due: can be from wake_at on; blocked: waits for other jobs; asleep: waits for something without a
-- time; held: somebody has its lease; ended.
ALTER TABLE jobs ADD COLUMN phase TEXT COLLATE "C" NOT NULL DEFAULT 'ready'
    CHECK (phase IN ('ready', 'due', 'blocked', 'asleep', 'held', 'ended'));
ALTER TABLE jobs ADD COLUMN lane_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN queueing TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE jobs ADD COLUMN blocked_by BIGINT NOT NULL DEFAULT 0;
-- Some job waits for it.
ALTER TABLE jobs ADD COLUMN dependents BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE jobs ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
-- The data directory that holds what going on with the job needs; empty: none is needed; '*': one that is gone.
ALTER TABLE jobs ADD COLUMN place TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN claimed_at BIGINT;
ALTER TABLE jobs ADD COLUMN park_reason TEXT COLLATE "C";
-- Of the end, for sums.
ALTER TABLE jobs ADD COLUMN end_reason TEXT COLLATE "C";
ALTER TABLE jobs ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN input_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN output_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN cost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN cost_unknown BOOLEAN NOT NULL DEFAULT FALSE;

-- Lanes of the jobs that are there: one per repository, for any worker that has been able to run them so far.
INSERT INTO lanes (id, repository_id, limit_keys, needs)
    SELECT 'first:' || id, id, '["repository:' || name || '"]', '[]' FROM repositories;
UPDATE jobs SET lane_id = 'first:' || repository_id, position = created_at,
    phase = CASE WHEN ended THEN 'ended' WHEN holder IS NOT NULL THEN 'held'
        WHEN state_name = 'parked' AND wake_at IS NULL THEN 'asleep' WHEN wake_at IS NOT NULL THEN 'due' ELSE 'ready' END;

CREATE INDEX jobs_ready ON jobs (lane_id, place, position, id) WHERE phase = 'ready';
CREATE INDEX jobs_due ON jobs (wake_at) WHERE phase = 'due';
CREATE INDEX jobs_asleep ON jobs (park_reason) WHERE phase = 'asleep';
CREATE INDEX jobs_held ON jobs (holder, id) WHERE phase = 'held';
CREATE INDEX jobs_by_claim ON jobs (repository_id, claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX jobs_by_end ON jobs (updated_at, id) WHERE phase = 'ended';

-- Position of an event in the feed of all jobs: grows in the order in which transactions became visible.
ALTER TABLE events ADD COLUMN tx BIGINT NOT NULL DEFAULT 0;
CREATE INDEX events_by_tx ON events (tx, job_id, number);

ALTER TABLE workers ADD COLUMN place TEXT COLLATE "C";
ALTER TABLE workers ADD COLUMN last_seen BIGINT NOT NULL DEFAULT 0;
-- What it says of itself, as JSON.
ALTER TABLE workers ADD COLUMN report TEXT COLLATE "C";
ALTER TABLE workers ADD COLUMN drain BOOLEAN NOT NULL DEFAULT FALSE;

-- What jobs that were pruned had added up to, by the reason of their end.
CREATE TABLE tallies (
    end_reason TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    jobs BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    cost_unknown BIGINT NOT NULL
);

-- Held and ready jobs are updated all the time: room on the page keeps heartbeats off the indexes, and dead rows go early.
ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_limit = 2000);
ALTER TABLE slots SET (autovacuum_vacuum_scale_factor = 0.01);

-- A job's row is written anew with every step, and with it its place in every index: those that another one makes unnecessary
-- are left out. A key is its repository's name and the number; most jobs have no request.
ALTER TABLE jobs DROP CONSTRAINT jobs_repository_id_number_key;
ALTER TABLE jobs DROP CONSTRAINT jobs_request_key;
CREATE UNIQUE INDEX jobs_request ON jobs (request) WHERE request IS NOT NULL;
-- Written only by statements that change or insert their job as well; a look-up of the job for each row would double what they cost.
ALTER TABLE events DROP CONSTRAINT events_job_id_fkey;
ALTER TABLE job_specs DROP CONSTRAINT job_specs_job_id_fkey;
