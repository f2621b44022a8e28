//! When a pull request is looked at again: often while something is about to happen, and less and less often where nothing does.

use std::time::Duration;

use super::{ChecksWord, Memory, WatchPolicy};

/// From publishing to the first look: about what the quickest checks need.
pub const FIRST_LOOK: Duration = Duration::from_secs(30);
/// Longest pause while checks or a job of ours run: somebody waits for what comes of them.
const BUSY: Duration = Duration::from_secs(10 * 60);
/// Doubled more often than this it is above every setting.
const DOUBLINGS: u32 = 20;

/// The pause after a look that could not be had.
#[must_use]
pub fn after_trouble(policy: &WatchPolicy, memory: &Memory) -> Duration {
    let grown = policy.first.saturating_mul(1 << memory.quiet.min(DOUBLINGS));
    grown.min(policy.longest).max(Duration::from_secs(1))
}

/// The pause after a look that leaves this memory.
pub(super) fn pause(policy: &WatchPolicy, memory: &Memory) -> Duration {
    let grown = policy.first.saturating_mul(1 << memory.quiet.min(DOUBLINGS));
    let busy = memory.checks == Some(ChecksWord::Pending)
        || memory.running.is_some()
        || memory.line_goes_on
        || memory.failing_since.is_some()
        || memory.excused.is_some();
    let most = if busy { policy.longest.min(BUSY) } else { policy.longest };
    grown.min(most).max(Duration::from_secs(1))
}
