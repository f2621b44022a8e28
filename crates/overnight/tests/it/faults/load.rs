//! Many jobs at once on one worker, and how it is stopped while they run.

use std::process::Command;
use std::time::Duration;

use crate::harness::fleet::{Engine, FIX, Worker, held_until, place_on};
use crate::harness::{Place, sh};

/// Fewer open files than forty jobs need: the usual limit of a process, scaled down with the number of jobs.
const FILES: &str = "200";

#[test]
fn forty_jobs_run_at_once_and_all_are_done() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "forty_jobs_run_at_once") else { continue };
        let gate = place.path("gate");
        let limit = place.path("limit");
        let ask = sh(&format!("ulimit -S -n > '{}'", limit.display()));
        let held = format!("{ask}, {}", held_until(gate.to_str().unwrap()));
        let keys: Vec<String> =
            (0..40).map(|number| place.add("repo", &[&held], &["--group", &format!("g{number}")])).collect();
        let worker = with_few_files(&place);
        for key in &keys {
            place.until_at_gate(key);
        }
        assert_eq!(place.agents().len(), 40, "all at once");
        let (memory, files) = usage(worker.pid());
        println!("on {}: {} MiB and {files} open files with 40 agents", engine.word(), memory >> 10);
        assert_eq!(std::fs::read_to_string(&limit).unwrap().trim(), FILES, "agents have the usual limit");
        std::fs::write(&gate, "").unwrap();
        worker.wait().expect_code(0);
        for key in &keys {
            assert_eq!(place.tables().job(key).end_reason.as_deref(), Some("published"));
        }
        assert_eq!(place.branches().len(), 40);
        place.check_fleet();
    }
}

fn with_few_files(place: &Place) -> Worker {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -S -n {FILES} && exec \"$@\""), "sh"]);
    command.args([env!("CARGO_BIN_EXE_overnight"), "work", "--slots=40", "--exit-when-idle"]);
    command.current_dir(place.home()).env_clear().envs(place.environment());
    Worker::start(command, place)
}

#[test]
fn a_drained_worker_ends_what_runs_and_takes_nothing_more() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "a_drained_worker") else { continue };
        let (running, waiting, gate) = three_of_four(&place);
        let worker = place.worker(&["--slots=3"]);
        for key in &running {
            place.until_at_gate(key);
        }
        worker.signal("TERM");
        worker.until_said("takes no more jobs");
        std::fs::write(&gate, "").unwrap();
        worker.wait().expect_code(0);
        for key in &running {
            assert_eq!(place.tables().job(key).end_reason.as_deref(), Some("published"));
        }
        let left = place.tables().job(&waiting);
        assert_eq!((left.phase.as_str(), left.fence), ("ready", 0), "{left:?}");
        place.check_fleet();
    }
}

#[test]
fn a_forced_worker_lets_go_of_everything_and_costs_no_attempt() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "a_forced_worker") else { continue };
        let (running, waiting, gate) = three_of_four(&place);
        let worker = place.worker(&["--slots=3"]);
        for key in &running {
            place.until_at_gate(key);
        }
        worker.signal("TERM");
        worker.until_said("takes no more jobs");
        worker.signal("TERM");
        worker.wait().expect_code(8);
        assert_eq!(place.agents(), Vec::<u32>::new(), "the trees are gone with the worker");
        for key in &running {
            let job = place.tables().job(key);
            assert_eq!((job.phase.as_str(), job.lost), ("ready", 0), "given back, not lost: {job:?}");
        }
        place.check_fleet();
        std::fs::write(&gate, "").unwrap();
        place.work_off().expect_code(0);
        for key in running.iter().chain([&waiting]) {
            let events = place.tables().events(key);
            assert_eq!(place.tables().job(key).end_reason.as_deref(), Some("published"));
            assert!(events.iter().all(|event| event["type"] != "attempt_failed"), "{events:#?}");
        }
        place.check_fleet();
    }
}

/// Three jobs for three slots, one that has to wait, and the gate at which their agents stand.
fn three_of_four(place: &Place) -> (Vec<String>, String, std::path::PathBuf) {
    let gate = place.path("gate");
    let held = held_until(gate.to_str().unwrap());
    let add = |group: &str| place.add("repo", &[&held], &["--group", group]);
    let running = vec![add("a"), add("b"), add("c")];
    let waiting = place.add("repo", &[FIX], &["--group", "d"]);
    (running, waiting, gate)
}

/// Resident memory in KiB, and open files.
fn usage(pid: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
    (kib, std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

/// A worker with nothing to do hears of a job at once, and of many without a rush on the machine.
#[test]
fn an_idle_worker_takes_a_job_soon_after_it_is_added() {
    for engine in Engine::BOTH {
        let Some(mut place) = place_on(engine, "an_idle_worker_takes_a_job_soon") else { continue };
        // Longer than the test: only hearing of the job can make it soon.
        place.env("OVERNIGHT_WORKER_POLL", "1h");
        let worker = place.worker(&[]);
        worker.until_said("job");
        std::thread::sleep(Duration::from_millis(300));
        let key = place.add("repo", &[FIX], &[]);
        assert_eq!(place.until_ended(&key), "published");
        worker.stop().expect_code(0);
        place.check_fleet();
    }
}
