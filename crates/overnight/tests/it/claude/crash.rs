//! The runner is killed while the real CLI works. An unfinished turn goes on in its session, a finished one is not paid for
//! again.

use overnight_testkit::model::Scenario;

use crate::harness::model::{conversation, finish, model, place, sessions, start, wait_for_transcript};
use crate::harness::{Place, eventually};

/// A command that says that it runs, and then waits to be let go.
fn held(place: &Place) -> Scenario {
    let (started, go) = (place.path("started"), place.path("go"));
    let command =
        format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done", started.display(), go.display());
    Scenario::new().shell(&command)
}

fn until_held(place: &Place) {
    eventually("the agent's command runs", || place.path("started").exists().then_some(()));
}

#[test]
fn killed_in_the_middle_of_a_command_the_job_goes_on_in_the_same_session() {
    let Some(mut place) = place("killed_in_the_middle_of_a_command") else { return };
    let scenario = finish(held(&place));
    let model = model(&mut place, scenario);
    let live = start(&place);
    until_held(&place);
    wait_for_transcript(&place, &format!("touch {}", place.path("started").display()));
    live.kill();

    place.overnight(&["resume"]).expect_code(0);

    let turns = sessions(&place);
    assert_eq!((turns.len(), turns[1].0.as_str(), &turns[1].1), (2, "resume", &turns[0].1), "{turns:?}");
    assert_eq!(place.events_of("turn_interrupted").len(), 1);
    assert!(conversation(&model.asked()[1]).contains("touch "), "it remembers the command");
    assert_eq!(place.branches().len(), 1);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert_eq!(place.job()["attempt"], 1);
    place.finish();
}

#[test]
fn killed_before_the_session_came_to_be_the_job_starts_afresh() {
    let Some(mut place) = place("killed_before_the_session_came_to_be") else { return };
    let _model = model(&mut place, finish(Scenario::new()));
    let mut live = start(&place);
    live.until("turn_started");
    live.kill();
    place.overnight(&["resume"]).expect_code(0);
    assert_eq!(place.branches().len(), 1);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

/// What was paid for is counted, also when the runner never saw its end.
#[test]
fn what_an_interrupted_turn_used_is_counted() {
    let Some(mut place) = place("what_an_interrupted_turn_used_is_counted") else { return };
    let scenario = finish(held(&place));
    let model = model(&mut place, scenario);
    let live = start(&place);
    until_held(&place);
    wait_for_transcript(&place, &format!("touch {}", place.path("started").display()));
    live.kill();
    place.overnight(&["resume"]).expect_code(0);
    let job = place.job();
    assert_eq!(job["used"]["output_tokens"], 20 * u64::try_from(model.count()).unwrap(), "{job:#}");
    place.finish();
}

/// The runner stands still while the CLI comes to its end, and never moves again: what it has not read is in the pipe.
#[test]
fn a_turn_that_finished_unseen_is_not_paid_for_again() {
    let Some(mut place) = place("a_turn_that_finished_unseen_is_not_paid_for_again") else { return };
    let scenario = finish(held(&place));
    let model = model(&mut place, scenario);
    let live = start(&place);
    until_held(&place);
    live.signal("STOP");
    place.write("go", "");
    eventually("the CLI has ended", || (!place.log("turn-1.exit").is_empty()).then_some(()));
    let paid = model.count();
    live.kill();

    place.overnight(&["resume"]).expect_code(0);

    assert_eq!(model.count(), paid, "no second turn is paid");
    assert_eq!(place.events_of("turn_announced").len(), 1);
    assert_eq!(place.events_of("turn_interrupted").len(), 0);
    let job = place.job();
    assert_eq!(job["used"]["output_tokens"], 20 * u64::try_from(paid).unwrap(), "{job:#}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn killed_right_after_the_result_no_second_turn_is_paid() {
    let Some(mut place) = place("killed_right_after_the_result") else { return };
    let model = model(&mut place, finish(Scenario::new()));
    let live = start(&place);
    eventually("the CLI's result", || {
        place.log("turn-1.out.jsonl").contains("\"type\":\"result\"").then_some(())
    });
    live.kill();
    place.overnight(&["resume", "--all"]).expect_code(0);
    assert_eq!(model.count(), 4, "no second turn is paid");
    assert_eq!(place.events_of("turn_announced").len(), 1);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn killed_twice_the_job_still_ends_with_one_branch() {
    let Some(mut place) = place("killed_twice") else { return };
    let scenario = finish(held(&place));
    let _model = model(&mut place, scenario);
    let live = start(&place);
    until_held(&place);
    live.kill();
    let mut live = place.start(&["resume", "--events"]);
    live.until("turn_started");
    live.kill();
    place.overnight(&["resume"]).expect_code(0);
    assert_eq!(place.branches().len(), 1);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn interrupted_from_the_terminal_the_job_ends_and_nothing_runs_on() {
    let Some(mut place) = place("interrupted_from_the_terminal") else { return };
    let scenario = finish(held(&place));
    let model = model(&mut place, scenario);
    let live = start(&place);
    until_held(&place);
    live.signal("INT");
    assert_eq!(live.wait().code, Some(130));
    place.expect_reason("ended", "interrupted");
    assert_eq!(model.count(), 1);
    assert!(place.branches().is_empty());
    place.finish();
}
