//! Nothing of a tree outlives it, and nothing outside of it is touched.

use overnight_core::command::{Exit, StopReason};

use super::*;

/// Shell words for ways out of a process group, all holding the leash.
const ESCAPES: [(&str, &str); 4] = [
    ("background", "sleep 600 & "),
    ("setsid", "setsid sleep 600 >/dev/null 2>&1 & "),
    ("double fork", "(setsid sh -c 'sleep 600 & sleep 600' >/dev/null 2>&1 &) ; "),
    ("deaf", "(trap '' TERM INT HUP; setsid sh -c 'sleep 600; sleep 600' &) ; "),
];

#[tokio::test]
async fn nothing_outlives_a_program_that_ends_by_itself() {
    let mut canary = Canary::new();
    for mode in modes("leftovers") {
        for (name, escape) in ESCAPES {
            let bench = Bench::new();
            let leash = Leash::new(&bench);
            let ran = bench.run(mode, &bench.sh(&format!("{}{escape}echo done; exit 7", leash.on()))).await;
            assert_eq!((ran.report.exit, ran.report.stopped), (Exit::Code(7), None), "{name} {mode:?}");
            assert!(ran.report.left_processes, "{name} {mode:?}");
            assert!(ran.report.elapsed < Duration::from_secs(2), "{name} {mode:?} {:?}", ran.report.elapsed);
            assert!(leash.held_by_nobody_within(Duration::from_secs(1)), "{name} {mode:?}");
            assert_eq!(crate::read_exit_record(&bench.path("exit")).unwrap(), Some(Exit::Code(7)));
            canary.assert_alive();
        }
    }
}

#[tokio::test]
async fn a_helper_that_ends_with_its_parent_is_not_called_left() {
    for mode in modes("settling") {
        let bench = Bench::new();
        let fifo = Leash::new(&bench);
        // The reader of the fifo ends by itself as soon as its last writer, the program, has ended.
        let script = format!("cat <{} >/dev/null & {}echo done", fifo.path.display(), fifo.on());
        let ran = bench.run(mode, &bench.sh(&script)).await;
        assert!(ran.report.success());
        drop(fifo);
    }
}

#[tokio::test]
async fn a_tree_that_ignores_term_is_killed_after_the_grace() {
    let mut canary = Canary::new();
    for mode in modes("deaf tree") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        let script = format!(
            "trap '' TERM INT HUP; {}(setsid sleep 600 &); sleep 600 & echo up; while :; do wait; sleep 1; done",
            leash.on()
        );
        let mut spec = bench.sh(&script);
        spec.limits.grace = Duration::from_millis(300);
        let stop = CancellationToken::new();
        let running = bench.spawn(mode, &spec).unwrap();
        let asked = stop.clone();
        let ran = drive(running, &stop, move |_| {
            asked.cancel();
            Reply::default()
        })
        .await;
        assert_eq!(
            (ran.report.exit, ran.report.stopped),
            (Exit::Signal(9), Some(StopReason::Asked)),
            "{mode:?}"
        );
        assert!(
            ran.report.elapsed >= Duration::from_millis(300) && ran.report.elapsed < Duration::from_secs(4)
        );
        assert!(leash.held_by_nobody_within(Duration::from_secs(1)), "{mode:?}");
        assert_eq!(crate::read_exit_record(&bench.path("exit")).unwrap(), None, "it did not end by itself");
        canary.assert_alive();
    }
}

#[tokio::test]
async fn a_program_that_hears_term_cleans_up_and_the_end_is_still_ours() {
    for mode in modes("graceful") {
        let bench = Bench::new();
        let spec = bench.sh("trap 'echo cleaned; exit 143' TERM; sleep 600 & echo up; wait");
        let ran =
            bench.run_with(mode, &spec, |line| Reply { stop: line.bytes == b"up", ..Reply::default() }).await;
        assert_eq!(ran.stdout(), "up\ncleaned\n");
        assert_eq!((ran.report.exit, ran.report.stopped), (Exit::Code(143), Some(StopReason::Driver)));
        assert_eq!(crate::read_exit_record(&bench.path("exit")).unwrap(), None);
    }
}

#[tokio::test]
async fn stopped_processes_are_ended_too() {
    for mode in modes("stopped") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        // One left behind, and then the program itself.
        let script = format!("{}sleep 600 & kill -STOP $!; exit 0", leash.on());
        let ran = bench.run(mode, &bench.sh(&script)).await;
        assert!(ran.report.success() && ran.report.left_processes);
        let script = format!("{}echo up; kill -STOP $$", leash.on());
        let ran =
            bench.run_with(mode, &bench.sh(&script), |_| Reply { stop: true, ..Reply::default() }).await;
        assert_eq!(ran.report.stopped, Some(StopReason::Driver));
        assert!(leash.held_by_nobody_within(Duration::from_secs(1)), "{mode:?}");
    }
}

