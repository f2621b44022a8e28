//! Whoever adds a job dies while doing so, and asks again with the same key: it is one job, whole.

use std::process::Command;

use crate::harness::fleet::{Engine, FIX, Worker, place_on};
use crate::harness::{Place, skipped};

/// Calls by which the job reaches the database: SQLite's file, and PostgreSQL's socket.
fn calls(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Sqlite => &["fsync", "fdatasync", "pwrite64"],
        Engine::Postgres => &["sendto"],
    }
}

#[test]
fn an_add_that_is_killed_and_repeated_makes_one_job() {
    let test = "an_add_that_is_killed_and_repeated_makes_one_job";
    if !super::sweep::strace_works() {
        return skipped(test, "strace is not installed or not permitted");
    }
    for engine in Engine::BOTH {
        let mut kills = 0;
        for call in calls(engine) {
            // Every place at first, then further apart: the first connection makes the schema.
            let mut nth = 1;
            loop {
                let Some(place) = place_on(engine, test) else { return };
                let script = place.script(&[FIX]);
                if !killed(&place, &script, call, nth) {
                    break;
                }
                kills += 1;
                place.overnight_in(&place.home(), &add(&place, &script)).expect_code(0);
                let jobs = place.tables().jobs();
                assert_eq!(jobs.len(), 1, "{call} {nth}: {jobs:#?}");
                place.check_fleet();
                nth += 1 + nth / 8;
            }
        }
        assert!(kills > 5, "{kills} on {}", engine.word());
        println!("on {}: killed {kills} times while a job was added", engine.word());
    }
}

fn add<'a>(place: &Place, script: &'a str) -> Vec<&'a str> {
    assert!(place.repo().exists());
    vec!["add", "-C", "../repo", "--key", "once", "--script", script, "Make the check pass"]
}

/// Whether it was killed; otherwise it is done.
fn killed(place: &Place, script: &str, call: &str, nth: u32) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={nth}");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-b",
        "execve",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={call}"),
        "-e",
        &inject,
    ]);
    command.arg("--").arg(env!("CARGO_BIN_EXE_overnight")).args(add(place, script));
    command.current_dir(place.home()).env_clear().envs(place.environment());
    let code = Worker::start(command, place).wait().code;
    assert!(matches!(code, None | Some(0)), "{code:?}");
    code.is_none()
}
