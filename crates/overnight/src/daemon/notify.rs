//! Tells a service manager how things stand: the protocol of `sd_notify`, a few lines in one datagram.
//!
//! Without a manager that asked for it nothing is sent, and a manager that does not listen is no reason to stop.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Environment;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    socket: Option<UnixDatagram>,
    last_status: std::sync::Mutex<String>,
}

impl Notifier {
    /// Follows `NOTIFY_SOCKET`: a path, or with `@` a name in the abstract namespace.
    #[must_use]
    pub(super) fn from_environment(env: &Environment) -> Self {
        let socket = env.get("NOTIFY_SOCKET").and_then(|place| {
            let connected = connect(place);
            if let Err(error) = &connected {
                tracing::warn!(%error, "the service manager's socket cannot be reached");
            }
            connected.ok()
        });
        Self { socket, ..Self::default() }
    }

    /// Jobs are taken from now on.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is read again; [`Self::ready`] says that it is done. `now`: the monotonic clock.
    pub(super) fn reloading(&self, now: Duration) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
    }

    /// Jobs are not taken yet, and the manager shall not lose patience for this long.
    pub(super) fn not_ready_for(&self, span: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", span.as_micros()));
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// One line for `systemctl status`; sent when it is another than before.
    pub(super) fn status(&self, line: &str) {
        let mut last = self.last_status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.socket.is_some() && *last != line {
            line.clone_into(&mut last);
            self.send(&format!("STATUS={}", line.replace('\n', " ")));
        }
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text.as_bytes())
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

fn connect(place: &OsStr) -> std::io::Result<UnixDatagram> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that is busy must not hold up the worker.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How often the service manager wants a sign of life, when it wants one from this process.
#[must_use]
pub(super) fn watchdog(env: &Environment, pid: u32) -> Option<Duration> {
    let number = |name| env.get(name).and_then(OsStr::to_str).and_then(|text| text.parse::<u64>().ok());
    if env.get("WATCHDOG_PID").is_some() && number("WATCHDOG_PID") != Some(u64::from(pid)) {
        return None;
    }
    number("WATCHDOG_USEC").filter(|micros| *micros > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn expect_told(place: &OsStr, manager: &UnixDatagram) {
        let notifier =
            Notifier::from_environment(&Environment::of([("NOTIFY_SOCKET", place)], Path::new("/")));
        notifier.not_ready_for(Duration::from_secs(65));
        notifier.ready();
        notifier.status("1 of 2");
        notifier.status("1 of 2");
        notifier.reloading(Duration::from_micros(1_500_001));
        notifier.alive();
        notifier.stopping();
        let told: Vec<String> = (0..6).map(|_| heard(manager)).collect();
        let wanted = [
            "EXTEND_TIMEOUT_USEC=65000000",
            "READY=1",
            "STATUS=1 of 2",
            "RELOADING=1\nMONOTONIC_USEC=1500001",
            "WATCHDOG=1",
            "STOPPING=1",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_manager_is_told_at_a_path_and_in_the_abstract_namespace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        expect_told(path.as_os_str(), &UnixDatagram::bind(&path).unwrap());
        let name = format!("overnight-test-{}", uuid::Uuid::now_v7());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        expect_told(OsStr::new(&format!("@{name}")), &UnixDatagram::bind_addr(&address).unwrap());
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        for place in ["/nowhere/at/all", "relative", "@"] {
            let env = Environment::of([("NOTIFY_SOCKET", place)], Path::new("/"));
            Notifier::from_environment(&env).ready();
        }
        let gone = tempfile::tempdir().unwrap();
        let path = gone.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let env = Environment::of([("NOTIFY_SOCKET", path.as_os_str())], Path::new("/"));
        let notifier = Notifier::from_environment(&env);
        drop(manager);
        notifier.ready();
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let env = |pid: &str| {
            Environment::of([("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", pid)], Path::new("/"))
        };
        assert_eq!(watchdog(&env("7"), 7), Some(Duration::from_secs(30)));
        assert_eq!(watchdog(&env("8"), 7), None);
        let none = Environment::of([("WATCHDOG_USEC", "0")], Path::new("/"));
        assert_eq!(watchdog(&none, 7), None);
    }
}
