//! The worker's health over time: tables of what happened and what it then says, and the promise that it is never stuck.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use crate::agent::BackendId;
use crate::units::Timestamp;

use super::{
    ClosedReason, CredentialStatus, Health, HealthEvent, HealthPolicy, Intake, JobOutcome, WorkerStatus,
};

/// A time of day in seconds; not near zero, so that it can go backwards.
fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + seconds * 1_000)
}

fn health() -> Health {
    Health::new(HealthPolicy::default())
}

fn done() -> HealthEvent {
    HealthEvent::JobEnded(JobOutcome::Done)
}

fn trouble() -> HealthEvent {
    HealthEvent::JobEnded(JobOutcome::Trouble { detail: "no process\ncould be started".to_owned() })
}

fn store_failed() -> HealthEvent {
    HealthEvent::StoreFailed { detail: "connection refused".to_owned() }
}

fn expired(backend: BackendId) -> HealthEvent {
    HealthEvent::JobEnded(JobOutcome::LoginExpired { backend, detail: "401".to_owned() })
}

fn disk_low() -> HealthEvent {
    HealthEvent::DiskLow { path: PathBuf::from("/data"), free_bytes: 3 << 20, floor_bytes: 2 << 30 }
}

fn closed(reason: ClosedReason, until: Timestamp) -> Intake {
    Intake::Closed { reason, until: Some(until) }
}

fn open() -> Intake {
    Intake::Open { not_backends: Vec::new() }
}

#[test]
fn another_policy_holds_at_once_and_for_a_wait_that_has_begun() {
    let mut health = health();
    let failed = fail(&mut health, &store_failed(), 3);
    assert_eq!(health.intake(failed), closed(ClosedReason::Backoff, failed.plus(Duration::from_secs(20))));
    let hasty = HealthPolicy { backoff_max: Duration::from_secs(2), ..HealthPolicy::default() };
    health.follow(hasty);
    assert_eq!(health.intake(failed), closed(ClosedReason::Backoff, failed.plus(Duration::from_secs(2))));
    let strict = HealthPolicy { unhealthy_after: 3, probe: Duration::from_secs(7), ..hasty };
    health.follow(strict);
    assert_eq!(health.intake(failed), closed(ClosedReason::Unhealthy, failed.plus(Duration::from_secs(7))));
    health.on(HealthEvent::ProbeOk, failed);
    health.on(expired(BackendId::Claude), failed);
    health.follow(HealthPolicy { login_probe: Duration::from_secs(1), ..strict });
    assert_eq!(health.canary_due(failed), None);
    assert_eq!(health.canary_due(failed.plus(Duration::from_secs(1))), Some(BackendId::Claude));
}

fn hint(_: BackendId) -> &'static str {
    "log in"
}

/// So many failures, each at the moment at which the wait after the one before is over. The last one's time.
fn fail(health: &mut Health, event: &HealthEvent, times: u32) -> Timestamp {
    let mut now = at(0);
    for _ in 0..times {
        now = health.next_change(now).unwrap_or(now);
        health.on(event.clone(), now);
    }
    now
}

#[test]
fn each_failure_in_a_row_doubles_the_wait_up_to_the_longest() {
    let policy = HealthPolicy { unhealthy_after: u32::MAX, ..HealthPolicy::default() };
    let mut health = Health::new(policy);
    let mut now = at(0);
    for (nth, seconds) in [5, 10, 20, 40, 80, 160, 300, 300, 300].into_iter().enumerate() {
        health.on(trouble(), now);
        assert_eq!(health.consecutive_failures(), nth as u32 + 1);
        assert_eq!(health.status(0, now), WorkerStatus::Backoff);
        let until = now.plus(Duration::from_secs(seconds));
        assert_eq!(health.intake(now), closed(ClosedReason::Backoff, until), "failure {nth}");
        assert_eq!((health.backoff_until(now), health.next_change(now)), (Some(until), Some(until)));
        now = until;
        assert_eq!((health.intake(now), health.backoff_until(now)), (open(), None));
        assert_eq!(
            (health.status(0, now), health.status(1, now)),
            (WorkerStatus::Idle, WorkerStatus::Running)
        );
    }
    // After forty failures the doubling would not fit into any number.
    let mut health = Health::new(policy);
    let now = fail(&mut health, &trouble(), 40);
    assert_eq!(health.backoff_until(now), Some(now.plus(Duration::from_secs(300))));
}

