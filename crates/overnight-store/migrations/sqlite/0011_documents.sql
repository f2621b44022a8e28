-- What was written about ideas. A revision never changes. `job_id` names a job and says no more about it: documents outlive their jobs.
CREATE TABLE documents (
    item_id TEXT NOT NULL REFERENCES items (id),
    part TEXT NOT NULL CHECK (part IN ('grill', 'plan', 'review')),
    revision BIGINT NOT NULL CHECK (revision > 0),
    text TEXT NOT NULL,
    facts TEXT NOT NULL,
    job_id TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (item_id, part, revision)
);

-- Of an idea: what the job is to write, and whether somebody has to see what follows when it is there.
ALTER TABLE item_jobs ADD COLUMN part TEXT;
ALTER TABLE item_jobs ADD COLUMN goes_on BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX item_jobs_going_on ON item_jobs (item_id) WHERE goes_on;
