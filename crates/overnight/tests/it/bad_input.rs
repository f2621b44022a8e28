//! Mistakes of a person: each is told with what is wrong, why, and what to do, and nothing is lost or left behind by it.

mod config;
mod prompts;
mod storage;

use std::os::unix::fs::symlink;

use crate::harness::{Outcome, Place, with_prompt};

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;

/// Refused with these words before anything was queued.
#[track_caller]
fn refused(place: &Place, args: &[&str], said: &[&str]) -> Outcome {
    let outcome = place.overnight(args).expect_code(2).expect_said(&["error: ", "help: "]).expect_said(said);
    assert_eq!(outcome.stdout, "");
    assert!(place.keys().is_empty(), "a job was queued");
    outcome
}

/// A search path with git and a shell, and no agent.
fn without_agents(place: &mut Place) {
    let bin = place.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["git", "sh"] {
        let paths = crate::harness::path_variable();
        let found = std::env::split_paths(&paths).map(|dir| dir.join(program)).find(|path| path.exists());
        symlink(found.expect("git and sh are installed"), bin.join(program)).unwrap();
    }
    place.env("PATH", bin);
}

#[test]
fn a_directory_that_is_no_repository_is_named() {
    let place = Place::bare();
    let script = place.script(&[FIX]);
    refused(&place, &with_prompt(&script, &[]), &["is not inside a git repository", "git init", "-C DIR"]);
    let nowhere = place.path("nowhere").display().to_string();
    refused(&place, &with_prompt(&script, &["-C", &nowhere]), &["nowhere does not exist", "-C"]);
    place.finish();
}

#[test]
fn a_repository_without_commits_wants_a_first_one() {
    let place = Place::bare();
    std::fs::create_dir(place.repo()).unwrap();
    place.git(&["init", "-q"]);
    let script = place.script(&[FIX]);
    refused(&place, &with_prompt(&script, &[]), &["has no commits yet", "git commit"]);
    place.finish();
}

#[test]
fn without_any_agent_the_person_learns_what_was_looked_for() {
    let mut place = Place::new();
    without_agents(&mut place);
    refused(
        &place,
        &["run", "x"],
        &[
            "no agent is installed",
            "looked for claude, codex, gemini, qwen, opencode in PATH",
            "--command",
            "overnight demo",
        ],
    );
    refused(
        &place,
        &["run", "--agent", "claude", "x"],
        &["claude agent is not installed", "npm install", "log in"],
    );
    place.finish();
}

#[test]
fn a_configured_program_that_is_not_there_is_named() {
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_PROGRAM_CLAUDE", "/nowhere/claude");
    refused(&place, &["run", "x"], &["/nowhere/claude is not there", "agent.program.claude"]);
    place.finish();
}

#[test]
fn the_command_agents_program_must_be_there() {
    let place = Place::new();
    refused(
        &place,
        &["run", "--command", "no-such-tool -x", "go"],
        &["\"no-such-tool\" was not found", "PATH"],
    );
    refused(&place, &["run", "--command", "/nowhere/tool", "go"], &["\"/nowhere/tool\" was not found"]);
    refused(&place, &["run", "--command", "sh 'open", "go"], &["quote at character 4 is never closed"]);
    refused(&place, &["run", "--agent", "command", "go"], &["needs a command"]);
    place.finish();
}

/// Whether a program of the repository is there, only the workspace shows.
#[test]
fn a_program_that_the_repository_does_not_have_ends_the_job_with_its_name() {
    let place = Place::new();
    place
        .overnight(&["run", "--command", "./tools/fix now", "go"])
        .expect_code(2)
        .expect_said(&["tools/fix"]);
    let job = place.only_job();
    assert_eq!((job.state(), job.reason()), ("ended", "agent_missing"));
    place.finish();
}

#[test]
fn a_check_that_is_not_installed_is_no_fault_of_the_agent() {
    let place = Place::new();
    let outcome = place.rehearse(&[FIX], &["--verify", "no-such-checker --all"]).expect_code(5);
    outcome.expect_said(&["could not run", "no-such-checker"]);
    let job = place.only_job();
    assert_eq!(job.reason(), "checks_could_not_run");
    assert_eq!(job.job["attempt"], 1, "it is not tried again");
    assert!(job.job["tip"].is_string(), "the work is kept: {:#}", job.job);
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn a_repository_without_checks_says_how_to_name_one() {
    let place = Place::new();
    place.git(&["rm", "-q", "overnight.toml"]);
    place.git(&["commit", "-qm", "No checks"]);
    place.rehearse(&[FIX], &[]).expect_code(2).expect_said(&[
        "no check was found",
        "--verify",
        "overnight.toml",
        "--no-verify",
    ]);
    assert_eq!(place.only_job().reason(), "no_checks");
    let again = ["retry", "repo-1", "--verify", "sh check.sh"];
    place.overnight(&again).expect_code(0);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn values_that_mean_nothing_are_refused_by_their_flag() {
    let place = Place::new();
    let table: [(&[&str], &str); 9] = [
        (&["--attempts", "0"], "--attempts"),
        (&["--attempts", "many"], "--attempts"),
        (&["--max-time", "5x"], "--max-time"),
        (&["--max-time", "0s"], "--max-time"),
        (&["--check-timeout=-1m"], "--check-timeout"),
        (&["--max-cost", "free"], "--max-cost"),
        (&["--max-cost", "0"], "--max-cost"),
        (&["--max-tokens", "1.5"], "--max-tokens"),
        (&["--agent", "cluade"], "claude"),
    ];
    for (flags, said) in table {
        let mut args = vec!["run"];
        args.extend(flags);
        args.push("go");
        place.overnight(&args).expect_code(2).expect_said(&["error:", said]);
    }
    assert!(place.keys().is_empty());
    place.finish();
}

#[test]
fn a_limit_that_the_agent_cannot_keep_is_refused() {
    let place = Place::new();
    let args = ["run", "--command", "true", "--max-cost", "5", "--max-turns", "3", "go"];
    refused(&place, &args, &["--max-cost", "--max-turns", "no way to keep", "--max-time"]);
    place.finish();
}

#[test]
fn a_misspelt_job_gets_the_nearest_one() {
    let place = Place::new();
    place.overnight(&["show", "repo-1"]).expect_code(2).expect_said(&["repo-1", "nothing was ever queued"]);
    place.rehearse(&[FIX], &[]).expect_code(0);
    for command in ["show", "logs", "diff", "cancel", "retry", "resume"] {
        place.overnight(&[command, "rebo-1"]).expect_code(2).expect_said(&["rebo-1", "did you mean repo-1?"]);
        place.overnight(&[command, "entirely-different-77"]).expect_code(2).expect_said(&["overnight ls"]);
    }
    place.finish();
}

#[test]
fn two_runs_at_once_in_one_repository_make_two_branches() {
    let place = Place::new();
    let go = place.path("go");
    let steps = format!("{{ wait_for_file = {{ path = {:?} }} }}, {FIX}", go.display().to_string());
    let script = place.script(&[&steps]);
    let args = with_prompt(&script, &["--events"]);
    let (mut one, mut two) = (place.start(&args), place.start(&args));
    one.until("turn_started");
    two.until("turn_started");
    std::fs::write(go, "").unwrap();
    one.wait().expect_code(0);
    two.wait().expect_code(0);
    assert_eq!(place.branches().len(), 2, "{:?}", place.branches());
    for branch in place.branches() {
        assert_eq!(place.show(&branch, "answer"), "42");
    }
    place.finish();
}
