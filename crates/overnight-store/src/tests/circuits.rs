//! Circuits: what one worker was told, all know; and of many that want to try, one may.

use overnight_core::agent::AccountId;
use overnight_core::policy::circuit::{Cause, Circuit, CircuitPolicy, CircuitState, Sign};

use super::*;

on_both!(
    what_one_worker_is_told_all_know,
    of_many_that_want_to_try_one_may,
    no_word_is_lost_when_many_speak_at_once,
    accounts_of_a_vendor_are_kept_apart,
);

const POLICY: CircuitPolicy = CircuitPolicy {
    backoff_start: Duration::from_secs(30),
    backoff_max: Duration::from_secs(900),
    longest_wait: Duration::from_secs(3600),
    canary: Duration::from_secs(600),
    release: Duration::from_secs(10),
};

fn account(name: &str) -> AccountId {
    AccountId { backend: BackendId::Claude, name: label(name) }
}

async fn refuse(store: &Store, account: &AccountId, until: i64) {
    let change = |circuit: &Circuit, now: Timestamp| {
        let detail = "429".to_owned();
        let until = Some(Timestamp(now.0 + until));
        let sign = Sign::Refused { began: now, cause: Cause::RateLimited, until, detail };
        Some(circuit.after(&sign, now, 0.0, &POLICY))
    };
    store.circuit_change(account, change).await.unwrap();
}

async fn what_one_worker_is_told_all_know(f: &Fixture) {
    let other = f.other().await;
    let mut woken = f.store.subscribe();
    refuse(&f.store, &account("work"), 60_000).await;
    assert!(woken.has_changed().unwrap(), "whoever waits looks again");
    woken.mark_unchanged();
    let known = other.circuits().await.unwrap();
    let [(id, circuit)] = known.as_slice() else { panic!("one circuit: {known:?}") };
    assert_eq!((id, circuit.refusals), (&account("work"), 1));
    let same = other.circuit_change(&account("work"), |circuit, _| Some(circuit.clone())).await.unwrap();
    assert!(!same.1, "what says the same is not written");
    let (found, changed) = other.circuit_change(&account("none"), |_, _| None).await.unwrap();
    assert_eq!((found, changed), (Circuit::default(), false));
}

async fn of_many_that_want_to_try_one_may(f: &Fixture) {
    refuse(&f.store, &account("work"), -1).await;
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = f.other().await;
        tries.spawn(async move {
            let (job, worker) = (JobId::parse(&format!("job-{n}")).unwrap(), WorkerId::parse("w-1").unwrap());
            let later = |now: Timestamp| Timestamp(now.0 + 30_000 * 2);
            let change = |circuit: &Circuit, now: Timestamp| {
                circuit.try_now(&job, &worker, false, later(now), &POLICY)
            };
            store.circuit_change(&account("work"), change).await.unwrap().1
        });
    }
    let granted = tries.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 1);
    let (circuit, _) = f.store.circuit_change(&account("work"), |_, _| None).await.unwrap();
    assert!(matches!(circuit.state, CircuitState::Trying { .. }));
}

async fn no_word_is_lost_when_many_speak_at_once(f: &Fixture) {
    let mut speakers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = f.other().await;
        speakers.spawn(async move {
            let one_more = |circuit: &Circuit, _: Timestamp| {
                Some(Circuit { refusals: circuit.refusals + 1, ..circuit.clone() })
            };
            for _ in 0..5 {
                assert!(store.circuit_change(&account("work"), one_more).await.unwrap().1);
            }
        });
    }
    speakers.join_all().await;
    assert_eq!(f.store.circuits().await.unwrap()[0].1.refusals, 30);
}

async fn accounts_of_a_vendor_are_kept_apart(f: &Fixture) {
    refuse(&f.store, &account("work"), 60_000).await;
    refuse(&f.store, &account("home"), 90_000).await;
    let known = f.store.circuits().await.unwrap();
    let until = |name: &str| {
        let found = known.iter().find(|(id, _)| *id == account(name)).unwrap();
        found.1.open().unwrap().until
    };
    assert!(until("work") < until("home"));
}
