//! Agents that ask people, and read what people write to them, through the tools of their job.

use super::misuse::agent;
use crate::harness::Place;

const ASKS: &str = r#"
if not os.path.exists("notes"):
    open("notes", "w").write("so far\n")
    advice = post("verify_against_plan", {"changed_paths": ["notes"]})
    assert advice["alignment"] == "aligned" and advice["plan_paths"] == [], advice
    advice = post("verify_against_plan", {"changed_paths": []})
    assert advice["alignment"] == "empty", advice
    assert post("ask_question", {"question": "x" * 5000})["error"] == "BAD_ARGUMENT"
    assert post("ask_question", {"question": "?", "options": ["a"] * 9})["error"] == "BAD_ARGUMENT"
    said = post("ask_question", {"question": "Left or right?", "options": ["left", "right"]})
    assert said["question"] == "repo-1/q1" and said["next_action"] == "end_your_turn", said
    assert post("acknowledge", {"message": "nothing"})["error"] == "UNKNOWN_MESSAGE"
    assert post("read_inbox", {})["messages"] == []
else:
    (message,) = post("read_inbox", {})["messages"]
    assert message["text"] == "Mind the gap" and message["from"] == "operator", message
    assert not message["untrusted"] and not message["acknowledged"], message
    for again in range(2):
        assert post("acknowledge", {"message": message["id"]})["acknowledged"] == message["id"]
    assert post("read_inbox", {})["messages"][0]["acknowledged"]
    work()
"#;

#[test]
fn a_question_of_an_agent_parks_its_job_and_the_answer_goes_on_with_it() {
    let place = Place::new();
    let agent = agent(&place, ASKS);
    place
        .overnight(&["run", "--command", &agent, "Do it"])
        .expect_code(8)
        // As it is asked, and once more at the end.
        .expect_said(&[
            "answer it: overnight answer repo-1 --option N",
            "1. left",
            "overnight answer repo-1",
        ]);
    place.expect_reason("parked", "answer");
    assert!(place.overnight(&["questions"]).stdout.contains("Left or right?"));
    place.overnight(&["tell", "repo-1", "Mind the gap"]).expect_code(0);
    place.overnight(&["answer", "repo-1", "--option", "2"]).expect_code(0);
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!(job["attempt"], 1, "an answer uses up no attempt: {job:#}");
    let prompt = place.log("turn-2.prompt.md");
    assert!(prompt.contains("Left or right?") && prompt.contains("right"), "{prompt}");
    assert_eq!(place.events_of("question_asked").len(), 1);
    assert_eq!(place.events_of("message_acknowledged").len(), 1);
    place.finish();
}

#[test]
fn whoever_watches_the_events_misses_none_that_others_wrote() {
    let place = Place::new();
    let agent = agent(&place, ASKS);
    let seen = place.overnight(&["run", "--events", "--command", &agent, "Do it"]).expect_code(8).stdout;
    let numbers: Vec<i64> = seen
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| line["number"].as_i64())
        .collect();
    let first = numbers[0];
    let gapless: Vec<i64> = (first..).take(numbers.len()).collect();
    assert_eq!(numbers, gapless, "{seen}");
    assert_eq!(seen.matches("\"question_asked\"").count(), 1, "{seen}");
    place.finish();
}

#[test]
fn where_nobody_answers_an_agent_is_told_so_and_goes_on() {
    let mut place = Place::new();
    place.env("OVERNIGHT_QUESTIONS_POLICY", "end");
    let program = r#"
said = post("ask_question", {"question": "Left or right?"})
assert said["error"] == "NOBODY_ANSWERS" and said["next_action"] == "go_on", said
work()
"#;
    place.overnight(&["run", "--command", &agent(&place, program), "Do it"]).expect_code(0);
    assert!(place.events_of("question_asked").is_empty());
    place.finish();
}
