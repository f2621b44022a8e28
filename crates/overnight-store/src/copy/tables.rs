//! What of a database is copied: the one list of tables and columns. A test holds it to the schemas of both engines, so
//! that a later migration cannot forget a column.

use crate::insert::Into;

const TEXT: &str = "TEXT";
const BIGINT: &str = "BIGINT";
const BOOLEAN: &str = "BOOLEAN";

/// A table, and what of it is copied.
#[derive(Debug)]
pub(crate) struct Table {
    /// How rows are written: what is there already stays as it is.
    pub(crate) into: Into,
    /// The primary key: the order in which rows are read.
    pub(crate) key: &'static [&'static str],
    /// Most rows that are read at once and written in one transaction.
    pub(crate) page: usize,
    /// Whether only a copy can have put rows of the source there, in the order of their keys: n rows are the first n then.
    pub(crate) resumes: bool,
}

/// Tables that are not copied: those of running processes, of which there are none on a copy, marks in the feed, whose
/// positions are new there, and the schema's version.
#[cfg(test)]
pub(crate) const TABLES_LEFT_OUT: [&str; 4] = ["feed_marks", "overnight_schema", "slots", "workers"];

/// Columns that take their default on a copy, where nobody holds a job and positions in the feed are new.
#[cfg(test)]
pub(crate) const COLUMNS_LEFT_OUT: [(&str, &str); 3] =
    [("events", "tx"), ("jobs", "holder"), ("jobs", "lease_until")];

/// Rows of one transaction: few enough to be written within a moment.
const PAGE: usize = 1000;
/// An order may be a megabyte.
const PAGE_OF_SPECS: usize = 32;

