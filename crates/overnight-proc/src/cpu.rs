//! How much processor time a tree has used, as `/proc` tells. Owns nothing.

use std::fs;
use std::time::Duration;

/// Length of one tick in `/proc/PID/stat`: `USER_HZ` is 100 on every architecture that Linux names in
/// `include/uapi/asm-generic/param.h`, whatever the kernel's own clock does.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Most processes of a tree that are looked at. One that has more of them is not waiting for anybody.
const MOST: usize = 10_000;

/// Processor time of this process and everything below it, the ended ones included that somebody waited for. `None` when
/// `/proc` does not tell of the process. What begins or ends while this looks may be missed: the sum is a measure, not an
/// account.
pub(crate) fn tree_time(root: u32) -> Option<Duration> {
    let mut ticks = used(root)?;
    let mut waiting = children(root)?;
    let mut seen = 1;
    while let Some(pid) = waiting.pop() {
        // Gone since it was listed: what it used is in its parent's figure, which was read before.
        let Some(used) = used(pid) else { continue };
        ticks = ticks.saturating_add(used);
        seen += 1;
        if seen >= MOST {
            break;
        }
        waiting.extend(children(pid).unwrap_or_default());
    }
    Some(TICK * u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// Whether it can be measured here: what refuses, for people.
pub(crate) fn probe() -> Result<(), String> {
    let own = std::process::id();
    used(own).ok_or("/proc/PID/stat cannot be read")?;
    children(own).ok_or("/proc/PID/task/TID/children cannot be read")?;
    Ok(())
}

/// Ticks of a process and of those of its children that it has waited for.
fn used(pid: u32) -> Option<u64> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name (field 2) may hold anything; it ends with the last closing bracket. Fields 14 to 17 are the times in user and
/// system mode, and the same of the children.
fn parse(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let fields = rest.split_ascii_whitespace().skip(11).take(4);
    let times: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    (times.len() == 4).then(|| times.iter().sum())
}

/// A child belongs to the thread that made it.
fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    let mut listed = false;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let Ok(text) = fs::read_to_string(thread.path().join("children")) else { continue };
        listed = true;
        found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    listed.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_its_times() {
        let stat = b"7 (a) Z 1 2) S 1 7 5 0 -1 4194304 1 2 3 4 50 6 700 8 20 0 1 0 4242 1 1";
        assert_eq!(parse(stat), Some(764));
        assert_eq!(parse(b"7 (x) S 1 7 5 0 -1 4194304 1 2 3 4 50 6 700"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts a process below itself")]
    fn what_a_child_used_counts_while_it_runs_and_when_it_has_ended() {
        let before = tree_time(std::process::id()).unwrap();
        let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let mut child = std::process::Command::new("sh")
            .args(["-c", &format!("{burn}; read x")])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while tree_time(child.id()).unwrap() < 5 * TICK {
            assert!(std::time::Instant::now() < deadline, "the child's time does not grow");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(tree_time(std::process::id()).unwrap() >= before + 5 * TICK);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(tree_time(std::process::id()).unwrap() >= before + 5 * TICK);
        assert_eq!(tree_time(child.id()), None);
    }

    #[test]
    fn it_can_be_measured_here() {
        assert_eq!(probe(), Ok(()));
    }
}
