ALTER TABLE repositories ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- `parent_id` refers to an item, and says no more about it: a copy is written in the order of ids, in which a story may come behind its tasks.
CREATE TABLE items (
    id TEXT NOT NULL PRIMARY KEY,
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('epic', 'story', 'task', 'sprint', 'idea')),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    parent_id TEXT,
    position BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    request TEXT UNIQUE,
    request_hash TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (repository_id, number),
    CHECK ((request IS NULL) = (request_hash IS NULL))
);

CREATE INDEX items_by_parent ON items (parent_id, position) WHERE parent_id IS NOT NULL;

CREATE TABLE item_dependencies (
    item_id TEXT NOT NULL REFERENCES items (id),
    needs_id TEXT NOT NULL REFERENCES items (id),
    PRIMARY KEY (item_id, needs_id),
    CHECK (item_id <> needs_id)
);

CREATE INDEX item_dependencies_needed ON item_dependencies (needs_id);

CREATE TABLE sprint_members (
    sprint_id TEXT NOT NULL REFERENCES items (id),
    task_id TEXT NOT NULL REFERENCES items (id),
    position BIGINT NOT NULL,
    PRIMARY KEY (sprint_id, task_id)
);

CREATE INDEX sprint_members_of_task ON sprint_members (task_id);

-- A job may be forgotten before its item: then its end stands here.
CREATE TABLE item_jobs (
    item_id TEXT NOT NULL REFERENCES items (id),
    run BIGINT NOT NULL CHECK (run > 0),
    job_id TEXT NOT NULL UNIQUE,
    job_key TEXT NOT NULL,
    at BIGINT NOT NULL,
    end_reason TEXT,
    ended_at BIGINT,
    pull_repository_id TEXT,
    pull_number BIGINT,
    PRIMARY KEY (item_id, run)
);

CREATE TABLE item_marks (
    item_id TEXT NOT NULL REFERENCES items (id),
    number BIGINT NOT NULL CHECK (number > 0),
    mark TEXT NOT NULL,
    runs BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (item_id, number)
);

CREATE TABLE pull_requests (
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    url TEXT NOT NULL,
    branch TEXT NOT NULL,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'merged', 'closed')),
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, number)
);
