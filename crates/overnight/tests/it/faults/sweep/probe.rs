//! A run that nobody kills: how many events its jobs record, how long it takes, and how often it makes which system call.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use crate::harness::Place;
use crate::harness::fleet::{Engine, Worker};

use super::kill::{ARGS, traced};
use super::shape::Shape;

/// The calls at which something becomes lasting, is said to somebody, or is started. With each the number that no helper
/// process of ours reaches: a keeper is a copy of the worker, and strace counts its calls apart.
const CALLS: [(&str, u32); 17] = [
    ("fdatasync", 1),
    ("fsync", 2),
    ("write", 30),
    ("pwrite64", 1),
    ("openat", 30),
    ("rename", 1),
    ("renameat2", 1),
    ("link", 1),
    ("linkat", 1),
    ("unlink", 1),
    ("unlinkat", 1),
    ("mkdir", 1),
    ("rmdir", 1),
    ("sendto", 1),
    ("connect", 1),
    ("clone", 4),
    ("ftruncate", 1),
];

/// What there is to strike at in the jobs of a shape.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) events: u64,
    pub(super) millis: u64,
    /// Calls, with the first and the last number worth striking at. Empty without strace.
    pub(super) calls: Vec<(String, u32, u32)>,
}

impl Probe {
    pub(super) fn of(shape: Shape, engine: Engine) -> Self {
        let scene = shape.set(engine);
        let queued = scene.place.tables().count_events();
        let began = Instant::now();
        scene.place.worker(&ARGS).wait().expect_code(0);
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap();
        let events = scene.place.tables().count_events() - queued;
        scene.expect_ended(shape);
        scene.place.check_fleet();
        let traced = shape.set(engine);
        let calls = if strace_works() { count(&traced.place) } else { Vec::new() };
        Self { events, millis, calls }
    }
}

/// Whether processes can be traced here, and let go of when they become another program.
pub(crate) fn strace_works() -> bool {
    let tried =
        Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "-b", "execve", "--", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// The most often that one thread makes each call: strace counts threads apart.
fn count(place: &Place) -> Vec<(String, u32, u32)> {
    // A call that this kind of machine does not have is passed over.
    let names: Vec<String> = CALLS.iter().map(|(name, _)| format!("?{name}")).collect();
    let path = place.path("trace");
    let options = ["-e", &format!("trace={}", names.join(",")), "-o", path.to_str().unwrap()];
    Worker::start(traced(place, &options), place).wait().expect_code(0);
    let text = std::fs::read(&path).unwrap();
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        if let Some((name, _)) = call.trim_start().split_once('(') {
            *counts.entry((name.to_owned(), thread.to_owned())).or_default() += 1;
        }
    }
    let most =
        |name: &str| counts.iter().filter(|((call, _), _)| call == name).map(|(_, count)| *count).max();
    let worth = CALLS.iter().filter_map(|(name, first)| {
        let last = most(name).filter(|last| last >= first)?;
        Some(((*name).to_owned(), *first, last))
    });
    worth.collect()
}
