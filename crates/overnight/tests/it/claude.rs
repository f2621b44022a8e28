//! The main job with the real Claude Code CLI, offline: its model is scripted. Where the CLI is not installed, each test says
//! so and passes.

mod crash;
mod guard;
mod limits;
mod published;
mod settings;
mod trouble;

use std::path::PathBuf;

use overnight_testkit::model::Scenario;
use overnight_testkit::tools;

use crate::harness::Place;
use crate::harness::model::{change, conversation, finish, fix, model, place, run, said_last, sessions};

/// Makes the toolchains of the person who runs the tests known to the place, which has a home of its own.
fn with_toolchains(place: &mut Place) {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    for (name, usual) in [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")] {
        let dir = std::env::var_os(name).map_or_else(|| home.join(usual), PathBuf::from);
        if dir.is_dir() {
            place.env(name, dir);
        }
    }
    let own = place.path("cargo-home");
    place.env("CARGO_HOME", own);
}

/// Replaces the place's repository by one with these files.
fn repository(place: &Place, files: &[(&str, &str)]) {
    let repo = place.repo();
    std::fs::remove_dir_all(&repo).unwrap();
    std::fs::create_dir(&repo).unwrap();
    place.git(&["init", "--quiet", "--initial-branch=main"]);
    for (name, text) in files {
        place.write_in(&repo, name, text);
    }
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message=Start"]);
}

const CALENDAR: &str = "/// Days of February.\npub fn february(year: u32) -> u32 {\n    if year % 4 == 0 { 29 } else { 28 }\n}\n\n\
    #[cfg(test)]\nmod tests {\n    #[test]\n    fn centuries() {\n        assert_eq!(super::february(2000), 29);\n        \
    assert_eq!(super::february(1900), 28);\n    }\n}\n";
const MANIFEST: &str = "[package]\nname = \"calendar\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LOCK: &str = "version = 3\n\n[[package]]\nname = \"calendar\"\nversion = \"0.1.0\"\n";

#[test]
fn a_bug_in_a_rust_repository_is_fixed_and_verified() {
    let Some(mut place) = place("a_bug_in_a_rust_repository_is_fixed_and_verified") else { return };
    with_toolchains(&mut place);
    let files = [
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/lib.rs", CALENDAR),
        (".gitignore", "target\n"),
    ];
    repository(&place, &files);
    let looks = Scenario::new().shell("cargo test --offline 2>&1 | tail -n 30");
    let right = "year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)";
    let works = change(looks, "src/lib.rs", "year % 4 == 0", right).say("Centuries are no leap years.");
    let model = model(&mut place, works);

    run(&place, &[]).expect_code(0);

    assert_eq!(model.count(), 5);
    let seen = conversation(model.asked().last().unwrap());
    assert!(
        seen.contains("test tests::centuries ... FAILED"),
        "the agent could run the tests itself: {seen}"
    );
    assert_eq!(place.branches(), ["overnight/repo-1-make-the-check-pass"]);
    assert!(place.show(&place.branches()[0], "src/lib.rs").contains(right));
    assert_eq!(place.git(&["log", "-1", "--format=%s", &place.branches()[0]]), "Correct it");
    let checked = place.events_of("checked");
    assert_eq!(checked.len(), 1, "{checked:#?}");
    assert!(checked[0]["report"]["check"].as_str().unwrap().starts_with("cargo test"), "{checked:#?}");
    place.finish();
}

const TEMPERATURE: &str = "def fahrenheit(celsius):\n    return celsius * 9 / 5\n";
const TEMPERATURE_TEST: &str = "import unittest\n\nfrom temperature import fahrenheit\n\n\nclass Boiling(unittest.TestCase):\n    \
    def test_water(self):\n        self.assertEqual(fahrenheit(100), 212)\n";

#[test]
fn a_bug_in_a_python_repository_is_fixed_and_verified() {
    let Some(mut place) = place("a_bug_in_a_python_repository_is_fixed_and_verified") else { return };
    with_toolchains(&mut place);
    let files = [
        ("temperature.py", TEMPERATURE),
        ("test_temperature.py", TEMPERATURE_TEST),
        (".gitignore", "__pycache__\n"),
    ];
    repository(&place, &files);
    let works = change(Scenario::new(), "temperature.py", "celsius * 9 / 5", "celsius * 9 / 5 + 32");
    let model = model(&mut place, works.shell("python3 -m unittest 2>&1").say("Freezing is at 32."));

    run(&place, &[]).expect_code(0);

    assert!(conversation(model.asked().last().unwrap()).contains("Ran 1 test"));
    assert!(place.show(&place.branches()[0], "temperature.py").contains("+ 32"));
    assert_eq!(place.events_of("checked")[0]["report"]["check"], "unittest");
    place.finish();
}

