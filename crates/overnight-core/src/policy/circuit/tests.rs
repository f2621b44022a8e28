use proptest::prelude::*;

use super::*;

fn policy() -> CircuitPolicy {
    CircuitPolicy::default()
}

fn job(n: u32) -> JobId {
    JobId::parse(&format!("job-{n}")).unwrap()
}

fn worker() -> WorkerId {
    WorkerId::parse("w-1").unwrap()
}

fn refused(began: i64, until: Option<i64>) -> Sign {
    Sign::Refused {
        began: Timestamp(began),
        cause: Cause::RateLimited,
        until: until.map(Timestamp),
        detail: "429".to_owned(),
    }
}

fn after(circuit: &Circuit, sign: &Sign, now: i64) -> Circuit {
    circuit.after(sign, Timestamp(now), 0.0, &policy())
}

fn admitted(circuit: &Circuit, now: i64) -> Admission {
    circuit.admission(Timestamp(now), 0.5, &policy())
}

fn until(circuit: &Circuit) -> i64 {
    circuit.open().expect("an open circuit").until.0
}

#[test]
fn a_reported_reset_is_waited_for_and_then_one_job_tries() {
    let open = after(&Circuit::default(), &refused(0, Some(100_000)), 1_000);
    assert!(matches!(admitted(&open, 99_999), Admission::Wait { cause: Cause::RateLimited, .. }));
    assert_eq!(admitted(&open, 100_000), Admission::Canary);
    let now = Timestamp(100_000);
    let trying = open.try_now(&job(1), &worker(), false, now, &policy()).expect("the canary");
    assert_eq!(trying.try_now(&job(2), &worker(), false, now, &policy()), None, "one canary at a time");
    assert!(trying.try_now(&job(1), &worker(), false, now, &policy()).is_some(), "its own next turn");
    assert!(matches!(admitted(&trying, 100_001), Admission::Wait { .. }));
    let closed = after(&trying, &Sign::Answered { began: Timestamp(100_000) }, 101_000);
    assert_eq!(closed.state, CircuitState::Closed { since: Some(Timestamp(101_000)) });
    assert!(matches!(admitted(&closed, 101_001), Admission::Wait { .. }), "the release is spread");
    assert_eq!(admitted(&closed, 106_000), Admission::Open);
    assert_eq!(closed.admission(Timestamp(101_000), 0.0, &policy()), Admission::Open);
}

#[test]
fn without_a_reset_the_waits_grow_and_only_canaries_make_them_grow() {
    let mut circuit = after(&Circuit::default(), &refused(0, None), 0);
    assert_eq!(until(&circuit), 30_000);
    let same = after(&circuit, &refused(0, None), 5);
    assert_eq!(same, circuit, "a turn that ran beside the first hears the same");
    let mut waits = Vec::new();
    for n in 1..8 {
        let now = until(&circuit);
        circuit = circuit.try_now(&job(n), &worker(), false, Timestamp(now), &policy()).unwrap();
        circuit = after(&circuit, &refused(now, None), now);
        waits.push((until(&circuit) - now) / 1000);
    }
    assert_eq!(waits, [60, 120, 240, 480, 900, 900, 900]);
}

#[test]
fn a_reset_that_is_told_later_counts_and_one_in_the_past_does_not() {
    let open = after(&Circuit::default(), &refused(0, Some(-5)), 0);
    assert!(!open.open().unwrap().reported);
    let open = after(&open, &refused(0, Some(3_600_000)), 10);
    assert_eq!((until(&open), open.open().unwrap().reported), (3_600_000, true));
    let open = after(&open, &refused(0, Some(1_800_000)), 10);
    assert_eq!(until(&open), 3_600_000, "the later of two");
}

#[test]
fn a_reset_that_is_days_away_is_looked_at_by_a_canary_all_the_same() {
    let open = after(&Circuit::default(), &refused(0, Some(i64::MAX)), 0);
    assert_eq!(until(&open), 6 * 3_600_000);
}

#[test]
fn an_answer_from_before_the_refusal_proves_nothing() {
    let open = after(&Circuit::default(), &refused(0, Some(100_000)), 1_000);
    let still = after(&open, &Sign::Answered { began: Timestamp(900) }, 2_000);
    assert_eq!(still, open);
    assert!(after(&open, &Sign::Answered { began: Timestamp(1_001) }, 2_000).open().is_none());
}

