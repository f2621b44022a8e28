//! A forge that fails: each fault has its reason and exit code, and nothing is done twice when it works again.

use std::time::Duration;

use overnight_testkit::forge::{Fault, Flavour, On};

use super::{FLAVOURS, with_forge};
use crate::harness::Place;
use crate::harness::forge::{BRANCH, Forge, run};

/// The job waits with this reason, and goes on when everything works again.
fn waits(flavour: Flavour, on: On, fault: &Fault, code: i32, reason: &str) {
    let what = format!("{flavour:?} {on:?} {fault:?}");
    println!("{what}");
    let (place, forge) = with_forge(flavour);
    forge.break_down(on, fault);
    run(&place, &[]).expect_code(code).expect_said(&["overnight resume"]);
    place.expect_reason("parked", reason);
    forge.lift_faults();
    goes_on(&place, &forge, &what);
    assert_eq!(place.job()["attempt"], 1, "{what}: no attempt is used up");
    place.finish();
}

fn goes_on(place: &Place, forge: &Forge, what: &str) {
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    place.expect_reason("ended", "published");
    assert_eq!(place.events_of("turn_announced").len(), 1, "{what}: the agent's turn is not paid for again");
    let pull = forge.expect_one(place, what);
    assert_eq!(pull.head, BRANCH, "{what}");
}

/// The job has ended with this reason: waiting would not help.
fn ends(flavour: Flavour, on: On, fault: &Fault, code: i32, reason: &str) {
    let what = format!("{flavour:?} {on:?} {fault:?}");
    println!("{what}");
    let (place, forge) = with_forge(flavour);
    forge.break_down(on, fault);
    run(&place, &[]).expect_code(code);
    let job = place.expect_reason("ended", reason);
    assert!(!job["tip"].is_null(), "{what}: the work is kept");
    assert!(forge.pulls().is_empty(), "{what}");
    place.finish();
}

#[test]
fn a_refused_token_waits_for_a_person() {
    for flavour in FLAVOURS {
        for status in [401, 403, 404] {
            waits(flavour, On::ListPullRequests, &Fault::Status(status), 4, "forge_login");
            waits(flavour, On::CreatePullRequest, &Fault::Status(status), 4, "forge_login");
        }
    }
}

#[test]
fn a_refused_fetch_or_push_waits_for_a_person() {
    for on in [On::GitFetch, On::GitPush] {
        for status in [401, 403] {
            waits(Flavour::GitHub, on, &Fault::Status(status), 4, "forge_login");
        }
    }
}

#[test]
fn a_push_that_the_server_fails_waits() {
    for status in [500, 503] {
        waits(Flavour::GitHub, On::GitPush, &Fault::Status(status), 8, "unavailable");
        waits(Flavour::Gitea, On::GitFetch, &Fault::Status(status), 8, "unavailable");
    }
    waits(Flavour::GitHub, On::GitPush, &Fault::DropBeforeCommit, 8, "unavailable");
}

#[test]
fn a_limit_on_requests_waits() {
    waits(Flavour::GitHub, On::CreatePullRequest, &Fault::TooManyRequests(3_600), 8, "unavailable");
    waits(Flavour::GitHub, On::ListPullRequests, &Fault::PrimaryLimit(3_600), 8, "unavailable");
    waits(Flavour::Gitea, On::CreatePullRequest, &Fault::TooManyRequests(3_600), 8, "unavailable");
}

#[test]
fn a_forge_that_is_down_waits() {
    waits(Flavour::GitHub, On::CreatePullRequest, &Fault::Status(502), 8, "unavailable");
}

#[test]
fn a_forge_that_only_stumbles_is_asked_again() {
    for flavour in FLAVOURS {
        for fault in [Fault::Status(500), Fault::DropBeforeCommit, Fault::TooManyRequests(1)] {
            let (place, forge) = with_forge(flavour);
            forge.inject(On::CreatePullRequest, fault.clone());
            run(&place, &[]).expect_code(0);
            forge.expect_one(&place, &format!("{flavour:?} {fault:?}"));
            assert_eq!(forge.unused_faults(), 0);
            place.finish();
        }
    }
}

#[test]
fn a_request_that_is_refused_for_good_ends_the_job() {
    ends(Flavour::GitHub, On::CreatePullRequest, &Fault::Status(422), 2, "repository_unusable");
    ends(Flavour::Gitea, On::CreatePullRequest, &Fault::Status(422), 2, "repository_unusable");
}

#[test]
fn a_duplicate_that_nobody_can_see_ends_the_job() {
    for flavour in FLAVOURS {
        ends(flavour, On::CreatePullRequest, &Fault::FalseDuplicate, 1, "branch_conflict");
    }
}

#[test]
fn a_forge_that_points_elsewhere_is_not_followed() {
    let (other_place, elsewhere) = with_forge(Flavour::GitHub);
    let to = Fault::RedirectTo(elsewhere.origin().to_owned());
    ends(Flavour::GitHub, On::CreatePullRequest, &to, 2, "repository_unusable");
    assert!(elsewhere.requests().is_empty(), "the token went elsewhere");
    other_place.finish();
}

