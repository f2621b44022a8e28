-- What is known of each vendor's account, for all workers: whether it answers, and when it is asked again. The circuit is JSON and
-- is replaced as a whole, by whoever has seen its version.
CREATE TABLE circuits (
    backend TEXT NOT NULL,
    account TEXT NOT NULL,
    circuit TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (backend, account)
);
