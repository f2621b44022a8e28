//! Configuration that cannot be used: the file, the line, and what was probably meant.

use super::{FIX, refused};
use crate::harness::{Place, with_prompt};

#[test]
fn a_configuration_file_that_cannot_be_used_shows_its_line() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let table: [(&str, &[&str]); 6] = [
        ("[limits]\nattempts = = 2\n", &["config.toml:2:", "not valid TOML"]),
        (
            "[limits]\natempts = 2\n",
            &["config.toml:2:1", "unknown setting `limits.atempts`", "did you mean `limits.attempts`?"],
        ),
        ("[limit]\nattempts = 2\n", &["config.toml:1:", "did you mean `limits`?"]),
        ("[limits]\nattempts = true\n", &["config.toml:2:12", "expected"]),
        ("\n\n[agent]\nsilence = 'soon'\n", &["config.toml:4:", "expected a time"]),
        ("[agent]\ndefault = 'cluade'\n", &["config.toml:2:", "expected one of claude"]),
    ];
    for (text, said) in table {
        place.write("home/.config/overnight/config.toml", text);
        refused_with(&place, &with_prompt(&script, &[]), said);
    }
    place.overnight(&with_prompt(&script, &["--no-config"])).expect_code(0);
    std::fs::remove_file(place.home().join(".config/overnight/config.toml")).unwrap();
    place.finish();
}

/// `ls` would read the same file: that nothing was queued, the data directory shows.
#[track_caller]
fn refused_with(place: &Place, args: &[&str], said: &[&str]) {
    place.overnight(args).expect_code(2).expect_said(&["error: ", "help: ", "config.toml"]).expect_said(said);
    assert!(!place.data().exists(), "something was begun");
}

#[test]
fn a_configuration_file_that_was_named_must_be_there_and_readable() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let table: [(&str, &[u8], &str); 2] =
        [("latin", b"[git]\nauthor = 'Andr\xe9 <a@b>'\n", "UTF-8"), ("directory/x", b"", "directory")];
    for (name, bytes, said) in table {
        let file = place.write(name, "");
        std::fs::write(&file, bytes).unwrap();
        let file = if name.contains('/') { file.parent().unwrap().to_owned() } else { file };
        let file = file.display().to_string();
        refused(
            &place,
            &with_prompt(&script, &["--config", &file]),
            &[name.split('/').next().unwrap(), said],
        );
    }
    refused(&place, &with_prompt(&script, &["--config", "nowhere.toml"]), &["nowhere.toml", "--no-config"]);
    place.finish();
}

#[test]
fn an_environment_variable_that_does_not_fit_is_named() {
    let mut place = Place::new();
    place.env("OVERNIGHT_LIMITS_ATTEMPTS", "none at all");
    let said = ["OVERNIGHT_LIMITS_ATTEMPTS cannot be used", "whole number above zero", "help: "];
    place.overnight(&["run", "x"]).expect_code(2).expect_said(&said);
    place.env("OVERNIGHT_LIMITS_ATTEMPTS", "2").env("OVERNIGHT_WORKER_HEARTBEAT", "59s");
    place.overnight(&["run", "x"]).expect_code(2).expect_said(&["worker.heartbeat", "third of worker.lease"]);
    place.env("OVERNIGHT_WORKER_HEARTBEAT", "10s");
    place.finish();
}

/// The repository's file is read from the base commit, so the job is queued first and its end tells.
#[test]
fn a_repository_file_that_cannot_be_used_shows_its_line() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let table: [(&str, &[&str]); 5] = [
        ("[verify]\nchecks = [\"true\"\n", &["overnight.toml line", "not valid TOML"]),
        ("[verify]\nchekcs = [\"true\"]\n", &["overnight.toml line 2", "did you mean"]),
        ("[verify]\nchecks = 5\n", &["overnight.toml line 2", "verify.checks"]),
        ("[limits]\ncost = 100\n", &["overnight.toml line 1", "cannot be set by a repository"]),
        ("[agent]\ndefault = 'command'\n", &["overnight.toml line 1", "your own configuration"]),
    ];
    for (number, (text, said)) in (1..).zip(table) {
        place.write_in(&place.repo(), "overnight.toml", text);
        place.git(&["commit", "-qam", "Change the checks"]);
        place.overnight(&with_prompt(&script, &[])).expect_code(2).expect_said(said);
        let job = place.shown(&format!("repo-{number}"));
        assert_eq!((job.state(), job.reason()), ("ended", "config_invalid"));
        assert_eq!(job.job["turns"], 0, "no agent was started");
    }
    assert!(place.branches().is_empty());
    place.finish();
}
