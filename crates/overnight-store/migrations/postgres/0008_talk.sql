-- What agents ask people. What has become of a question follows from its times and its answer.
CREATE TABLE questions (
    job_id TEXT COLLATE "C" NOT NULL,
    -- Which of its job's questions, from 1.
    number BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    -- The turn in which it was asked.
    turn BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    -- A JSON list.
    options TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The job has waited for its answer.
    awaited BOOLEAN NOT NULL DEFAULT FALSE,
    answer TEXT COLLATE "C",
    answered_at BIGINT,
    cancelled_at BIGINT,
    -- The turn that was told what came of it.
    told_turn BIGINT,
    told_at BIGINT,
    PRIMARY KEY (job_id, number)
);

CREATE UNIQUE INDEX questions_by_id ON questions (id);
-- Those that may still be answered.
CREATE INDEX questions_open ON questions (expires_at) WHERE answered_at IS NULL AND cancelled_at IS NULL;

-- What people and other jobs tell a job.
CREATE TABLE messages (
    job_id TEXT COLLATE "C" NOT NULL,
    -- Which of its job's messages, from 1.
    number BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    -- The key of the job that sent it; empty: a person.
    sender TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    sent_at BIGINT NOT NULL,
    told_turn BIGINT,
    told_at BIGINT,
    -- When the agent said that it has read it.
    acknowledged_at BIGINT,
    PRIMARY KEY (job_id, number)
);

CREATE UNIQUE INDEX messages_by_id ON messages (id);
