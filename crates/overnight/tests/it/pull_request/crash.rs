//! The runner is killed at every step of a job with a pull request, and in the middle of each request to the forge: there
//! is exactly one branch and one pull request each time.

use std::time::Duration;

use overnight_testkit::forge::{Fault, Flavour, On};

use super::with_forge;
use crate::harness::Place;
use crate::harness::forge::{FIX, Forge, args};

fn resumes(place: &Place, forge: &Forge, what: &str) {
    let outcome = place.overnight(&["resume", "--all"]);
    assert_eq!(outcome.code, Some(0), "{what}:\n{}\n{}", outcome.stdout, outcome.stderr);
    forge.expect_one(place, what);
}

#[test]
fn killed_after_every_event_there_is_exactly_one_pull_request() {
    let (whole, _forge) = with_forge(Flavour::GitHub);
    let script = whole.script(&[FIX]);
    let events = whole.overnight(&args(&script, &["--events"])).expect_code(0).stdout.lines().count();
    whole.finish();
    assert!(events > 15, "only {events} events");
    for nth in 1..events {
        let (place, forge) = with_forge(Flavour::GitHub);
        let script = place.script(&[FIX]);
        let mut live = place.start(&args(&script, &["--events"]));
        let mut last = String::new();
        for _ in 0..nth {
            let Some(event) = live.next_event() else { break };
            last = format!("killed after event {nth}, {}", event["event"]["type"]);
        }
        live.kill();
        resumes(&place, &forge, &last);
        place.finish();
    }
}

/// Killed while the forge has done what was asked and has not answered.
fn killed_in(flavour: Flavour, on: On, before: usize) {
    let what = format!("{flavour:?} {on:?}");
    let (place, forge) = with_forge(flavour);
    for _ in 0..before {
        forge.inject(on, Fault::CommitThenSlow(Duration::ZERO));
    }
    forge.inject(on, Fault::CommitThenHang);
    let script = place.script(&[FIX]);
    let live = place.start(&args(&script, &["--events"]));
    forge.wait_for(on, before + 1);
    if on == On::CreatePullRequest {
        crate::harness::eventually("the pull request", || (forge.pulls().len() == 1).then_some(()));
    }
    live.kill();
    resumes(&place, &forge, &what);
    place.finish();
}

#[test]
fn killed_while_the_pull_request_is_opened_there_is_exactly_one() {
    for flavour in super::FLAVOURS {
        killed_in(flavour, On::CreatePullRequest, 0);
        killed_in(flavour, On::ListPullRequests, 0);
    }
}

#[test]
fn killed_while_the_branch_is_pushed_there_is_exactly_one() {
    killed_in(Flavour::GitHub, On::GitPush, 0);
    killed_in(Flavour::GitHub, On::GitPush, 1);
}

#[test]
fn killed_while_the_base_is_fetched_there_is_exactly_one() {
    for before in 0..3 {
        killed_in(Flavour::Gitea, On::GitFetch, before);
    }
}

/// Two runners take the same job up at once: one of them works, the other says so.
#[test]
fn two_resumes_at_once_make_one_pull_request() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let script = place.script(&[FIX]);
    let mut live = place.start(&args(&script, &["--events"]));
    live.until("turn_started");
    live.kill();
    let (one, two) =
        (place.start(&["resume", "--events", "repo-1"]), place.start(&["resume", "--events", "repo-1"]));
    let mut codes = [one.wait().code, two.wait().code];
    codes.sort_unstable();
    assert_eq!(codes[0], Some(0), "{codes:?}");
    assert!(matches!(codes[1], Some(2 | 8)), "held (8), or ended already (2): {codes:?}");
    forge.expect_one(&place, "two at once");
    place.finish();
}
