//! Words for where a job stands in the queue.

use std::time::Duration;

use jiff::tz::TimeZone;
use overnight_core::id::{TaskKey, WorkerId};
use overnight_core::job::{AfterRule, Job, JobState};
use overnight_core::text::one_line;
use overnight_core::units::Timestamp;
use overnight_store::{Dependency, Phase, QueueStanding};

/// A day of the week says enough for this long.
const WEEK: Duration = Duration::from_secs(6 * 24 * 60 * 60);
/// How many jobs that are waited for are named in a list.
const NAMED: usize = 3;

/// What has to happen before somebody goes on with it, in a few words.
#[must_use]
pub fn position(job: &Job, standing: &QueueStanding, now: Timestamp) -> String {
    match standing.phase {
        Phase::Ready if job.cancel.is_some() => "to be cancelled".to_owned(),
        Phase::Ready => "ready".to_owned(),
        Phase::Due => match standing.wake {
            Some(at) if needs_you(&job.state) => format!("needs you; next try {}", when(at, now)),
            Some(at) => format!("not before {}", when(at, now)),
            None => "ready".to_owned(),
        },
        Phase::Blocked => format!("after {}", named(&standing.waits_for)),
        Phase::Asleep if needs_you(&job.state) => super::words::approval(job)
            .map_or_else(|| "needs you".to_owned(), |next| format!("needs you: {next}")),
        Phase::Asleep => "clears by itself".to_owned(),
        Phase::Held => match &job.holder {
            Some(holder) if holder.lease_until <= now => format!("lost by {}", worker(&holder.worker)),
            Some(holder) => format!("held by {}", worker(&holder.worker)),
            None => "held".to_owned(),
        },
        Phase::Ended => "-".to_owned(),
    }
}

/// Whether a job waits for something that a person has to do.
#[must_use]
pub fn needs_you(state: &JobState) -> bool {
    match state {
        JobState::Parked { reason, .. } => !reason.clears_by_itself(),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => false,
    }
}

/// `app-1, app-2 and 3 more`.
#[must_use]
pub fn named(keys: &[TaskKey]) -> String {
    let first: Vec<&str> = keys.iter().take(NAMED).map(TaskKey::as_str).collect();
    match keys.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A worker by its machine and process, which is what people can look for.
#[must_use]
pub fn worker(id: &WorkerId) -> String {
    let parts: Vec<&str> = id.as_str().split(':').collect();
    match parts.as_slice() {
        [host, _, pid, _, _] => format!("{host} pid {pid}"),
        _ => id.as_str().to_owned(),
    }
}

/// A job that is, or was, waited for, and how it is.
#[must_use]
pub fn dependency(parent: &Dependency) -> String {
    let rule = match parent.rule {
        AfterRule::Done => "",
        AfterRule::Ended => ", in whatever way it ends",
    };
    let state = parent.end.as_deref().unwrap_or(&parent.state);
    format!("{}{rule} ({})", parent.key, one_line(state, 40))
}

/// A moment on the person's own clock, with its date when it is not within the week.
#[must_use]
pub fn when(at: Timestamp, now: Timestamp) -> String {
    let format = if at.since(now) < WEEK && now.since(at) < WEEK { "%a %H:%M" } else { "%Y-%m-%d %H:%M" };
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        Err(_) => "an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::job::{CancelledBy, Holder, ParkReason};

    use super::*;
    use crate::work::tests::job;

    fn standing(phase: Phase) -> QueueStanding {
        QueueStanding { phase, wake: None, place: None, waits_for: Vec::new() }
    }

    fn parked(reason: ParkReason) -> Job {
        let then = Box::new(JobState::Queued);
        job(JobState::Parked { reason, detail: String::new(), wake: None, then })
    }

    #[test]
    fn each_phase_says_what_has_to_happen() {
        let now = Timestamp(1_000);
        let key = |number: u32| TaskKey::parse(&format!("app-{number}")).unwrap();
        let mut held = job(JobState::Queued);
        let id = WorkerId::parse("host:b00t:123:456:r4nd").unwrap();
        held.holder = Some(Holder { worker: id, lease_until: Timestamp(2_000) });
        let mut cancelled = job(JobState::Queued);
        cancelled.cancel = Some(CancelledBy::Command);
        let blocked = QueueStanding { waits_for: (1..=5).map(key).collect(), ..standing(Phase::Blocked) };
        let all = [
            position(&job(JobState::Queued), &standing(Phase::Ready), now),
            position(&cancelled, &standing(Phase::Ready), now),
            position(&parked(ParkReason::Dependency), &blocked, now),
            position(&parked(ParkReason::AgentLogin), &standing(Phase::Asleep), now),
            position(&parked(ParkReason::Ci), &standing(Phase::Asleep), now),
            position(&held, &standing(Phase::Held), now),
            position(&held, &standing(Phase::Held), Timestamp(2_000)),
        ];
        let wanted = [
            "ready",
            "to be cancelled",
            "after app-1, app-2, app-3 and 2 more",
            "needs you",
            "clears by itself",
            "held by host pid 123",
            "lost by host pid 123",
        ];
        assert_eq!(all, wanted);
        let due = QueueStanding { wake: Some(Timestamp(60_000)), ..standing(Phase::Due) };
        assert!(position(&job(JobState::Queued), &due, now).starts_with("not before "));
        assert!(position(&parked(ParkReason::DiskFull), &due, now).starts_with("needs you; next try "));
    }

    #[test]
    fn a_moment_far_away_has_a_date() {
        let day = 24 * 60 * 60 * 1000;
        assert!(!when(Timestamp(day), Timestamp(0)).contains('-'));
        assert!(when(Timestamp(30 * day), Timestamp(0)).contains("1970-01-"));
    }
}
