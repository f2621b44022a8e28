//! Signals to a server and all its children, with the certainty that none was missed.
//!
//! Owns no state: who the children are is read from `/proc` each time. A server forks a child per connection, and each is
//! its own process group, so a signal to a group reaches none of them: the server is stopped first, and then it has
//! exactly the children that can be seen.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::home::clean_command;

/// Far longer than the kernel needs, on a machine that does many other things.
const LIMIT: Duration = Duration::from_secs(30);

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: u32,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state parent …`, where the name may hold anything.
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        Some(Self { state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
    }

    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// Whether the process has ended, also when its parent has not asked for its status yet.
pub(super) fn is_dead(pid: u32) -> bool {
    Stat::of(pid).is_none_or(|stat| stat.is_dead())
}

/// Stops the server, then its children, and returns when none of them runs. The children are returned.
pub(super) fn stop(server: u32) -> Vec<u32> {
    stop_all(&[server]);
    let children = children(server);
    stop_all(&children);
    children
}

/// Lets the server and its children go on.
pub(super) fn go_on(server: u32) {
    signal("CONT", &[children(server), vec![server]].concat());
}

/// Kills the server and its children, and returns when all of them are dead. The server is left to be waited for.
pub(super) fn kill(server: u32) {
    let mut all = stop(server);
    all.push(server);
    signal("KILL", &all);
    wait("killed processes to be dead", || all.iter().all(|&pid| is_dead(pid)));
}

fn stop_all(pids: &[u32]) {
    signal("STOP", pids);
    let stopped = |pid: u32| Stat::of(pid).is_none_or(|stat| stat.state == 'T' || stat.is_dead());
    wait("processes to be stopped", || pids.iter().all(|&pid| stopped(pid)));
}

/// The children that live.
pub(super) fn children(server: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| Stat::of(pid).is_some_and(|stat| stat.parent == server && !stat.is_dead()))
        .collect()
}

/// The shell's own `kill` is on every machine. It complains about a process that ended by itself, which is no failure:
/// the callers look at what became of the processes.
fn signal(name: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let status = clean_command("sh")
        .args(["-c", r#"kill -s "$@""#, "kill", name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok(), "sh cannot be started: {status:?}");
}

/// Returns when the fact holds.
///
/// # Panics
/// When it still does not after half a minute.
pub(super) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_hide_its_parent() {
        let stat = Stat::parse("42 (a) S 7 (b) T 13 42 42 0").unwrap();
        assert_eq!(stat, Stat { state: 'T', parent: 13 });
        assert_eq!(Stat::parse("42"), None);
    }

    #[test]
    fn this_process_lives() {
        assert!(!is_dead(std::process::id()));
        assert!(is_dead(u32::MAX));
    }
}
