-- What is remembered of our pull requests after they were opened, and when each is looked at next.
CREATE TABLE pull_watches (
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    -- The job that published last.
    job_id TEXT NOT NULL,
    -- The last commit that was seen, or published; empty: none is known.
    head TEXT NOT NULL,
    memory TEXT NOT NULL,
    -- Grows with whatever makes a look that is under way an old one.
    version BIGINT NOT NULL,
    -- Word that something may have changed; more of it than at the beginning of a look calls for another look.
    hints BIGINT NOT NULL,
    -- Somebody looks, and has until then.
    taken_until BIGINT NOT NULL,
    -- NULL: it is over.
    next_look BIGINT,
    PRIMARY KEY (repository_id, number)
);
CREATE INDEX pull_watches_due ON pull_watches (next_look) WHERE next_look IS NOT NULL;

INSERT INTO pull_watches (repository_id, number, job_id, head, memory, version, hints, taken_until, next_look)
    SELECT repository_id, number, job_id, '', '{}', 0, 0, 0, 0 FROM pull_requests WHERE state = 'open';

-- What forges have delivered, so that nothing is taken twice.
CREATE TABLE deliveries (
    host TEXT NOT NULL,
    -- The forge's id, or the digest of the body: a delivery has a row of each.
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (host, id)
);
CREATE INDEX deliveries_by_time ON deliveries (at);
