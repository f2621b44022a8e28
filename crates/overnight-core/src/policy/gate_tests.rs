use super::*;
use crate::job::tests_support::{ground, report, spec};
use crate::verdict::{CouldNotRun, Verdict};

const FAIL: Verdict = Verdict::Fail { status: 1 };
const PASS: Verdict = Verdict::Pass;
const HUNG: Verdict = Verdict::CouldNotRun { why: CouldNotRun::TimedOut };

fn pair(name: &str, tip: Verdict, base: Option<Verdict>) -> CheckedPair {
    CheckedPair { tip: report(name, tip, ""), base: base.map(|verdict| report(name, verdict, "")) }
}

fn gate(pairs: &[CheckedPair]) -> &'static str {
    match decide(pairs, &Trail::default(), &ground(), &spec()) {
        Gate::Publish => "publish",
        Gate::Retry { .. } => "retry",
        Gate::Fail { .. } => "fail",
    }
}

#[test]
fn verdicts_to_decisions() {
    let table: [(&str, Vec<CheckedPair>); 11] = [
        ("publish", vec![pair("test", PASS, None)]),
        ("retry", vec![pair("test", FAIL, Some(PASS))]),
        // The base could not be measured: that proves nothing and excuses nothing.
        ("retry", vec![pair("test", FAIL, Some(HUNG))]),
        ("retry", vec![pair("test", FAIL, None)]),
        // It failed before as well: another check vouches for the change, or nothing does.
        ("publish", vec![pair("test", FAIL, Some(FAIL)), pair("lint", PASS, None)]),
        ("retry", vec![pair("test", FAIL, Some(FAIL))]),
        ("retry", vec![pair("test", FAIL, Some(FAIL)), pair("lint", FAIL, Some(PASS))]),
        // A change that makes a check hang has broken it.
        ("retry", vec![pair("test", HUNG, Some(PASS))]),
        ("fail", vec![pair("test", HUNG, Some(HUNG))]),
        ("fail", vec![pair("test", PASS, None), pair("lint", HUNG, None)]),
        ("fail", vec![]),
    ];
    for (wanted, pairs) in table {
        assert_eq!(gate(&pairs), wanted, "{pairs:?}");
    }
}

#[test]
fn failures_of_the_base_can_be_accepted_beforehand_but_a_broken_check_cannot() {
    let order = JobSpec { accept_base_failures: true, ..spec() };
    let decided = |pairs: &[CheckedPair]| decide(pairs, &Trail::default(), &ground(), &order);
    assert_eq!(decided(&[pair("test", FAIL, Some(FAIL))]), Gate::Publish);
    assert!(matches!(decided(&[pair("test", FAIL, Some(PASS))]), Gate::Retry { .. }));
}

#[test]
fn the_same_class_twice_in_a_row_ends_early() {
    let output = "error[E0425]: cannot find value `x` in this scope\n --> src/lib.rs:1:1\n";
    let broken = CheckedPair { tip: report("test", FAIL, output), base: Some(report("test", PASS, "")) };
    let first = decide(std::slice::from_ref(&broken), &Trail::default(), &ground(), &spec());
    let Gate::Retry { class: Some(class), .. } = first else { panic!("{first:?}") };
    let trail = Trail { last_class: Some(class), ..Trail::default() };
    assert!(matches!(decide(&[broken], &trail, &ground(), &spec()), Gate::Fail { .. }));
}
