//! The data of a server, and its starts: `initdb`, ports, readiness, and what the log says about a failure.
//!
//! Owns the folder through its watcher, but not the running server: `Postgres` does.

use std::borrow::Cow;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::Durability;
use super::home::Home;
use super::tree;
use super::watcher::Watcher;

/// Who owns the databases: an ordinary role, as a product's should be.
pub(super) const ROLE: &str = "overnight";

/// Everybody who can enter the folder is trusted; over TCP, which every account of the machine can reach, only the role
/// without rights is.
const WHO_MAY_CONNECT: &str = "local all all trust\nhost all overnight 127.0.0.1/32 trust\n";

/// From a start to the first connection, recovery after a crash included.
const READY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Another process can take a free port before the server does.
const PORTS: usize = 5;

/// A failure's reason is one line: this much of the end of the log.
const LOG_LINES: usize = 6;

/// Why a server did not start.
enum StartFailure {
    PortTaken,
    Other(String),
}

/// The data of one server, in a folder of its own, and how it is started.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: PathBuf,
    watcher: Watcher,
    home: Home,
    durability: Durability,
    port: u16,
}

impl Cluster {
    /// Makes the data and starts the server for the first time.
    pub(super) fn make(programs: PathBuf, durability: Durability) -> Result<(Self, Child), String> {
        let home = Home::make()?;
        let watcher = Watcher::start(&home)?;
        let mut cluster = Self { programs, watcher, home, durability, port: 0 };
        cluster.initdb()?;
        for _ in 0..PORTS {
            cluster.port = free_port()?;
            match cluster.try_start() {
                Ok(server) => return Ok((cluster, server)),
                Err(StartFailure::PortTaken) => {}
                Err(StartFailure::Other(reason)) => return Err(reason),
            }
        }
        Err(format!("PostgreSQL found its port taken {PORTS} times"))
    }

    /// Starts the server again on its port, once nobody else has that.
    pub(super) fn start_again(&self) -> Result<Child, String> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            match self.try_start() {
                Ok(server) => return Ok(server),
                Err(StartFailure::PortTaken) if Instant::now() < deadline => std::thread::sleep(POLL),
                Err(StartFailure::PortTaken) => {
                    return Err(format!("port {} was taken for {READY_LIMIT:?}", self.port));
                }
                Err(StartFailure::Other(reason)) => return Err(reason),
            }
        }
    }

    /// Kills every process of the server.
    pub(super) fn kill(&self, server: &mut Child) {
        tree::kill(server.id());
        self.watcher.nothing_runs();
        drop(server.wait());
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Where the socket is.
    pub(super) fn socket_folder(&self) -> Cow<'_, str> {
        self.home.dir().to_string_lossy()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn initdb(&self) -> Result<(), String> {
        let cannot = |error: std::io::Error| format!("initdb cannot be run: {error}");
        let status = self
            .announced("initdb")
            .map_err(cannot)?
            .args(["--no-sync", "--no-instructions", "--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(self.home.data())
            .status()
            .map_err(cannot)?;
        self.watcher.nothing_runs();
        if !status.success() {
            return Err(format!("initdb failed ({status}): {}", self.log_after(0)));
        }
        let file = self.home.data().join("pg_hba.conf");
        fs::write(&file, WHO_MAY_CONNECT).map_err(|error| format!("cannot write {}: {error}", file.display()))
    }

    fn announced(&self, name: &str) -> std::io::Result<Command> {
        let mut command = self.watcher.announced(&self.home)?;
        command.arg(self.program(name));
        Ok(command)
    }

    fn try_start(&self) -> Result<Child, StartFailure> {
        let log_start = self.log_length();
        let mut server =
            self.spawn().map_err(|error| StartFailure::Other(format!("cannot start postgres: {error}")))?;
        let deadline = Instant::now() + READY_LIMIT;
        while !self.accepts_connections(server.id()) {
            if tree::is_dead(server.id()) {
                self.watcher.nothing_runs();
                drop(server.wait());
                return Err(self.failure(log_start));
            }
            if Instant::now() > deadline {
                self.kill(&mut server);
                let log = self.log_after(log_start);
                return Err(StartFailure::Other(format!("not ready after {READY_LIMIT:?}: {log}")));
            }
            std::thread::sleep(POLL);
        }
        Ok(server)
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = self.announced("postgres")?;
        command.arg("-D").arg(self.home.data()).arg("-k").arg(self.home.dir());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "max_connections=200"]);
        match self.durability {
            Durability::Full => {}
            Durability::Off => {
                command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
            }
        }
        command.spawn()
    }

    /// As `pg_ctl` learns it: the server writes its pid and, in the eighth line, its state into this file. A file that
    /// was left by a killed server has another pid.
    fn accepts_connections(&self, server: u32) -> bool {
        let file = fs::read_to_string(self.home.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        lines.next() == Some(server.to_string().as_str())
            && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    fn failure(&self, log_start: usize) -> StartFailure {
        let log = self.log_after(log_start);
        if log.contains("Address already in use") {
            return StartFailure::PortTaken;
        }
        StartFailure::Other(format!("PostgreSQL did not start: {log}"))
    }

    fn log_length(&self) -> usize {
        fs::metadata(self.home.log()).map_or(0, |log| usize::try_from(log.len()).unwrap_or(usize::MAX))
    }

    /// The last lines that were written after this length, as one line.
    fn log_after(&self, length: usize) -> String {
        let log = fs::read(self.home.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(log.get(length..).unwrap_or_default());
        let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ")
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}