#[test]
fn a_regular_end_starts_over_and_a_waiting_job_says_nothing() {
    let mut health = health();
    let now = fail(&mut health, &trouble(), 4);
    health.on(HealthEvent::JobEnded(JobOutcome::Waits), now);
    assert_eq!(health.consecutive_failures(), 4);
    health.on(done(), now);
    assert_eq!((health.consecutive_failures(), health.intake(now)), (0, open()));
    health.on(trouble(), now);
    assert_eq!(health.backoff_until(now), Some(now.plus(Duration::from_secs(5))));
}

#[test]
fn jobs_that_fail_together_are_one_failure() {
    let mut health = health();
    for millis in 0..200 {
        health.on(trouble(), at(0).plus(Duration::from_millis(millis)));
    }
    assert_eq!((health.consecutive_failures(), health.status(0, at(1))), (1, WorkerStatus::Backoff));
}

#[test]
fn five_failures_make_it_unhealthy_until_a_look_succeeds() {
    let mut health = health();
    let now = fail(&mut health, &trouble(), 5);
    // 5 + 10 + 20 + 40 seconds of waiting lie before the fifth.
    assert_eq!(now, at(75));
    let look = at(75 + 30);
    assert_eq!(health.intake(now), closed(ClosedReason::Unhealthy, look));
    assert_eq!((health.status(1, now), health.backoff_until(now)), (WorkerStatus::Unhealthy, None));
    assert!(!health.probe_due(at(104)));
    // What comes in meanwhile does not put the look off.
    health.on(trouble(), at(90));
    assert!(health.probe_due(look));
    health.on(HealthEvent::ProbeFailed { detail: "still".to_owned() }, look);
    assert!(!health.probe_due(look));
    assert_eq!(health.next_change(look), Some(at(135)));
    // A heartbeat that reaches the store says nothing of the processes that could not be started.
    health.on(HealthEvent::StoreWorks, at(120));
    assert_eq!(health.status(0, at(120)), WorkerStatus::Unhealthy);
    let advice = health.advice(hint).unwrap();
    assert!(advice.contains("6 failures in a row, the last one: still."), "{advice}");
    assert!(health.probe_due(at(135)));
    health.on(HealthEvent::ProbeOk, at(135));
    assert_eq!((health.intake(at(135)), health.consecutive_failures()), (open(), 0));
    assert_eq!((health.probe_due(at(999)), health.advice(hint)), (false, None));
}

#[test]
fn a_store_that_is_back_forgives_its_own_failures() {
    let mut health = health();
    let now = fail(&mut health, &store_failed(), 7);
    assert_eq!(health.status(0, now), WorkerStatus::Unhealthy);
    health.on(HealthEvent::StoreWorks, now);
    assert_eq!((health.intake(now), health.consecutive_failures()), (open(), 0));

    health.on(trouble(), now);
    let later = now.plus(Duration::from_secs(5));
    health.on(store_failed(), later);
    assert_eq!(health.consecutive_failures(), 2);
    health.on(HealthEvent::StoreWorks, later);
    assert_eq!(health.consecutive_failures(), 1);
}

#[test]
fn an_expired_login_keeps_back_its_own_jobs_and_lets_one_try_now_and_then() {
    let mut health = health();
    health.on(expired(BackendId::Claude), at(0));
    // Another job of the same turn of luck: the first try stays at 60 s.
    health.on(expired(BackendId::Claude), at(30));
    assert_eq!(health.status(3, at(30)), WorkerStatus::LoginExpired);
    assert_eq!(health.intake(at(30)), Intake::Open { not_backends: vec![BackendId::Claude] });
    assert_eq!((health.canary_due(at(59)), health.next_change(at(59))), (None, Some(at(60))));
    assert_eq!(health.canary_due(at(60)), Some(BackendId::Claude));
    health.on(HealthEvent::CanaryStarted { backend: BackendId::Claude }, at(61));
    assert_eq!((health.canary_due(at(61)), health.next_change(at(61))), (None, Some(at(121))));
    health.on(expired(BackendId::Claude), at(70));
    assert_eq!(health.canary_due(at(121)), Some(BackendId::Claude));

    let credentials = health.credentials(&[BackendId::Claude, BackendId::Command]);
    assert_eq!((credentials[0].status, credentials[0].since), (CredentialStatus::Expired, Some(at(0))));
    assert_eq!((credentials[1].status, credentials[1].since), (CredentialStatus::Unknown, None));
    let advice = health.advice(hint).unwrap();
    assert!(advice.starts_with("The login of claude has expired (401): log in."), "{advice}");

    health.on(HealthEvent::LoginWorks { backend: BackendId::Claude }, at(130));
    assert_eq!((health.intake(at(130)), health.advice(hint)), (open(), None));
    let credentials = health.credentials(&[BackendId::Claude]);
    assert_eq!((credentials[0].status, credentials[0].since), (CredentialStatus::Ok, Some(at(130))));
    // Further answers do not make the login younger.
    health.on(HealthEvent::LoginWorks { backend: BackendId::Claude }, at(140));
    assert_eq!(health.credentials(&[BackendId::Claude])[0].since, Some(at(130)));
}

