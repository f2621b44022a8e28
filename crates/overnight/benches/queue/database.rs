//! A new empty database for every measurement, so that nobody meets what somebody else has left.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use overnight_testkit::postgres::{Durability, Postgres};
use tempfile::TempDir;

use crate::contestant::Engine;

/// The throw-away PostgreSQL, in its default configuration.
#[derive(Debug)]
pub(crate) struct Server(Postgres);

impl Server {
    /// # Errors
    /// Why there is none on this machine.
    pub(crate) fn start() -> Result<Self, String> {
        Postgres::start(Durability::Full).map(Self)
    }

    pub(crate) fn version(&self) -> String {
        let url = self.0.database_tcp();
        let version = self.0.psql(&url, "SHOW server_version");
        self.drop(&url);
        version.split_whitespace().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn pgbench(&self) -> PathBuf {
        self.0.bin("pgbench")
    }

    fn drop(&self, url: &str) {
        let (server, name) = url.rsplit_once('/').expect("a URL names its database");
        self.0.psql(&format!("{server}/postgres"), &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

/// Goes when it is dropped.
pub(crate) enum Database<'a> {
    /// Over TCP for everybody: not every client knows sockets.
    Postgres {
        server: &'a Server,
        url: String,
    },
    Sqlite(PathBuf),
}

/// Where SQLite's files are made, beside each other on the disk of temporary files, as PostgreSQL's are.
pub(crate) struct Files {
    dir: TempDir,
    made: Cell<usize>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::with_prefix("overnight-bench-").unwrap(), made: Cell::new(0) }
    }

    fn next(&self) -> PathBuf {
        self.made.set(self.made.get() + 1);
        self.dir.path().join(format!("{}.db", self.made.get()))
    }
}

impl<'a> Database<'a> {
    /// # Errors
    /// Why there is no PostgreSQL.
    pub(crate) fn new(
        engine: Engine,
        server: Result<&'a Server, &String>,
        files: &Files,
    ) -> Result<Self, String> {
        match engine {
            Engine::Postgres => {
                let server = server.map_err(Clone::clone)?;
                Ok(Self::Postgres { server, url: server.0.database_tcp() })
            }
            Engine::Sqlite => Ok(Self::Sqlite(files.next())),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres { url, .. } => url.clone(),
            Self::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()),
        }
    }

    /// After the jobs were loaded: statistics are there, and nobody pays for the pages that were written before.
    pub(crate) fn settle(&self) {
        if let Self::Postgres { server, url } = self {
            server.0.psql(url, "VACUUM ANALYZE");
            server.0.psql(url, "CHECKPOINT");
        }
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        match self {
            Self::Postgres { server, url } => server.drop(url),
            Self::Sqlite(path) => remove(path),
        }
    }
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        // Which of them there are depends on how the last one closed it.
        let _ = std::fs::remove_file(file);
    }
}
