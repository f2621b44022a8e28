//! The few fragments in which the engines' SQL differs. Everything else is one text for both of them, apart from the changes that
//! are made with one round trip (`at_once`).

/// Which database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// What is spliced into statements, by name.
const FRAGMENTS: [Fragment; 6] = [
    // The database's clock in milliseconds since 1970-01-01 UTC; constant within a statement. In PostgreSQL it is the time at
    // which the statement came, so that one that had to wait for a lock judges and sets leases too early, never too late.
    Fragment {
        name: "{now}",
        sqlite: "CAST(ROUND(unixepoch('subsec') * 1000) AS BIGINT)",
        postgres: "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)",
    },
    // Follows a SELECT of jobs as `j` that are changed later in the transaction. SQLite's writer holds the whole database.
    Fragment { name: "{lock}", sqlite: "", postgres: "FOR NO KEY UPDATE OF j" },
    // The same, passing over jobs that somebody else is about to change.
    Fragment { name: "{lock_free}", sqlite: "", postgres: "FOR NO KEY UPDATE OF j SKIP LOCKED" },
    // Follows a SELECT of jobs as `j` that must not end before the transaction does.
    Fragment { name: "{keep}", sqlite: "", postgres: "FOR SHARE OF j" },
    // A number that grows in the order of transactions. SQLite has one writer, so the order of numbers is that of commits; it
    // starts from the clock, so that numbers of events that were deleted do not come again.
    Fragment {
        name: "{tx}",
        sqlite: "MAX((SELECT COALESCE(MAX(tx), 0) + 1 FROM events), CAST(ROUND(unixepoch('subsec') * 1000) AS BIGINT))",
        postgres: "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)",
    },
    // Below this number every transaction is over: nothing can appear there any more.
    Fragment {
        name: "{horizon}",
        sqlite: "9223372036854775807",
        postgres: "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)",
    },
];

struct Fragment {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Engine {
    /// The statement as this engine takes it.
    pub(crate) fn render(self, text: &str) -> String {
        let mut text = text.to_owned();
        for fragment in FRAGMENTS {
            if text.contains(fragment.name) {
                let own = match self {
                    Self::Sqlite => fragment.sqlite,
                    Self::Postgres => fragment.postgres,
                };
                text = text.replace(fragment.name, own);
            }
        }
        text
    }
}
