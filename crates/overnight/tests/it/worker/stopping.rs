//! How a worker ends: drained by a signal or by a command, forced by a second signal or by time; and how it hears of a new
//! configuration.

use std::os::unix::net::UnixDatagram;

use super::place;
use crate::harness::fleet::{FIX, Worker, held_until};
use crate::harness::{Place, eventually};

/// A worker with one slot that holds a job of `repo`, a second one that is ready, and the file that lets the first go on.
fn busy(place: &Place, more: &[&str]) -> (Worker, String, String, std::path::PathBuf) {
    let go = place.path("go");
    let running = place.add("repo", &[&held_until(go.to_str().unwrap())], &[]);
    let worker = place.worker(&[&["--slots", "1"], more].concat());
    place.until_event(&running, "turn_started");
    let ready = place.add("repo", &[FIX], &[]);
    (worker, running, ready, go)
}

#[test]
fn sigterm_finishes_what_runs_and_takes_nothing_more() {
    for signal in ["TERM", "INT"] {
        let place = place();
        let (worker, running, ready, go) = busy(&place, &[]);
        worker.signal(signal);
        worker.until_said("1 job still to end");
        worker.until_said("a second signal lets go");
        std::fs::write(go, "").unwrap();
        worker.wait().expect_code(0).expect_said(&["ended after 1 job"]);
        assert_eq!(place.until_ended(&running), "published");
        assert_eq!(place.shown(&ready).state(), "queued");
        assert!(place.workers().is_empty());
        place.check_fleet();
        place.finish();
    }
}

