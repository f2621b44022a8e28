//! The real CLI and a pull request: exactly one, also when the runner is killed after any event.

use overnight_testkit::forge::Flavour;
use overnight_testkit::model::Scenario;

use crate::harness::Place;
use crate::harness::forge::{Forge, TOKEN};
use crate::harness::model::{KEY, Model, finish, fix, model, place};

const RUN: [&str; 4] = ["run", "--pr", "--events", "Make the check pass"];

/// A place with the real CLI, a model that does the usual job whatever it is asked, and a forge.
fn with_everything(test: &str) -> Option<(Place, Model, Forge)> {
    let mut place = place(test)?;
    let model = model(&mut place, any_time());
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    Some((place, model, forge))
}

/// The usual job in one command that can be repeated: a turn may be cut after it and be taken up again.
fn any_time() -> Scenario {
    let works = "echo 42 > answer; git diff --quiet || git commit --quiet --all --message='Correct it'";
    let mut scenario = Scenario::new();
    for _ in 0..4 {
        scenario = scenario.shell(works).say("The answer is 42.");
    }
    scenario
}

#[test]
fn a_sentence_becomes_a_pull_request_and_no_key_is_in_it() {
    let Some((mut place, _model, forge)) = with_everything("a_sentence_becomes_a_pull_request") else {
        return;
    };
    let tells = Scenario::new().shell("git config user.name; env");
    let model = model(&mut place, finish(tells.shell(&format!("echo {KEY}"))));
    place.overnight(&RUN).expect_code(0).expect_silent_about(KEY).expect_silent_about(TOKEN);
    let pull = forge.expect_one(&place, "claude");
    assert!(pull.body.contains("The answer is 42 now."), "{}", pull.body);
    for request in model.all() {
        assert!(!request.body.to_string().contains(TOKEN), "the agent has seen the forge's token");
    }
    place.expect_not_stored(KEY);
    place.finish();
}

#[test]
fn what_the_agent_says_of_its_key_is_not_published() {
    let Some((mut place, _model, forge)) = with_everything("what_the_agent_says_of_its_key") else { return };
    let says = crate::harness::model::change(Scenario::new(), "answer", "41", "42")
        .say(&format!("I used {KEY} for it."));
    let _model = model(&mut place, says);
    place.overnight(&RUN).expect_code(0);
    let body = forge.expect_one(&place, "claude").body;
    assert!(body.contains("for it.") && !body.contains(KEY), "{body}");
    place.finish();
}

fn killed_after(nth: usize, test: &str) -> Option<()> {
    let (place, model, forge) = with_everything(test)?;
    let mut live = place.start(&RUN);
    let mut last = String::new();
    let mut turn_ended = false;
    for _ in 0..nth {
        let Some(event) = live.next_event() else { break };
        last = format!("killed after event {nth}, {}", event["event"]["type"]);
        turn_ended |= event["event"]["type"] == "turn_ended";
    }
    live.kill();
    let paid = model.count();
    let outcome = place.overnight(&["resume", "--all"]);
    assert_eq!(outcome.code, Some(0), "{last}:\n{}\n{}", outcome.stdout, outcome.stderr);
    forge.expect_one(&place, &last);
    assert!(!turn_ended || model.count() == paid, "{last}: a finished turn is paid for again");
    assert_eq!(place.job()["attempt"], 1, "{last}");
    place.finish();
    Some(())
}

/// Events of a run that nothing disturbs.
fn events(test: &str) -> Option<usize> {
    let (place, _model, forge) = with_everything(test)?;
    let events = place.overnight(&RUN).expect_code(0).stdout.lines().count();
    forge.expect_one(&place, "undisturbed");
    place.finish();
    assert!(events > 15, "only {events} events");
    Some(events)
}

fn killed_after_each(test: &str, first: usize) {
    let Some(events) = events(test) else { return };
    for nth in (first..events).step_by(2) {
        let _ = killed_after(nth, test);
    }
}

#[test]
fn killed_after_every_odd_event_there_is_exactly_one_pull_request() {
    killed_after_each("killed_after_every_odd_event", 1);
}

#[test]
fn killed_after_every_even_event_there_is_exactly_one_pull_request() {
    killed_after_each("killed_after_every_even_event", 2);
}

#[test]
fn a_workspace_that_somebody_removed_is_made_again() {
    let Some(mut place) = place("a_workspace_that_somebody_removed_is_made_again") else { return };
    let model = model(&mut place, fix());
    let mut live = crate::harness::model::start(&place);
    live.until("turn_started");
    live.kill();
    crate::harness::eventually("the workspace is let go", || {
        std::fs::remove_dir_all(place.job_dir().unwrap().join("workspace")).ok()
    });
    place.overnight(&["resume"]).expect_code(0);
    assert!(model.count() >= 4);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}
