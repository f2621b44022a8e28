//! A data directory that cannot be written, is full, or holds somebody else's file.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::FIX;
use crate::harness::{Place, sh, skipped, with_prompt};

/// A file system of its own at the data directory.
struct Mount(PathBuf);

impl Mount {
    /// `Err`: why this machine gives none.
    fn new(place: &Place, size: &str) -> Result<Self, String> {
        let at = place.data();
        std::fs::create_dir_all(&at).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"], &at)?;
        Ok(Self(at))
    }

    fn again(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn mount(args: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(args).arg(at).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

#[test]
fn a_data_directory_that_cannot_be_written_can_still_be_read() {
    let place = Place::new();
    let mount = match Mount::new(&place, "64m") {
        Ok(mount) => mount,
        Err(reason) => return skipped("read-only data directory", &reason),
    };
    let script = place.script(&[FIX]);
    mount.again("ro");
    place.overnight(&with_prompt(&script, &[])).expect_code(9).expect_said(&[
        "data",
        "cannot be used",
        "--data-dir",
    ]);
    place.overnight(&["ls"]).expect_code(0);
    mount.again("rw");
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    mount.again("ro");
    assert_eq!(place.only_job().reason(), "published");
    for args in [&["ls"][..], &["show", "repo-1"], &["logs", "repo-1"]] {
        place.overnight(args).expect_code(0);
    }
    for args in
        [&with_prompt(&script, &[])[..], &["retry", "repo-1"], &["cancel", "repo-1"], &["diff", "repo-1"]]
    {
        let outcome = place.overnight(args);
        assert!(matches!(outcome.code, Some(2 | 9)), "{args:?}: {outcome:?}");
        outcome.expect_said(&["error: ", "help: "]);
    }
    mount.again("rw");
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    drop(mount);
}

/// The agent writes more than can be brought home; the database still has room.
#[test]
fn on_a_full_disk_a_job_waits_and_goes_on_when_there_is_room() {
    let mut place = Place::new();
    place.env("OVERNIGHT_PREFLIGHT_MAX_FILE_SIZE", "4000000");
    let mount = match Mount::new(&place, "8m") {
        Ok(mount) => mount,
        Err(reason) => return skipped("full disk", &reason),
    };
    let steps = format!("{FIX}, {}", sh("head -c 3500000 /dev/urandom >big"));
    place
        .rehearse(&[&steps], &["--verify", "sh check.sh"])
        .expect_code(8)
        .expect_said(&["the disk is full", "overnight resume repo-1"]);
    let job = place.only_job();
    assert_eq!((job.state(), job.reason()), ("parked", "disk_full"));
    assert!(place.branches().is_empty());
    // Nothing has changed: it waits again, and loses nothing.
    place.overnight(&["resume", "repo-1"]).expect_code(8);

    mount.again("size=64m");
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    let job = place.only_job();
    assert_eq!((job.reason(), &job.job["turns"]), ("published", &1.into()), "the turn was not taken again");
    assert_eq!(place.git(&["cat-file", "-s", &format!("{}:big", place.branches()[0])]), "3500000");
    place.check();
    drop(mount);
    place.finish();
}

/// Here even the database has no room: the runner has to leave, and the job must not be harmed by it.
#[test]
fn on_a_disk_without_any_room_the_job_is_not_lost() {
    let place = Place::new();
    let mount = match Mount::new(&place, "8m") {
        Ok(mount) => mount,
        Err(reason) => return skipped("disk without any room", &reason),
    };
    let fill = sh("head -c 100000000 /dev/urandom >\"$TMPDIR/filler\" || :; sync");
    let steps = format!("{FIX}, {fill}");
    let outcome = place.rehearse(&[&steps], &[]);
    assert!(matches!(outcome.code, Some(8 | 9)), "{outcome:?}");
    outcome.expect_said(&["full", "resume"]);
    mount.again("size=64m");
    place.overnight(&["resume", "--all"]).expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.check();
    drop(mount);
    place.finish();
}

#[test]
fn a_full_disk_refuses_a_new_job_and_says_so() {
    let place = Place::new();
    let mount = match Mount::new(&place, "64k") {
        Ok(mount) => mount,
        Err(reason) => return skipped("no room for a database", &reason),
    };
    let script = place.script(&[FIX]);
    place.overnight(&with_prompt(&script, &[])).expect_code(9).expect_said(&["full", "help: "]);
    drop(mount);
    place.finish();
}

#[test]
fn a_file_that_is_no_database_is_left_untouched() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    for text in ["my diary", &"x".repeat(100_000)] {
        let file = place.write("data/overnight.db", text);
        for args in [&with_prompt(&script, &[])[..], &["ls"], &["resume", "--all"]] {
            place.overnight(args).expect_code(9).expect_said(&["is not a database", "left untouched"]);
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        std::fs::remove_file(file).unwrap();
    }
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    place.finish();
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    let database = place.data().join("overnight.db");
    let ask = |statement: &str| {
        let output = Command::new("sqlite3").arg(&database).arg(statement).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(known) = ask("SELECT version FROM overnight_schema") else {
        return skipped("newer database", "the sqlite3 program is not installed");
    };
    let set = |version: &str| ask(&format!("UPDATE overnight_schema SET version = {version}")).is_some();
    assert!(set("99"));
    for args in
        [&with_prompt(&script, &[])[..], &["ls"], &["show", "repo-1"], &["resume"], &["cancel", "repo-1"]]
    {
        place.overnight(args).expect_code(9).expect_said(&["schema 99", "help: "]);
    }
    assert!(set(&known));
    assert_eq!(place.only_job().reason(), "published");
    place.finish();
}