#[test]
fn a_failed_verification_goes_on_in_the_same_session_with_nothing_but_the_feedback() {
    let Some(mut place) = place("a_failed_verification_goes_on_in_the_same_session") else { return };
    let wrong = change(Scenario::new(), "answer", "41", "40").say("The first answer.");
    let model = model(&mut place, change(wrong, "answer", "40", "42").say("The second answer."));

    run(&place, &[]).expect_code(0);

    assert_eq!(model.count(), 8);
    let (first, second) = (&model.asked()[0], &model.asked()[4]);
    assert!(said_last(first).contains("# Task"), "{}", said_last(first));
    let feedback = said_last(second);
    assert!(feedback.contains("answer is 40, not 42") && feedback.contains("sh check.sh"), "{feedback}");
    assert!(!feedback.contains("# Task") && !feedback.contains("Make the check pass"), "{feedback}");
    let remembered = conversation(second);
    assert!(remembered.contains("The first answer.") && remembered.contains("# Task"), "{remembered}");
    assert_eq!(remembered.matches("# How this works").count(), 1, "the task is sent once");
    let turns = sessions(&place);
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert_eq!((turns[0].0.as_str(), turns[1].0.as_str()), ("fresh", "resume"));
    assert_eq!(turns[0].1, turns[1].1);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert_eq!(place.job()["attempt"], 2);
    place.finish();
}

#[test]
fn tokens_and_cost_of_all_turns_add_up_and_none_is_counted_twice() {
    let Some(mut place) = place("tokens_and_cost_of_all_turns_add_up") else { return };
    let wrong = change(Scenario::new(), "answer", "41", "40").say("The first answer.");
    let model = model(&mut place, change(wrong, "answer", "40", "42").say("The second answer."));
    run(&place, &[]).expect_code(0);
    let job = place.job();
    // Each scripted answer is 100 tokens in, 20 out; 3 and 15 dollars per million.
    let answers = u64::try_from(model.count()).unwrap();
    assert_eq!(job["used"]["turns"], answers, "{job:#}");
    assert_eq!(job["used"]["input_tokens"], 100 * answers, "{job:#}");
    assert_eq!(job["used"]["output_tokens"], 20 * answers, "{job:#}");
    assert_eq!(job["used"]["cost_microdollars"], 600 * answers, "{job:#}");
    assert_eq!(job["cost_unknown"], false);
    place.finish();
}

#[test]
fn the_installed_program_is_found_and_a_missing_one_is_named() {
    let Ok(program) = tools::claude() else {
        return crate::harness::skipped("the_installed_program_is_found", "no CLI");
    };
    let mut place = Place::new();
    place.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", program.parent().unwrap().display()));
    place.env("ANTHROPIC_API_KEY", crate::harness::model::KEY).env("OVERNIGHT_AGENT_BILLING", "key");
    let model = model(&mut place, finish(Scenario::new()));
    run(&place, &[]).expect_code(0);
    assert_eq!(model.count(), 4, "without --agent the installed CLI works");

    place.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    run(&place, &["--agent", "claude"]).expect_code(2).expect_said(&["claude", "not installed"]);
    place.env("OVERNIGHT_AGENT_PROGRAM_CLAUDE", "/nowhere/claude");
    run(&place, &["--agent", "claude"]).expect_code(2).expect_said(&["/nowhere/claude"]);
    assert_eq!(place.job()["reason"], "published", "what was refused was not queued");
    place.finish();
}

#[test]
fn uncommitted_work_of_the_agent_is_not_lost() {
    let Some(mut place) = place("uncommitted_work_of_the_agent_is_not_lost") else { return };
    let read = Scenario::new().tool("Read", serde_json::json!({"file_path": "answer"}));
    let forgets = read.edit("answer", "41", "42").write("new", "also\n").say("I forgot to commit.");
    let _model = model(&mut place, forgets);
    run(&place, &[]).expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert_eq!(place.show(&place.branches()[0], "new"), "also");
    place.finish();
}

#[test]
fn an_agent_that_only_talks_has_not_succeeded() {
    let Some(mut place) = place("an_agent_that_only_talks_has_not_succeeded") else { return };
    let model = model(&mut place, Scenario::new().say("All tests pass now! {\"verdict\":\"pass\"}"));
    run(&place, &["--attempts", "2"]).expect_code(6);
    place.expect_reason("ended", "no_changes");
    assert_eq!(model.count(), 2);
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn the_whole_prompt_reaches_the_model_also_when_it_is_a_megabyte() {
    let Some(mut place) = place("the_whole_prompt_reaches_the_model") else { return };
    let model = model(&mut place, fix());
    let long: String = (0..40_000).map(|number| format!("Line {number} of the wish.\n")).collect();
    let file = place.write("wish.md", &long);
    place.overnight(&["run", "--prompt-file", file.to_str().unwrap()]).expect_code(0);
    let asked = said_last(&model.asked()[0]);
    assert!(
        asked.contains("Line 0 of the wish.") && asked.contains("Line 39999 of the wish."),
        "{}",
        asked.len()
    );
    place.finish();
}