#[test]
fn a_repository_that_points_elsewhere_does_not_get_the_token() {
    for on in [On::GitFetch, On::GitPush] {
        let (other_place, elsewhere) = with_forge(Flavour::GitHub);
        let (place, forge) = with_forge(Flavour::GitHub);
        forge.break_down(on, &Fault::RedirectTo(elsewhere.origin().to_owned()));
        let outcome = run(&place, &[]);
        assert_ne!(outcome.code, Some(0), "{on:?}: {}", outcome.stderr);
        for request in elsewhere.requests() {
            assert_eq!(request.header("authorization"), None, "{on:?}: {} {}", request.method, request.path);
        }
        assert!(elsewhere.branches(&other_place).is_empty());
        place.finish();
        other_place.finish();
    }
}

#[test]
fn an_error_that_repeats_the_token_is_not_stored() {
    let (place, forge) = with_forge(Flavour::GitHub);
    forge.break_down(On::CreatePullRequest, &Fault::EchoAuthorization(403));
    run(&place, &[]).expect_code(4);
    place.expect_reason("parked", "forge_login");
    place.expect_not_stored(crate::harness::forge::TOKEN);
    forge.lift_faults();
    goes_on(&place, &forge, "echo");
    place.finish();
}

/// It was done, and the answer that says so never came.
#[test]
fn a_pull_request_whose_reply_is_lost_is_not_opened_again() {
    let lost = [
        Fault::CommitThenDropReply,
        Fault::CommitThenCutReply(40),
        Fault::CommitThenStatus(502),
        Fault::CommitThenMalformedJson,
        Fault::CommitThenWrongShape,
        Fault::CommitThenSlow(Duration::from_secs(1)),
    ];
    for flavour in FLAVOURS {
        for fault in &lost {
            let what = format!("{flavour:?} {fault:?}");
            println!("{what}");
            let (place, forge) = with_forge(flavour);
            forge.inject(On::CreatePullRequest, fault.clone());
            run(&place, &[]).expect_code(0);
            forge.expect_one(&place, &what);
            let opened = &place.events_of("pull_request_opened")[0];
            assert_eq!(opened["adopted"], !matches!(fault, Fault::CommitThenSlow(_)), "{what}: {opened}");
            place.finish();
        }
    }
}

/// The creation is done, its reply is lost, and the lookup that would tell is refused.
#[test]
fn a_lost_reply_and_then_no_answer_at_all_waits_and_finds_what_is_there() {
    for flavour in FLAVOURS {
        let (place, forge) = with_forge(flavour);
        for _ in 0..lookups(flavour) {
            forge.inject(On::ListPullRequests, Fault::CommitThenSlow(Duration::ZERO));
        }
        forge.inject(On::CreatePullRequest, Fault::CommitThenDropReply);
        forge.break_down(On::ListPullRequests, &Fault::Status(401));
        run(&place, &[]).expect_code(4);
        place.expect_reason("parked", "forge_login");
        assert_eq!(forge.pulls().len(), 1, "{flavour:?}");
        forge.lift_faults();
        goes_on(&place, &forge, &format!("{flavour:?}"));
        assert_eq!(place.events_of("pull_request_opened")[0]["adopted"], true);
        place.finish();
    }
}

/// Requests of one lookup: Gitea is asked for open and for closed ones.
fn lookups(flavour: Flavour) -> usize {
    match flavour {
        Flavour::GitHub | Flavour::GitLab => 1,
        Flavour::Gitea => 2,
    }
}

#[test]
fn a_push_whose_reply_is_lost_is_not_a_second_branch() {
    for fault in [Fault::CommitThenDropReply, Fault::CommitThenStatus(502), Fault::CommitThenCutReply(30)] {
        let (place, forge) = with_forge(Flavour::GitHub);
        // The first request of a push asks what is there; the second brings the commits.
        forge.inject(On::GitPush, Fault::CommitThenSlow(Duration::ZERO));
        forge.inject(On::GitPush, fault.clone());
        let outcome = run(&place, &[]);
        assert_eq!(forge.unused_faults(), 0, "{fault:?}");
        if outcome.code != Some(0) {
            outcome.expect_code(8);
            place.expect_reason("parked", "unavailable");
            goes_on(&place, &forge, &format!("{fault:?}"));
        }
        forge.expect_one(&place, &format!("{fault:?}"));
        place.finish();
    }
}

#[test]
fn a_token_that_may_only_read_waits_for_a_person() {
    use overnight_testkit::forge::FakeToken;
    let (place, forge) = with_forge(Flavour::GitHub);
    forge.add_token(crate::harness::forge::TOKEN, FakeToken::reader("robot"));
    run(&place, &[]).expect_code(4);
    place.expect_reason("parked", "forge_login");
    assert!(forge.branches(&place).is_empty());
    forge.add_token(crate::harness::forge::TOKEN, FakeToken::writer("robot"));
    goes_on(&place, &forge, "writer");
    place.finish();
}
