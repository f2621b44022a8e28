//! Every bound holds, and what it cuts is said.

use overnight_core::command::{Exit, StopReason};

use super::*;

#[tokio::test]
async fn the_wall_and_the_silence_end_a_command() {
    for mode in modes("timeouts") {
        let bench = Bench::new();
        let mut spec = bench.sh("while :; do echo tick; sleep 0.02; done");
        spec.limits.wall = Some(Duration::from_millis(400));
        spec.limits.silence = Some(Duration::from_secs(10));
        let ran = bench.run(mode, &spec).await;
        assert_eq!((ran.report.exit, ran.report.stopped), (Exit::Signal(15), Some(StopReason::WallTimeout)));
        assert!(ran.report.elapsed >= Duration::from_millis(400));

        let mut spec = bench.sh("echo once; exec >/dev/null 2>&1; sleep 600");
        spec.limits.wall = Some(PATIENCE);
        spec.limits.silence = Some(Duration::from_millis(300));
        let ran = bench.run(mode, &spec).await;
        // Too short a limit to compare two looks.
        assert_eq!(ran.report.stopped, Some(StopReason::SilenceTimeout { idle: None }));
        assert_eq!(ran.stdout(), "once\n");
    }
}

/// The loop is that of a child of the program's, as a build of an agent's tool would be.
#[tokio::test]
async fn silent_work_is_told_from_a_silent_wait() {
    for mode in modes("silent work") {
        let bench = Bench::new();
        let mut spec = bench.sh("echo once; (while :; do :; done) & wait");
        spec.limits.silence = Some(Duration::from_secs(1));
        spec.limits.silence_busy = Some(Duration::from_secs(4));
        let ran = bench.run(mode, &spec).await;
        assert_eq!(ran.report.stopped, Some(StopReason::SilenceTimeout { idle: Some(false) }), "{mode:?}");
        assert!(ran.report.elapsed >= Duration::from_secs(4));

        let mut spec = bench.sh("echo once; sleep 600 & wait");
        spec.limits.silence = Some(Duration::from_secs(1));
        spec.limits.silence_busy = Some(2 * PATIENCE);
        let ran = bench.run(mode, &spec).await;
        assert_eq!(ran.report.stopped, Some(StopReason::SilenceTimeout { idle: Some(true) }), "{mode:?}");
    }
}

#[tokio::test]
async fn a_finished_turn_that_does_not_leave_is_ended_and_one_that_does_is_not() {
    for mode in modes("finish") {
        let bench = Bench::new();
        let within =
            |millis| Reply { finish_within: Some(Duration::from_millis(millis)), ..Reply::default() };
        let ran = bench.run_with(mode, &bench.sh("echo result; sleep 600"), |_| within(100)).await;
        assert_eq!(ran.report.stopped, Some(StopReason::Driver));
        let ran = bench.run_with(mode, &bench.sh("echo result; exit 0"), |_| within(10_000)).await;
        assert!(ran.report.success());
    }
}

#[tokio::test]
async fn a_pipe_kept_open_from_outside_is_not_waited_for() {
    for mode in modes("drain") {
        let bench = Bench::new();
        let mut spec = bench.sh("echo ready; sleep 600");
        spec.args[1] = format!(
            "echo $$ >{}; echo hello; while [ ! -e {} ]; do sleep 0.01; done; printf partial; exit 5",
            bench.path("up").display(),
            bench.path("held").display()
        )
        .into();
        spec.limits.drain = Duration::from_millis(300);
        let running = bench.spawn(mode, &spec).unwrap();
        let keeper = running.identity().pid;
        await_file(&bench.path("up"));
        // A stranger holds the write end: found through the only process below the keeper that has it.
        let children = |pid: u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            text.split_whitespace().next().unwrap().parse::<u32>().unwrap()
        };
        let child = children(keeper);
        let program = if mode.is_some() { children(child) } else { child };
        let Ok(held) = File::options().write(true).open(format!("/proc/{program}/fd/1")) else {
            println!("skipped: drain {mode:?}: the program's files cannot be opened");
            continue;
        };
        std::fs::write(bench.path("held"), "").unwrap();
        let ran = drive(running, &CancellationToken::new(), |_| Reply::default()).await;
        drop(held);
        assert_eq!((ran.report.exit, ran.stdout().as_str()), (Exit::Code(5), "hello\npartial\n"), "{mode:?}");
        assert!(ran.report.elapsed < Duration::from_secs(5));
    }
}

/// Resident memory of this process in KiB.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_flood_without_line_ends_costs_no_memory() {
    let bench = Bench::new();
    let mut spec = bench.sh("head -c 400000000 /dev/zero; echo; echo after");
    spec.limits.log_bytes = 1 << 20;
    let before = resident_kib();
    let ran = bench.run(crate::spawn::best_namespace(&spec), &spec).await;
    let grown = resident_kib() - before;
    println!("a flood of 400 MB: memory grew by {grown} KiB in {:?}", ran.report.elapsed);
    assert!(grown < 40_000, "{grown} KiB");
    assert_eq!(ran.lines.len(), 2);
    assert_eq!((ran.lines[0].1.len(), ran.lines[0].2), (1 << 20, true));
    assert_eq!((ran.lines[1].1.as_slice(), ran.lines[1].2), (&b"after"[..], false));
    let log = bench.log();
    let marker = b"\n[overnight: the log ends here, at its limit of 1048576 bytes]\n";
    assert!(log.ends_with(marker));
    assert_eq!(log.len(), (1 << 20) + marker.len());
    assert_eq!(ran.report.dropped_bytes, 400_000_000 + 7 - (1 << 20));
}

#[tokio::test]
async fn every_byte_is_kept_as_it_came() {
    let bench = Bench::new();
    let ran =
        bench.run(None, &bench.sh(r"printf 'a\377\000b\r\n\n\303'; printf '\251\n' ; printf 'no end'")).await;
    assert_eq!(bench.log(), b"a\xff\0b\r\n\n\xc3\xa9\nno end");
    let lines: Vec<&[u8]> = ran.lines.iter().map(|(_, bytes, _)| bytes.as_slice()).collect();
    assert_eq!(lines, [&b"a\xff\0b\r"[..], b"", b"\xc3\xa9", b"no end"]);
}

#[tokio::test]
async fn a_full_disk_under_the_log_does_not_end_the_command() {
    let bench = Bench::new();
    // Every write to this device fails with ENOSPC.
    if File::options().write(true).open("/dev/full").is_err() {
        println!("skipped: full disk: there is no /dev/full");
        return;
    }
    let mut capture = bench.capture();
    capture.stdout = PathBuf::from("/dev/full");
    capture.exit_record = None;
    let running = spawn_in(None, &bench.sh("echo one; echo two; exit 3"), &capture, Arc::new(NoRedaction));
    let ran = drive(running.unwrap(), &CancellationToken::new(), |_| Reply::default()).await;
    assert_eq!((ran.report.exit, ran.report.dropped_bytes), (Exit::Code(3), 8));
    assert_eq!(ran.stdout(), "one\ntwo\n");
}
