//! The clock of the machine jumps by an hour. With SQLite it is the queue's clock as well; with PostgreSQL the worker's clock
//! is then another than the queue's.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::fleet::{Engine, held_until, place_on};
use crate::harness::{Place, eventually, skipped};

const HOUR: i64 = 3600;

/// Adds the seconds in a file to the time of day of every program that loads it.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long ahead(void) {
    int saved = errno;
    char text[32] = {0};
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
        close(file);
    }
    errno = saved;
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec at;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (now) *now = at.tv_sec;
    return at.tv_sec;
}
"#;

/// A place whose clock can be set, and the file that says how far it is ahead.
fn place(engine: Engine, test: &str) -> Option<(Place, PathBuf)> {
    let mut place = place_on(engine, test)?;
    let source = place.write("shim.c", SHIM);
    let shim = place.path("shim.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).output();
    if !built.is_ok_and(|output| output.status.success()) {
        skipped(test, "no C compiler to build a clock with");
        return None;
    }
    let offset = place.write("offset", "0");
    place.env("LD_PRELOAD", &shim).env("CLOCK_OFFSET", &offset);
    Some((place, offset))
}

fn jump(offset: &PathBuf, seconds: i64) {
    // In one step: a file that is half written is a clock that jumps twice.
    let next = offset.with_extension("next");
    std::fs::write(&next, seconds.to_string()).unwrap();
    std::fs::rename(next, offset).unwrap();
}

fn claims(place: &Place, key: &str) -> usize {
    place.tables().events(key).iter().filter(|event| event["type"] == "claimed").count()
}

#[test]
fn a_running_job_stays_with_its_worker_when_the_clock_jumps() {
    for engine in Engine::BOTH {
        for seconds in [HOUR, -HOUR] {
            let test = "a_running_job_stays_with_its_worker_when_the_clock_jumps";
            let Some((place, offset)) = place(engine, test) else { continue };
            stays(&place, &offset, seconds, engine);
        }
    }
}

fn stays(place: &Place, offset: &PathBuf, seconds: i64, engine: Engine) {
    let gate = place.path("gate");
    let holder = place.worker(&["--slots=1"]);
    let key = place.add("repo", &[&held_until(gate.to_str().unwrap())], &["--max-time", "30m"]);
    place.until_at_gate(&key);
    // It looks for lost jobs once a second.
    let other = place.worker(&["--slots=1"]);
    other.until_said("takes 1 job");
    let agents = place.agents();
    jump(offset, seconds);
    // Several heartbeats and several looks.
    std::thread::sleep(Duration::from_secs(4));
    let what = format!("{} by {seconds} s", engine.word());
    assert_eq!(place.agents(), agents, "{what}: {}\n{}", holder.said(), other.said());
    std::fs::write(&gate, "").unwrap();
    assert_eq!(place.until_ended(&key), "published", "{what}");
    assert_eq!(claims(place, &key), 1, "{what}");
    for worker in [holder, other] {
        worker.stop().expect_code(0);
    }
    place.check_fleet();
}

#[test]
fn a_lease_is_not_immortal_when_the_clock_is_set_back() {
    for engine in Engine::BOTH {
        let Some((mut place, offset)) = place(engine, "a_lease_is_not_immortal") else { continue };
        place.env("OVERNIGHT_WORKER_LEASE", "3s");
        let gate = place.path("gate");
        let stopped = place.worker(&["--slots=1"]);
        let key = place.add("repo", &[&held_until(gate.to_str().unwrap())], &[]);
        place.until_at_gate(&key);
        // It has to know what the clock showed before.
        let other = place.worker(&["--slots=1"]);
        other.until_said("takes 1 job");
        std::thread::sleep(Duration::from_secs(2));
        stopped.signal("STOP");
        jump(&offset, -HOUR);
        std::fs::write(&gate, "").unwrap();
        eventually("a second claim", || (claims(&place, &key) == 2).then_some(()));
        assert_eq!(place.until_ended(&key), "published");
        stopped.signal("CONT");
        for worker in [stopped, other] {
            worker.stop().expect_code(0);
        }
        place.check_fleet();
    }
}