#[test]
fn an_expired_login_is_no_failure_of_the_infrastructure() {
    let mut health = health();
    for second in 0..10 {
        health.on(expired(BackendId::Claude), at(second * 100));
    }
    assert_eq!((health.consecutive_failures(), health.probe_due(at(2_000))), (0, false));
}

#[test]
fn nobody_tries_a_login_while_the_intake_is_closed() {
    let mut health = health();
    health.on(expired(BackendId::Claude), at(0));
    health.on(disk_low(), at(10));
    assert_eq!(health.canary_due(at(100)), None);
    assert_eq!(health.status(0, at(100)), WorkerStatus::LoginExpired);
    health.on(HealthEvent::DiskOk, at(100));
    assert_eq!(health.canary_due(at(100)), Some(BackendId::Claude));
}

#[test]
fn a_low_disk_closes_the_intake_and_is_looked_at_again() {
    let mut health = health();
    health.on(disk_low(), at(0));
    assert_eq!(health.intake(at(1)), closed(ClosedReason::DiskLow, at(30)));
    assert_eq!((health.status(1, at(1)), health.probe_due(at(29))), (WorkerStatus::Backoff, false));
    assert!(health.probe_due(at(30)));
    health.on(HealthEvent::ProbeOk, at(30));
    health.on(disk_low(), at(30));
    assert_eq!(health.intake(at(30)), closed(ClosedReason::DiskLow, at(60)));
    let advice = health.advice(hint).unwrap();
    assert!(
        advice.starts_with("Only 3 MiB are free at /data, and jobs are claimed from 2048 MiB on"),
        "{advice}"
    );
    health.on(HealthEvent::DiskOk, at(60));
    assert_eq!((health.intake(at(60)), health.probe_due(at(60))), (open(), false));
}

#[test]
fn a_drain_that_is_taken_back_leaves_everything_as_it_was() {
    let mut health = health();
    let failed = fail(&mut health, &store_failed(), 2);
    let before = health.clone();
    health.on(HealthEvent::DrainAsked, failed);
    assert_eq!(health.status(1, failed), WorkerStatus::Draining);
    health.on(HealthEvent::DrainUndone, failed);
    assert_eq!(health, before);
}

#[test]
fn draining_is_final_and_hides_everything_else() {
    let mut health = health();
    fail(&mut health, &trouble(), 6);
    health.on(HealthEvent::DrainAsked, at(500));
    health.on(HealthEvent::ProbeOk, at(501));
    health.on(done(), at(502));
    assert_eq!(health.intake(at(600)), Intake::Closed { reason: ClosedReason::Draining, until: None });
    assert_eq!(health.status(1, at(600)), WorkerStatus::Draining);
    assert_eq!((health.probe_due(at(600)), health.next_change(at(600))), (false, None));
}

#[test]
fn a_clock_that_is_set_back_ends_a_wait() {
    let mut health = health();
    health.on(trouble(), at(0));
    health.on(expired(BackendId::Claude), at(0));
    let back = at(-3_600);
    assert!(matches!(health.intake(back), Intake::Open { .. }));
    assert_eq!(health.canary_due(back), Some(BackendId::Claude));
    assert_eq!(health.next_change(back), None);
    let now = fail(&mut health, &trouble(), 6);
    assert!(!health.probe_due(now) && health.probe_due(back));
}

#[test]
fn a_cause_is_one_bounded_line() {
    let mut health = health();
    let now = fail(&mut health, &trouble(), 5);
    assert!(health.advice(hint).unwrap().contains("the last one: no process could be started."));
    health.on(HealthEvent::ProbeFailed { detail: "x".repeat(100_000) }, now);
    assert!(health.advice(hint).unwrap().len() < 1_000);
}