#[test]
fn a_canary_that_is_lost_makes_room_for_another() {
    let open = after(&Circuit::default(), &refused(0, Some(10)), 0);
    let trying = open.try_now(&job(1), &worker(), false, Timestamp(10), &policy()).unwrap();
    assert_eq!(after(&trying, &Sign::CanaryGone { job: job(1) }, 20), open);
    assert_eq!(after(&trying, &Sign::CanaryGone { job: job(2) }, 20), trying);
    let late = 10 + 10 * 60_000;
    assert!(trying.try_now(&job(2), &worker(), false, Timestamp(late - 1), &policy()).is_none());
    assert!(trying.try_now(&job(2), &worker(), false, Timestamp(late), &policy()).is_some());
}

#[test]
fn a_person_may_try_before_the_time_but_not_beside_a_canary() {
    let open = after(&Circuit::default(), &refused(0, Some(100_000)), 0);
    assert!(open.try_now(&job(1), &worker(), false, Timestamp(5), &policy()).is_none());
    let trying = open.try_now(&job(1), &worker(), true, Timestamp(5), &policy()).unwrap();
    assert!(trying.try_now(&job(2), &worker(), true, Timestamp(6), &policy()).is_none());
}

#[test]
fn what_is_kept_for_people_is_kept() {
    let quota = |left| Quota { left, reset: Some(Timestamp(60_000)), at: Timestamp(0) };
    let told =
        |circuit: &Circuit, left| after(circuit, &Sign::Quota { quota: quota(left), floor: Some(20) }, 0);
    let enough = told(&Circuit::default(), 20);
    assert_eq!(admitted(&enough, 0), Admission::Open);
    let low = told(&enough, 19);
    assert!(matches!(
        admitted(&low, 0),
        Admission::Wait { cause: Cause::LowQuota, until: Timestamp(60_000), .. }
    ));
    assert_eq!(admitted(&low, 60_000), Admission::Canary);
    assert!(told(&low, 95).open().is_none(), "the window began anew");
    let open = after(&Circuit::default(), &refused(0, Some(100_000)), 0);
    assert!(told(&open, 95).open().is_some(), "a refusal weighs more than a figure");
    let unkept = after(&Circuit::default(), &Sign::Quota { quota: quota(1), floor: None }, 0);
    assert!(unkept.open().is_none());
}

#[test]
fn a_clock_that_was_set_back_does_not_stretch_a_wait() {
    let open = after(&Circuit::default(), &refused(1_000_000, Some(2_000_000)), 1_000_000);
    assert_eq!(admitted(&open, 999_999), Admission::Canary);
}

fn signs() -> impl Strategy<Value = Sign> {
    let time = 0_i64..1_000_000;
    prop_oneof![
        (time.clone(), proptest::option::of(0_i64..2_000_000))
            .prop_map(|(began, until)| refused(began, until)),
        time.clone().prop_map(|began| Sign::Answered { began: Timestamp(began) }),
        (0_u8..=100, time).prop_map(|(left, at)| Sign::Quota {
            quota: Quota { left, reset: None, at: Timestamp(at) },
            floor: Some(10)
        }),
        (1_u32..4).prop_map(|n| Sign::CanaryGone { job: job(n) }),
    ]
}

proptest! {
    /// However signs come, a wait ends, and of two jobs at most one is let through while the circuit is not closed.
    #[test]
    fn no_circuit_waits_for_ever_or_lets_two_try(
        signs in proptest::collection::vec((signs(), 0_i64..1_000_000), 0..30),
        spread in 0.0..1.0,
    ) {
        let mut circuit = Circuit::default();
        let mut now = 0;
        for (sign, passed) in signs {
            now += passed;
            circuit = circuit.after(&sign, Timestamp(now), spread, &policy());
            let text = serde_json::to_string(&circuit).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Circuit>(&text).unwrap(), &circuit);
            if let Admission::Wait { until, .. } = circuit.admission(Timestamp(now), spread, &policy()) {
                let longest = policy().longest_wait.max(policy().canary);
                prop_assert!(until <= Timestamp(now).plus(longest) && until.0 > now);
            }
            if let Some(tried) = circuit.try_now(&job(1), &worker(), true, Timestamp(now), &policy()) {
                prop_assert!(tried.try_now(&job(2), &worker(), true, Timestamp(now), &policy()).is_none());
                circuit = tried;
            }
        }
    }
}
