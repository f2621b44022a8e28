//! The disk under the data directory fills up: no job is taken until there is room again.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::fleet::{Engine, FIX, Worker, place_on};
use crate::harness::{Place, eventually, skipped};

const TEST: &str = "a_full_disk_pauses_intake_until_there_is_room";

/// Mounts a small disk on the data directory, which keeps its identity there, and goes on as the worker.
const MOUNT: &str = r#"id=$(cat "$0/place") && mount -t tmpfs -o size=64m tmpfs "$0" && echo "$id" > "$0/place" && exec "$@""#;

#[test]
fn a_full_disk_pauses_intake_until_there_is_room() {
    let mut place = place_on(Engine::Sqlite, TEST).unwrap();
    // The queue is elsewhere: commands outside of the worker's mounts use it.
    let queue = place.path("queue.db");
    place.env("OVERNIGHT_DATABASE_URL", &queue).env("OVERNIGHT_WORKER_DISK_FLOOR", "32MiB");
    place.env("OVERNIGHT_WORKER_PROBE", "1s");
    let first = place.add("repo", &[FIX], &[]);
    let Some(unshare) = unshare() else {
        return skipped(TEST, "mounts of its own are not permitted here");
    };
    let worker = worker(&place, &unshare);
    assert_eq!(place.until_ended(&first), "published");

    // As seen by the worker.
    let inside = PathBuf::from(format!("/proc/{}/root", worker.pid()));
    let filler = inside.join(place.data().strip_prefix("/").unwrap()).join("filler");
    std::fs::write(&filler, vec![1; 48 << 20]).unwrap();
    worker.until_said("takes no jobs");
    let second = place.add("repo", &[FIX], &[]);
    // It looks again several times.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let job = place.tables().job(&second);
    assert_eq!((job.phase.as_str(), job.fence), ("ready", 0), "{job:?}\n{}", worker.said());

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(place.until_ended(&second), "published");
    worker.stop().expect_code(0);
}

/// The options that give a process mounts of its own here.
fn unshare() -> Option<Vec<&'static str>> {
    let works = |options: &Vec<&str>| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
        command.output().is_ok_and(|output| output.status.success())
    };
    [vec!["--mount"], vec!["--user", "--map-root-user", "--mount"]].into_iter().find(works)
}

fn worker(place: &Place, unshare: &[&str]) -> Worker {
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-c", MOUNT]).arg(place.data());
    command.args([env!("CARGO_BIN_EXE_overnight"), "work", "--slots=2"]);
    command.current_dir(place.home()).env_clear().envs(place.environment());
    let worker = Worker::start(command, place);
    eventually("a worker on the small disk", || worker.said().contains("takes 2 jobs").then_some(()));
    worker
}
