-- A step writes a job's row anew, and with it its place in every index on a column that has changed and in every other one too.
-- So what never changes is looked up in job_specs, whose rows are written once, and one index holds all jobs that have not ended.
ALTER TABLE job_specs ADD COLUMN key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE job_specs ADD COLUMN request TEXT COLLATE "C";
UPDATE job_specs SET key = jobs.key, request = jobs.request FROM jobs WHERE jobs.id = job_specs.job_id;
ALTER TABLE job_specs ALTER COLUMN key DROP DEFAULT;
CREATE UNIQUE INDEX job_specs_by_key ON job_specs (key);
CREATE UNIQUE INDEX job_specs_by_request ON job_specs (request) WHERE request IS NOT NULL;
ALTER TABLE jobs DROP CONSTRAINT jobs_key_key;
ALTER TABLE jobs DROP COLUMN request;
-- Written only by statements that count the repository's jobs as well.
ALTER TABLE jobs DROP CONSTRAINT jobs_repository_id_fkey;

-- The time of the last change changes with every step; in an index it would keep each of them from staying on its page.
ALTER TABLE jobs ADD COLUMN ended_at BIGINT;
UPDATE jobs SET ended_at = updated_at WHERE ended;

DROP INDEX jobs_by_time;
DROP INDEX jobs_unfinished;
DROP INDEX jobs_ready;
DROP INDEX jobs_asleep;
DROP INDEX jobs_held;
DROP INDEX jobs_by_end;
DROP INDEX jobs_published;
CREATE INDEX jobs_open ON jobs (phase, lane_id, place, position, id) WHERE NOT ended;
CREATE INDEX jobs_by_end ON jobs (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_published ON jobs (repository_id, ended_at) WHERE end_reason = 'published';
