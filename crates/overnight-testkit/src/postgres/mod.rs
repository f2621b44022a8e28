//! A throwaway PostgreSQL server for tests and benches, made from the programs that are on the machine.
//!
//! Owns a temporary folder with the data, the socket and the log, and the server that runs there. No test assumes a server
//! that somebody else runs, and none leaves one behind: a watcher process ends it as soon as this process has ended,
//! even by `kill -9`. Needs Linux. Uses only std and `tempfile`, so that a bench can have it without an async runtime.
//!
//! ```text
//! this process ──pipe──► watcher (sh)     end of the pipe: ends the server, removes the folder
//!      └─────────────► postgres ──► a child per connection     its pid goes down the same pipe
//! ```

mod cluster;
mod find;
#[cfg(test)]
mod find_tests;
mod home;
#[cfg(test)]
mod tests;
mod tree;
mod watcher;

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cluster::{Cluster, ROLE};

/// How much of what a server has committed can get lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// PostgreSQL's default configuration: a commit is on the disk. For benches.
    Full,
    /// `fsync` and `full_page_writes` are off: a commit is with the operating system, so it survives [`Postgres::kill`] but
    /// not the loss of the machine. For tests. (`synchronous_commit` stays on: without it a commit would be in the
    /// server's memory only and die with it.)
    Off,
}

/// A PostgreSQL server of its own, in a temporary folder, that ends with the process that started it, however that
/// ends. Dropping it waits until server and folder are gone.
#[derive(Debug)]
pub struct Postgres {
    /// `None` after a kill.
    server: Mutex<Option<Child>>,
    cluster: Cluster,
    /// How many databases were made.
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a server and waits until it accepts connections, which takes about a second.
    ///
    /// # Errors
    /// One line for the `skipped:` line of a test, when this machine has no server programs or they do not run here.
    pub fn start(durability: Durability) -> Result<Self, String> {
        let programs = find::programs(&find::Search::of_this_machine())?;
        let (cluster, server) = Cluster::make(programs, durability)?;
        let postgres = Self { server: Mutex::new(Some(server)), cluster, databases: AtomicU32::new(0) };
        postgres.in_database("postgres", &format!("CREATE ROLE {ROLE} LOGIN"))?;
        Ok(postgres)
    }

    /// The one server of this process, without durability, started when it is first asked for. It is shared by tests that
    /// run at the same time: do not kill or pause it.
    ///
    /// # Errors
    /// As [`start`](Self::start), the same each time.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Durability::Off)).as_ref().map_err(Clone::clone)
    }

    /// Makes an empty database, owned by a role without further rights, and returns a URL for it that goes over the Unix
    /// socket.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn database(&self) -> String {
        let (port, name) = (self.cluster.port(), self.make_database());
        let folder = percent_encoded(&self.cluster.socket_folder());
        format!("postgres://{ROLE}@localhost:{port}/{name}?host={folder}")
    }

    /// As [`database`](Self::database), with a URL that goes over TCP on 127.0.0.1.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn database_tcp(&self) -> String {
        let (port, name) = (self.cluster.port(), self.make_database());
        format!("postgres://{ROLE}@127.0.0.1:{port}/{name}")
    }

    /// SIGKILL to every process of the server at once, as in a crash. Returns when all are dead; a server that is already
    /// dead stays so.
    ///
    /// # Panics
    /// When a process does not die.
    pub fn kill(&self) {
        if let Some(mut server) = self.server().take() {
            self.cluster.kill(&mut server);
        }
    }

    /// Starts the server again on the same data and port, after killing it if it runs, and waits until it accepts
    /// connections.
    ///
    /// # Panics
    /// With the end of the log, when it does not start.
    pub fn restart(&self) {
        self.kill();
        let started = self.cluster.start_again();
        *self.server() = Some(started.unwrap_or_else(|reason| panic!("{reason}")));
    }

    /// Stops every process of the server (SIGSTOP): connections stay open and nothing answers, as when a machine hangs.
    /// Returns when all have stopped.
    ///
    /// # Panics
    /// When a process does not stop.
    pub fn pause(&self) {
        if let Some(server) = self.server().as_ref() {
            tree::stop(server.id());
        }
    }

    /// Lets a paused server go on.
    ///
    /// # Panics
    /// When no signal can be sent.
    pub fn resume(&self) {
        if let Some(server) = self.server().as_ref() {
            tree::go_on(server.id());
        }
    }

    /// Runs one SQL text as superuser in the database that the URL names, and returns its rows: a line each, columns
    /// separated by `|`. Several statements are one transaction, unless the text itself begins and ends some. A table made
    /// this way belongs to the superuser, not to the role of the URL.
    ///
    /// # Panics
    /// With the message, when a statement fails.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        self.in_database(database_name(url), sql).unwrap_or_else(|reason| panic!("{reason}\n{sql}"))
    }

    /// The path of one of PostgreSQL's programs, as `psql` or `pgbench`. Some distributions package the latter apart: it
    /// may be missing.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.cluster.program(name)
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The empty template, which nobody can be connected to: the usual one cannot be copied while somebody is.
    fn make_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed) + 1);
        let sql = format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0");
        self.in_database("postgres", &sql).unwrap_or_else(|reason| panic!("{reason}"));
        name
    }

    fn in_database(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = home::clean_command(self.bin("psql"))
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"])
            .args(["--username=postgres", "--host", &self.cluster.socket_folder()])
            .args(["--port", &self.cluster.port().to_string(), "--dbname", database, "--command", sql])
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("psql cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

/// The watcher removes the folder when `cluster` is dropped; killed first, the server leaves nothing to wait for.
impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As a value in a URL's query.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// What stands between the last `/` and the query.
fn database_name(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}