/// In the order in which rows refer to each other.
pub(crate) const TABLES: [Table; 28] = [
    Table {
        into: into(
            "repositories",
            &[
                ("id", TEXT),
                ("name", TEXT),
                ("remote", TEXT),
                ("last_number", BIGINT),
                ("created_at", BIGINT),
                ("settings", TEXT),
            ],
        ),
        key: &["id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into("lanes", &[("id", TEXT), ("repository_id", TEXT), ("limit_keys", TEXT), ("needs", TEXT)]),
        key: &["id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into("limits", &[("limit_key", TEXT), ("slots", BIGINT)]),
        key: &["limit_key"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into(
            "circuits",
            &[("backend", TEXT), ("account", TEXT), ("circuit", TEXT), ("version", BIGINT)],
        ),
        key: &["backend", "account"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into(
            "tallies",
            &[
                ("end_reason", TEXT),
                ("jobs", BIGINT),
                ("attempts", BIGINT),
                ("input_tokens", BIGINT),
                ("output_tokens", BIGINT),
                ("cost", BIGINT),
                ("cost_unknown", BIGINT),
            ],
        ),
        key: &["end_reason"],
        page: PAGE,
        resumes: false,
    },
    JOBS,
    Table {
        into: into("job_specs", &[("job_id", TEXT), ("key", TEXT), ("request", TEXT), ("spec", TEXT)]),
        key: &["job_id"],
        page: PAGE_OF_SPECS,
        resumes: true,
    },
    Table {
        into: into("events", &[("job_id", TEXT), ("number", BIGINT), ("at", BIGINT), ("event", TEXT)]),
        key: &["job_id", "number"],
        page: PAGE,
        resumes: true,
    },
    Table {
        into: into(
            "effects",
            &[
                ("job_id", TEXT),
                ("name", TEXT),
                ("detail", TEXT),
                ("status", TEXT),
                ("result", TEXT),
                ("fence", BIGINT),
                ("at", BIGINT),
            ],
        ),
        key: &["job_id", "name"],
        page: PAGE,
        resumes: true,
    },
    Table {
        into: into("job_dependencies", &[("child_id", TEXT), ("parent_id", TEXT), ("rule", TEXT)]),
        key: &["child_id", "parent_id"],
        page: PAGE,
        resumes: true,
    },
    SPEND,
    Table {
        into: into(
            "budget_raises",
            &[
                ("id", TEXT),
                ("scope", TEXT),
                ("repository_id", TEXT),
                ("cost", BIGINT),
                ("tokens", BIGINT),
                ("turns", BIGINT),
                ("time_ms", BIGINT),
                ("sessions", BIGINT),
                ("made_at", BIGINT),
                ("until", BIGINT),
            ],
        ),
        key: &["id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into("budget_marks", &[("repository_id", TEXT), ("at", BIGINT)]),
        key: &["repository_id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into("budget_warnings", &[("warning", TEXT), ("at", BIGINT)]),
        key: &["warning"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into(
            "exceptions",
            &[
                ("id", TEXT),
                ("repository_id", TEXT),
                ("rule", TEXT),
                ("path", TEXT),
                ("message", TEXT),
                ("made_by", TEXT),
                ("made_at", BIGINT),
                ("until", BIGINT),
            ],
        ),
        key: &["id"],
        page: PAGE,
        resumes: false,
    },
    ITEMS,
    Table {
        into: into("item_dependencies", &[("item_id", TEXT), ("needs_id", TEXT)]),
        key: &["item_id", "needs_id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into("sprint_members", &[("sprint_id", TEXT), ("task_id", TEXT), ("position", BIGINT)]),
        key: &["sprint_id", "task_id"],
        page: PAGE,
        resumes: false,
    },
    ITEM_JOBS,
    DOCUMENTS,
    Table {
        into: into(
            "item_marks",
            &[("item_id", TEXT), ("number", BIGINT), ("mark", TEXT), ("runs", BIGINT), ("at", BIGINT)],
        ),
        key: &["item_id", "number"],
        page: PAGE,
        resumes: false,
    },
    PULL_REQUESTS,
    PULL_WATCHES,
    Table {
        into: into("deliveries", &[("host", TEXT), ("id", TEXT), ("at", BIGINT)]),
        key: &["host", "id"],
        page: PAGE,
        resumes: false,
    },
    QUESTIONS,
    MESSAGES,
    Table {
        into: into(
            "tokens",
            &[
                ("id", TEXT),
                ("name", TEXT),
                ("scope", TEXT),
                ("hash", TEXT),
                ("created_at", BIGINT),
                ("expires_at", BIGINT),
                ("last_used_at", BIGINT),
                ("revoked_at", BIGINT),
            ],
        ),
        key: &["id"],
        page: PAGE,
        resumes: false,
    },
    Table {
        into: into(
            "kept_answers",
            &[
                ("token_id", TEXT),
                ("request_key", TEXT),
                ("request", TEXT),
                ("status", BIGINT),
                ("body", TEXT),
                ("created_at", BIGINT),
                ("expires_at", BIGINT),
            ],
        ),
        key: &["token_id", "request_key"],
        page: PAGE,
        resumes: false,
    },
];

const ITEMS: Table = Table {
    into: into(
        "items",
        &[
            ("id", TEXT),
            ("repository_id", TEXT),
            ("number", BIGINT),
            ("key", TEXT),
            ("kind", TEXT),
            ("title", TEXT),
            ("body", TEXT),
            ("parent_id", TEXT),
            ("position", BIGINT),
            ("runs", BIGINT),
            ("request", TEXT),
            ("request_hash", TEXT),
            ("version", BIGINT),
            ("created_at", BIGINT),
            ("updated_at", BIGINT),
        ],
    ),
    key: &["id"],
    // A body may be some megabytes.
    page: PAGE_OF_SPECS,
    resumes: false,
};

const ITEM_JOBS: Table = Table {
    into: into(
        "item_jobs",
        &[
            ("item_id", TEXT),
            ("run", BIGINT),
            ("job_id", TEXT),
            ("job_key", TEXT),
            ("at", BIGINT),
            ("end_reason", TEXT),
            ("ended_at", BIGINT),
            ("pull_repository_id", TEXT),
            ("pull_number", BIGINT),
            ("part", TEXT),
            ("goes_on", BOOLEAN),
        ],
    ),
    key: &["item_id", "run"],
    page: PAGE,
    resumes: false,
};

const DOCUMENTS: Table = Table {
    into: into(
        "documents",
        &[
            ("item_id", TEXT),
            ("part", TEXT),
            ("revision", BIGINT),
            ("text", TEXT),
            ("facts", TEXT),
            ("job_id", TEXT),
            ("at", BIGINT),
        ],
    ),
    key: &["item_id", "part", "revision"],
    // A plan that a person gave may be some megabytes.
    page: PAGE_OF_SPECS,
    resumes: false,
};

const PULL_REQUESTS: Table = Table {
    into: into(
        "pull_requests",
        &[
            ("repository_id", TEXT),
            ("number", BIGINT),
            ("url", TEXT),
            ("branch", TEXT),
            ("job_id", TEXT),
            ("state", TEXT),
            ("updated_at", BIGINT),
        ],
    ),
    key: &["repository_id", "number"],
    page: PAGE,
    resumes: false,
};

const PULL_WATCHES: Table = Table {
    into: into(
        "pull_watches",
        &[
            ("repository_id", TEXT),
            ("number", BIGINT),
            ("job_id", TEXT),
            ("head", TEXT),
            ("memory", TEXT),
            ("version", BIGINT),
            ("hints", BIGINT),
            ("taken_until", BIGINT),
            ("next_look", BIGINT),
        ],
    ),
    key: &["repository_id", "number"],
    page: PAGE,
    resumes: false,
};

const QUESTIONS: Table = Table {
    into: into(
        "questions",
        &[
            ("job_id", TEXT),
            ("number", BIGINT),
            ("id", TEXT),
            ("turn", BIGINT),
            ("text", TEXT),
            ("options", TEXT),
            ("asked_at", BIGINT),
            ("expires_at", BIGINT),
            ("awaited", BOOLEAN),
            ("answer", TEXT),
            ("answered_at", BIGINT),
            ("cancelled_at", BIGINT),
            ("told_turn", BIGINT),
            ("told_at", BIGINT),
        ],
    ),
    key: &["job_id", "number"],
    page: PAGE,
    resumes: true,
};

const MESSAGES: Table = Table {
    into: into(
        "messages",
        &[
            ("job_id", TEXT),
            ("number", BIGINT),
            ("id", TEXT),
            ("sender", TEXT),
            ("text", TEXT),
            ("sent_at", BIGINT),
            ("told_turn", BIGINT),
            ("told_at", BIGINT),
            ("acknowledged_at", BIGINT),
        ],
    ),
    key: &["job_id", "number"],
    page: PAGE,
    resumes: true,
};

const SPEND: Table = Table {
    into: into(
        "spend",
        &[
            ("job_id", TEXT),
            ("turn", BIGINT),
            ("attempt", BIGINT),
            ("task_id", TEXT),
            ("repository_id", TEXT),
            ("backend", TEXT),
            ("model", TEXT),
            ("account", TEXT),
            ("billing", TEXT),
            ("day", BIGINT),
            ("started_at", BIGINT),
            ("ended_at", BIGINT),
            ("input_tokens", BIGINT),
            ("output_tokens", BIGINT),
            ("cache_read_tokens", BIGINT),
            ("cache_write_tokens", BIGINT),
            ("answers", BIGINT),
            ("cost", BIGINT),
            ("estimated", BOOLEAN),
            ("wall_ms", BIGINT),
            ("accounted", BOOLEAN),
            ("published", BOOLEAN),
        ],
    ),
    key: &["job_id", "turn"],
    page: PAGE,
    resumes: true,
};

const JOBS: Table = Table {
    into: into(
        "jobs",
        &[
            ("id", TEXT),
            ("repository_id", TEXT),
            ("number", BIGINT),
            ("key", TEXT),
            ("state", TEXT),
            ("state_name", TEXT),
            ("stage", TEXT),
            ("wake_at", BIGINT),
            ("ended", BOOLEAN),
            ("fence", BIGINT),
            ("cancel", TEXT),
            ("last_event", BIGINT),
            ("created_at", BIGINT),
            ("updated_at", BIGINT),
            ("phase", TEXT),
            ("lane_id", TEXT),
            ("position", BIGINT),
            ("priority", BIGINT),
            ("queueing", TEXT),
            ("blocked_by", BIGINT),
            ("dependents", BOOLEAN),
            ("lost", BIGINT),
            ("place", TEXT),
            ("claimed_at", BIGINT),
            ("park_reason", TEXT),
            ("end_reason", TEXT),
            ("attempts", BIGINT),
            ("input_tokens", BIGINT),
            ("output_tokens", BIGINT),
            ("cost", BIGINT),
            ("cost_unknown", BOOLEAN),
            ("ended_at", BIGINT),
        ],
    ),
    key: &["id"],
    page: PAGE,
    resumes: true,
};

const fn into(table: &'static str, columns: &'static [(&'static str, &'static str)]) -> Into {
    Into { table, columns, extra: None, tail: "ON CONFLICT DO NOTHING" }
}

impl Table {
    pub(crate) fn name(&self) -> &'static str {
        self.into.table
    }

    /// The place of a column among a row's values.
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.into.columns.iter().position(|(name, _)| *name == column)
    }

    /// The one column of the key, where the rows are no parts of a job.
    pub(crate) fn own_key(&self) -> Option<&'static str> {
        match self.key {
            [key] if self.name() != "job_specs" => Some(key),
            _ => None,
        }
    }
}