fn event() -> impl Strategy<Value = HealthEvent> {
    let backend = || prop::sample::select(BackendId::ALL.to_vec());
    prop_oneof![
        Just(done()),
        Just(HealthEvent::JobEnded(JobOutcome::Waits)),
        Just(trouble()),
        Just(store_failed()),
        Just(HealthEvent::StoreWorks),
        Just(HealthEvent::ProbeOk),
        Just(HealthEvent::ProbeFailed { detail: "full".to_owned() }),
        Just(disk_low()),
        Just(HealthEvent::DiskOk),
        backend().prop_map(expired),
        backend().prop_map(|backend| HealthEvent::LoginWorks { backend }),
        backend().prop_map(|backend| HealthEvent::CanaryStarted { backend }),
    ]
}

/// Events with the seconds that pass before each; the clock also goes backwards.
fn history() -> impl Strategy<Value = Vec<(i64, HealthEvent)>> {
    prop::collection::vec((prop_oneof![0_i64..120, -4_000_i64..4_000], event()), 0..60)
}

fn live(history: Vec<(i64, HealthEvent)>) -> (Health, Timestamp) {
    let (mut health, mut seconds) = (health(), 0);
    for (pause, event) in history {
        seconds += pause;
        health.on(event, at(seconds));
    }
    (health, at(seconds))
}

proptest! {
    #[test]
    fn no_wait_is_longer_than_the_longest(history in history()) {
        let (health, now) = live(history);
        let longest = HealthPolicy::default().backoff_max;
        if let Intake::Closed { reason: ClosedReason::Backoff, until: Some(until) } = health.intake(now) {
            prop_assert!(until > now && until.since(now) <= longest);
        }
        if let Some(next) = health.next_change(now) {
            prop_assert!(next > now && next.since(now) <= longest);
        }
    }

    /// From wherever it is, a worker whose surroundings are mended takes jobs again: by what it looks for itself.
    #[test]
    fn it_is_never_stuck(history in history()) {
        let (mut health, mut now) = live(history);
        for _ in 0..20 {
            if health.intake(now) == open() {
                break;
            }
            if health.probe_due(now) {
                health.on(HealthEvent::ProbeOk, now);
                health.on(HealthEvent::DiskOk, now);
            } else if let Some(backend) = health.canary_due(now) {
                health.on(HealthEvent::CanaryStarted { backend }, now);
                health.on(HealthEvent::LoginWorks { backend }, now);
            } else {
                let next = health.next_change(now);
                prop_assert!(next.is_some(), "closed, and nothing to wait for: {:?}", health);
                now = next.unwrap_or(now);
            }
        }
        prop_assert_eq!(health.intake(now), open());
        prop_assert_eq!(health.status(0, now), WorkerStatus::Idle);
        prop_assert_eq!(health.advice(hint), None);
    }

    #[test]
    fn nothing_but_draining_is_final(history in history()) {
        let (mut health, now) = live(history);
        for event in [HealthEvent::ProbeOk, HealthEvent::DiskOk] {
            health.on(event, now);
        }
        let open = matches!(health.intake(now), Intake::Open { .. });
        prop_assert!(open);
        health.on(HealthEvent::DrainAsked, now);
        let drained = Intake::Closed { reason: ClosedReason::Draining, until: None };
        prop_assert_eq!(health.intake(now), drained);
    }

    #[test]
    fn the_status_agrees_with_the_intake(history in history(), busy in 0_usize..3) {
        let (health, now) = live(history);
        let agrees = match (health.status(busy, now), health.intake(now)) {
            (WorkerStatus::Running, Intake::Open { not_backends }) => busy > 0 && not_backends.is_empty(),
            (WorkerStatus::Idle, Intake::Open { not_backends }) => busy == 0 && not_backends.is_empty(),
            (WorkerStatus::LoginExpired, Intake::Open { not_backends }) => !not_backends.is_empty(),
            (WorkerStatus::LoginExpired | WorkerStatus::Backoff, Intake::Closed { reason, .. }) => {
                matches!(reason, ClosedReason::Backoff | ClosedReason::DiskLow)
            }
            (WorkerStatus::Unhealthy, Intake::Closed { reason, .. }) => reason == ClosedReason::Unhealthy,
            (_, _) => false,
        };
        prop_assert!(agrees, "{:?}", health);
    }
}
