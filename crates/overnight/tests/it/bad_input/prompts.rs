//! Prompts: empty, huge, and made to fool a terminal.

use std::process::Command;

use super::{FIX, refused};
use crate::harness::{Outcome, Place, with_prompt};

/// The agent corrects the answer only when it was given the whole prompt, in its file and on standard input.
const COUNTING: &str = "read_size() { tr -cd @ | wc -c; }\n\
    [ \"$(read_size)\" = 1048576 ] && [ \"$(read_size <\"$OVERNIGHT_PROMPT_FILE\")\" = 1048576 ] && echo 42 >answer\n";

fn huge() -> String {
    format!("Read all of this\n{}\n", "@".repeat(1 << 20))
}

#[test]
fn a_prompt_of_a_megabyte_reaches_the_agent_whole() {
    let place = Place::new();
    let agent = format!("sh {}", place.write("count.sh", COUNTING).display());
    let file = place.write("prompt.md", &huge()).display().to_string();
    place.overnight(&["run", "--command", &agent, "--prompt-file", &file]).expect_code(0);
    for last in [&["-"][..], &[]] {
        let mut args = vec!["run", "--command", &agent];
        args.extend(last);
        Outcome::with_stdin(place.command(&place.repo(), &args), huge().as_bytes()).expect_code(0);
    }
    assert_eq!(place.branches().len(), 3);
    assert!(place.branches()[0].ends_with("read-all-of-this"), "{:?}", place.branches());
    place.finish();
}

#[test]
fn a_prompt_that_no_model_takes_is_refused_with_its_size() {
    let place = Place::new();
    let file = place.write("prompt.md", &"too much ".repeat(1 << 20)).display().to_string();
    refused(&place, &["run", "--command", "true", "--prompt-file", &file], &["MiB", "into the repository"]);
    place.finish();
}

#[test]
fn an_empty_prompt_is_refused_wherever_it_comes_from() {
    let place = Place::new();
    let file = place.write("empty.md", " \n\t\n").display().to_string();
    let table: [&[&str]; 5] = [&[""], &["  \n "], &["..."], &["--prompt-file", &file], &["-"]];
    for last in table {
        let mut args = vec!["run", "--command", "true"];
        args.extend(last);
        refused(&place, &args, &["the prompt is empty", "--prompt-file"]);
    }
    refused(
        &place,
        &["run", "--command", "true", "--prompt-file", "nowhere.md"],
        &["nowhere.md", "cannot be read"],
    );
    place.finish();
}

#[test]
fn a_prompt_with_nul_or_broken_text_is_refused() {
    let place = Place::new();
    for (name, bytes) in [("nul", &b"Fix\0this"[..]), ("latin", b"Fix caf\xe9")] {
        let file = place.write(name, "");
        std::fs::write(&file, bytes).unwrap();
        let file = file.display().to_string();
        refused(&place, &["run", "--command", "true", "--prompt-file", &file], &["help: "]);
    }
    place.finish();
}

/// Every text for people goes through here: none may move the cursor, set a title or turn the reading direction.
#[test]
fn escape_sequences_in_prompt_and_title_control_no_terminal() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let evil = "Clear \u{1b}[2J\u{1b}]0;owned\u{7} and \u{202e}reverse\u{202c} \u{200b}this\r\u{9b}31m";
    let said = |mut command: Command, last: &[&str]| {
        command.args(last);
        Outcome::of(command).expect_code(0).expect_plain()
    };
    let run = |last: &[&str]| said(place.command(&place.repo(), &with_prompt(&script, &[])), last);
    run(&["--title", evil]);
    let outcome = said(place.command(&place.repo(), &["run", "--script", &script]), &[evil]);
    assert!(outcome.stderr.contains("\\x1b"), "made visible: {}", outcome.stderr);
    for args in [&["ls"][..], &["show", "repo-2"], &["logs", "repo-2"], &["show", "repo-2", "--events"]] {
        said(place.command(&place.repo(), args), &[]);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._".contains(c);
    assert!(place.branches().iter().all(|branch| branch.chars().all(allowed)), "{:?}", place.branches());
    place.finish();
}
