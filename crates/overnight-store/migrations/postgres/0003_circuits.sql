-- What is known of each vendor's account, for all workers: whether it answers, and when it is asked again. The circuit is JSON and
-- is replaced as a whole, by whoever has seen its version.
CREATE TABLE circuits (
    backend TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    circuit TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (backend, account)
);
