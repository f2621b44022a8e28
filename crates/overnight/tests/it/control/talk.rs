//! How it talks: quiet, colour, closed pipes, help, completions, the look at the machine.

use std::process::{Command, Stdio};

use super::{FIX, MISS};
use crate::harness::{Outcome, Place, with_prompt};

#[test]
fn quiet_leaves_the_result_and_errors_only() {
    let place = Place::new();
    let outcome = place.rehearse(&[FIX], &["--quiet"]).expect_code(0);
    assert_eq!((outcome.stdout.trim(), outcome.stderr.as_str()), (place.branches()[0].as_str(), ""));
    let outcome = place.overnight(&["show", "nowhere-1", "--quiet"]).expect_code(2);
    outcome.expect_said(&["error: ", "nowhere-1"]);
    place.finish();
}

/// Data on standard output, talk on standard error.
#[test]
fn only_the_result_is_on_standard_output() {
    let place = Place::new();
    let outcome = place.rehearse(&[FIX], &[]).expect_code(0);
    assert_eq!(outcome.stdout, format!("{}\n", place.branches()[0]));
    for stage in ["prepare", "agent", "collect", "verify", "publish"] {
        assert!(outcome.stderr.contains(stage), "{stage}: {}", outcome.stderr);
    }
    let outcome = place.rehearse(&[MISS], &["--attempts", "1"]).expect_code(5);
    assert_eq!(outcome.stdout, "");
    place.finish();
}

/// Runs it with a standard output that nobody reads, and a standard error that is read.
fn unread(mut command: Command) -> Outcome {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    Outcome::from(child.wait_with_output().unwrap())
}

#[test]
fn a_reader_that_went_away_is_no_error_and_stops_no_work() {
    let place = Place::new();
    let script = place.script(&[&format!("{{ flood = {{ bytes = 200000 }} }}, {FIX}")]);
    let run = |args: &[&str]| unread(place.command(&place.repo(), args));
    run(&with_prompt(&script, &["--events"])).expect_code(0);
    assert_eq!(place.only_job().reason(), "published");
    for args in [
        &["ls"][..],
        &["show", "repo-1"],
        &["logs", "repo-1"],
        &["diff", "repo-1"],
        &["help", "reasons"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let outcome = run(args).expect_code(0);
        assert!(
            !outcome.stderr.contains("panick") && !outcome.stderr.contains("roken pipe"),
            "{args:?}: {}",
            outcome.stderr
        );
    }
    place.finish();
}

/// Standard output as well as standard error are gone: a closed terminal.
#[test]
fn a_terminal_that_went_away_stops_no_work() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let mut child = place
        .command(&place.repo(), &with_prompt(&script, &[]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.only_job().reason(), "published");
    place.finish();
}

#[test]
fn colour_is_used_when_it_is_wanted_and_only_then() {
    let mut place = Place::new();
    place.rehearse(&[FIX], &[]).expect_code(0).expect_plain();
    let coloured =
        |place: &Place, args: &[&str]| place.overnight(args).expect_code(0).stdout.contains('\u{1b}');
    assert!(!coloured(&place, &["ls"]));
    assert!(coloured(&place, &["ls", "--color", "always"]));
    place.env("CLICOLOR_FORCE", "1");
    assert!(coloured(&place, &["ls"]));
    assert!(!coloured(&place, &["ls", "--color", "never"]));
    place.env("NO_COLOR", "1");
    assert!(!coloured(&place, &["ls"]));
    assert!(!coloured(&place, &["help"]));
    place.finish();
}

#[test]
fn completions_are_scripts_that_the_shell_takes() {
    let place = Place::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.overnight(&["completions", shell]).expect_code(0).stdout;
        assert!(script.contains("overnight") && script.contains("resume"), "{shell}");
        if shell == "bash" {
            let file = place.write("completion", &script);
            let checked = Command::new("bash").arg("-n").arg(file).status();
            assert!(checked.is_ok_and(|status| status.success()));
        }
    }
    place.overnight(&["completions", "tcsh"]).expect_code(2).expect_said(&["bash", "zsh"]);
    place.finish();
}

#[test]
fn help_explains_codes_and_finds_what_was_meant() {
    let place = Place::bare();
    let codes = place.overnight(&["help", "exit-codes"]).expect_code(0).stdout;
    for code in [
        "  0  done",
        "  3  cancelled",
        "  5  verification failed",
        "  8  still pending",
        "  9  the store",
        "130  interrupted",
    ] {
        assert!(codes.contains(code), "{code:?} is not in {codes}");
    }
    for topic in ["reasons", "environment", "config", "run", "resume"] {
        assert!(!place.overnight(&["help", topic]).expect_code(0).stdout.is_empty(), "{topic}");
    }
    place.overnight(&["help", "exit-code"]).expect_code(2).expect_said(&["did you mean exit-codes?"]);
    place.overnight(&["resmue"]).expect_code(2).expect_said(&["resmue", "'resume'"]);
    place.overnight(&["run", "--atempts", "2", "x"]).expect_code(2).expect_said(&["--attempts"]);
    place.overnight(&[]).expect_code(2);
    assert!(!place.data().exists(), "nothing was begun");
    place.finish();
}

#[test]
fn doctor_looks_at_everything_and_says_what_to_do() {
    let place = Place::new();
    let report = place.overnight(&["doctor"]).expect_code(0).stdout;
    for what in ["git", "claude", "containment", "store", "space", "github.com"] {
        assert!(report.contains(what), "{what} is not in {report}");
    }
    let document = place.overnight(&["doctor", "--json"]).expect_code(0).json();
    assert_eq!(document["kind"], "doctor");
    for finding in document["data"].as_array().unwrap() {
        let level = finding["level"].as_str().unwrap();
        assert!(["ok", "warn"].contains(&level), "{finding:#}");
        assert_eq!(finding["fix"] == "", level == "ok", "{finding:#}");
    }
    std::fs::write(place.data().join("overnight.db"), "no database").unwrap();
    let report = place.overnight(&["doctor"]).expect_code(1).stdout;
    assert!(report.contains("fail") && report.contains("is not a database"), "{report}");
    std::fs::remove_file(place.data().join("overnight.db")).unwrap();
    place.finish();
}