#[test]
fn a_second_signal_lets_go_and_the_job_goes_on_elsewhere() {
    let place = place();
    let (worker, running, ready, go) = busy(&place, &[]);
    worker.signal("TERM");
    worker.until_said("1 job still to end");
    worker.signal("TERM");
    worker.wait().expect_code(8).expect_said(&["let go of"]);
    assert_eq!(place.shown(&running).state(), "working");
    std::fs::write(go, "").unwrap();
    place.work_off().expect_code(0);
    for key in [&running, &ready] {
        assert_eq!(place.until_ended(key), "published");
    }
    let job = place.shown(&running);
    assert_eq!(job.job["attempt"], 1, "letting go uses up no attempt: {:#}", job.job);
    assert!(job.first("worker_lost").is_none(), "it was given back, not lost");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_drain_takes_no_longer_than_it_may() {
    let mut place = place();
    place.env("OVERNIGHT_WORKER_DRAIN_TIMEOUT", "1s");
    let (worker, running, _, _) = busy(&place, &[]);
    worker.signal("TERM");
    worker.wait().expect_code(8).expect_said(&["worker.drain_timeout"]);
    assert_eq!(place.shown(&running).state(), "working");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_worker_is_drained_from_another_process() {
    let place = place();
    place.overnight(&["worker", "drain", "x"]).expect_code(2).expect_said(&["no worker"]);
    let (worker, running, ready, go) = busy(&place, &[]);
    place.overnight(&["worker", "drain", "nobody-here"]).expect_code(2).expect_said(&["there is no worker"]);
    let id = place.workers()[0]["id"].as_str().unwrap().to_owned();
    let host = id.split(':').next().unwrap();
    place.overnight(&["worker", "drain", host]).expect_code(0).expect_said(&[&id, "takes no more jobs"]);
    worker.until_said("1 job still to end");
    let told = place.until_status("draining");
    assert_eq!((&told["drain"], &told["health"]["healthy"]), (&true.into(), &true.into()), "{told:#}");
    std::fs::write(go, "").unwrap();
    worker.wait().expect_code(0);
    assert_eq!(place.until_ended(&running), "published");
    assert_eq!(place.shown(&ready).state(), "queued");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_drain_is_taken_back_as_long_as_the_worker_is_there() {
    let mut place = place();
    place.env("OVERNIGHT_WORKER_DRAIN_TIMEOUT", "1h");
    let (worker, running, ready, go) = busy(&place, &[]);
    place.overnight(&["worker", "drain", "--all"]).expect_code(0);
    worker.until_said("1 job still to end");
    place.until_status("draining");
    place
        .overnight(&["worker", "drain", "--all", "--undo"])
        .expect_code(0)
        .expect_said(&["takes jobs again"]);
    worker.until_said("takes jobs again: the drain was taken back");
    std::fs::write(&go, "").unwrap();
    for key in [&running, &ready] {
        assert_eq!(place.until_ended(key), "published");
    }

    // What a signal asked for is not taken back.
    std::fs::remove_file(&go).unwrap();
    let held = place.add("repo", &[&held_until(go.to_str().unwrap())], &[]);
    place.until_event(&held, "turn_started");
    place.overnight(&["worker", "drain", "--all"]).expect_code(0);
    eventually("the second drain", || (worker.said().matches("still to end").count() == 2).then_some(()));
    worker.signal("TERM");
    worker.until_said("SIGTERM");
    place.overnight(&["worker", "drain", "--all", "--undo"]).expect_code(0);
    let late = place.add("repo", &[FIX], &[]);
    std::fs::write(&go, "").unwrap();
    worker.wait().expect_code(0);
    assert_eq!(place.until_ended(&held), "published");
    assert_eq!(place.shown(&late).state(), "queued");
    place.check_fleet();
    place.finish();
}

#[test]
fn sighup_reads_the_configuration_again_and_a_broken_one_changes_nothing() {
    let place = place();
    place.make_repo("other");
    place.configure("[worker]\nslots = 1\n");
    let go = place.path("go");
    let held = held_until(go.to_str().unwrap());
    let (first, second) = (place.add("repo", &[&held], &[]), place.add("other", &[&held], &[]));
    let worker = place.worker(&[]);
    worker.until_said("takes 1 job at a time");
    eventually("the first is taken", || (place.status()["queue"]["held"] == 1).then_some(()));

    place.configure("[worker]\nslots = 0\n");
    worker.signal("HUP");
    worker.until_said("the old one stays");
    worker.until_said("config.toml:2");
    assert_eq!(place.status()["queue"]["held"], 1);

    place.configure("[worker]\nslots = 2\nlog_bytes = 1000000\nbackoff_max = \"7s\"\n");
    worker.signal("HUP");
    worker.until_said(
        "from now on: worker.slots, worker.backoff_max; from the next start on: worker.log_bytes",
    );
    eventually("the second is taken", || (place.status()["queue"]["held"] == 2).then_some(()));

    std::fs::write(go, "").unwrap();
    for key in [&first, &second] {
        assert_eq!(place.until_ended(key), "published");
    }
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

/// Reads on until the service manager is told this.
#[track_caller]
fn until_told(manager: &UnixDatagram, what: &str) -> String {
    eventually(what, || Some(hear(manager).unwrap()).filter(|told| told.starts_with(what)))
}

/// The next message. A signal that reaches this process ends a receive with a time limit early, whoever it was for.
fn hear(manager: &UnixDatagram) -> std::io::Result<String> {
    let mut buffer = [0; 1024];
    loop {
        match manager.recv(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            heard => return heard.map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned()),
        }
    }
}

#[test]
fn a_service_manager_is_kept_informed() {
    let mut place = place();
    let socket = place.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    place.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "8000000");
    let worker = place.worker(&["--slots", "3"]);
    until_told(&manager, "READY=1");
    until_told(&manager, "STATUS=idle: 0 of 3 slots");
    for _ in 0..2 {
        until_told(&manager, "WATCHDOG=1");
    }
    worker.signal("HUP");
    let reloading = until_told(&manager, "RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    until_told(&manager, "READY=1");
    worker.signal("TERM");
    until_told(&manager, "STOPPING=1");
    worker.wait().expect_code(0);
    place.finish();
}

/// A heart that stands still is told of by silence.
#[test]
fn a_stopped_process_feeds_no_watchdog() {
    let mut place = place();
    let socket = place.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    place.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "8000000");
    let worker = place.worker(&[]);
    until_told(&manager, "WATCHDOG=1");
    worker.signal("STOP");
    manager.set_nonblocking(true).unwrap();
    while hear(&manager).is_ok() {}
    manager.set_nonblocking(false).unwrap();
    // Several heartbeats, and as many looks at them.
    manager.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    assert_eq!(hear(&manager).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    worker.signal("CONT");
    manager.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    until_told(&manager, "WATCHDOG=1");
    worker.stop().expect_code(0);
    place.finish();
}