#[tokio::test]
async fn a_tree_that_keeps_forking_ends() {
    for mode in modes("forking") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        std::fs::write(
            bench.path("hydra"),
            "trap '' TERM\necho up\nsetsid sh $0 & setsid sleep 600 &\nexit 0\n",
        )
        .unwrap();
        let script = format!("{}sh {} & echo begun; sleep 600", leash.on(), bench.path("hydra").display());
        let mut spec = bench.sh(&script);
        spec.limits.grace = Duration::from_millis(100);
        let mut seen = 0;
        let ran = bench
            .run_with(mode, &spec, |_| {
                seen += 1;
                Reply { stop: seen == 20, ..Reply::default() }
            })
            .await;
        assert_eq!(ran.report.stopped, Some(StopReason::Driver));
        assert!(leash.held_by_nobody_within(Duration::from_secs(2)), "{mode:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_thread_that_started_it_means_nothing_to_a_command() {
    for mode in modes("thread") {
        let bench = Arc::new(Bench::new());
        let runtime = tokio::runtime::Handle::current();
        let there = Arc::clone(&bench);
        let spec = driven(bench.sh("read -r word; echo got $word"));
        let start = move || {
            let _inside = runtime.enter();
            let begun = Instant::now();
            let running = there.spawn(mode, &spec).unwrap();
            println!("spawn in {mode:?}: {:?}", begun.elapsed());
            running
        };
        let thread = std::thread::spawn(start);
        let running = thread.join().unwrap();
        assert!(crate::is_alive(running.identity()));
        // What would have killed it with its thread has done so by the time another whole command has come and gone.
        let other = bench.sh("true");
        let capture = Capture { stdout: bench.path("o"), stderr: bench.path("e"), exit_record: None };
        let other = spawn_in(mode, &other, &capture, Arc::new(NoRedaction)).unwrap();
        assert!(drive(other, &CancellationToken::new(), |_| Reply::default()).await.report.success());
        assert!(crate::is_alive(running.identity()));
        drop(running);
    }
}

#[tokio::test]
async fn dropping_a_running_command_kills_it() {
    for mode in modes("drop") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        let running = bench
            .spawn(
                mode,
                &bench.sh(&format!(
                    "{}setsid sleep 600 & echo up >{}; sleep 600",
                    leash.on(),
                    bench.path("up").display()
                )),
            )
            .unwrap();
        await_file(&bench.path("up"));
        assert!(crate::is_alive(running.identity()));
        drop(running);
        assert!(leash.held_by_nobody_within(Duration::from_secs(2)), "{mode:?}");
    }
}

#[tokio::test]
async fn a_recorded_tree_is_ended_and_a_namesake_is_not() {
    for mode in modes("kill_tree") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        let running = bench
            .spawn(
                mode,
                &bench.sh(&format!(
                    "trap '' TERM; {}setsid sleep 600 & echo up >{}; sleep 600",
                    leash.on(),
                    bench.path("up").display()
                )),
            )
            .unwrap();
        await_file(&bench.path("up"));
        let identity = running.identity().clone();
        let mut namesake = identity.clone();
        namesake.start_ticks += 1;
        let grace = Duration::from_millis(100);
        assert_eq!(crate::kill_tree(&namesake, grace).await, crate::KillOutcome::AlreadyGone);
        assert!(crate::is_alive(&identity));
        let stop = CancellationToken::new();
        let end =
            tokio::join!(crate::kill_tree(&identity, grace), drive(running, &stop, |_| Reply::default()));
        assert_eq!(end.0, crate::KillOutcome::Ended);
        assert!(!crate::is_alive(&identity));
        assert!(leash.held_by_nobody_within(Duration::from_secs(1)), "{mode:?}");
        assert_eq!(crate::kill_tree(&identity, grace).await, crate::KillOutcome::AlreadyGone);
    }
}

#[tokio::test]
async fn a_killed_keeper_takes_the_tree_along() {
    for mode in modes("killed keeper") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        let running =
            bench.spawn(mode, &bench.sh(&format!("{}sleep 600 & echo up; wait", leash.on()))).unwrap();
        let identity = running.identity().clone();
        let keeper = identity.pid.to_string();
        let ran = drive(running, &CancellationToken::new(), move |_| {
            assert!(Command::new("kill").args(["-9", &keeper]).status().unwrap().success());
            Reply::default()
        })
        .await;
        assert_eq!(ran.report.exit, Exit::Unknown, "{mode:?}");
        crate::kill_tree(&identity, Duration::ZERO).await;
        assert!(leash.held_by_nobody_within(Duration::from_secs(1)), "{mode:?}");
    }
}
