//! What a program gets and how its end is told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use overnight_core::command::{Exit, Isolation};

use super::*;
use crate::{output, read_exit_record};

#[tokio::test]
async fn the_program_has_exactly_the_environment_directory_and_files_of_the_spec() {
    for mode in modes("environment") {
        let bench = Bench::new();
        let mut spec =
            CommandSpec::new("/usr/bin/env", bench.dir.path()).env("B", "two words").env("A", "1=2");
        spec.args = Vec::new();
        assert_eq!(bench.run(mode, &spec).await.stdout(), "A=1=2\nB=two words\n");

        // `ls` itself opens the directory, as 3.
        let spec = bench.sh(
            "pwd; cat; ls /proc/self/fd; umask >/dev/null; ulimit -c; cut -f2 -d: /proc/self/oom_score_adj",
        );
        let ran = bench.run(mode, &spec).await;
        let expected =
            format!("{}\n0\n1\n2\n3\n0\n500\n", bench.dir.path().canonicalize().unwrap().display());
        assert_eq!(ran.stdout(), expected, "{ran:?}");
    }
}

#[tokio::test]
async fn signals_are_neither_blocked_nor_ignored_in_the_program() {
    for mode in modes("signals") {
        let bench = Bench::new();
        let ran = bench.run(mode, &bench.sh("grep -E 'Sig(Blk|Ign)' /proc/self/status")).await;
        assert_eq!(ran.stdout(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    }
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_and_recorded() {
    for mode in modes("exit") {
        for (script, exit) in [
            ("exit 0", Exit::Code(0)),
            ("exit 3", Exit::Code(3)),
            ("exit 255", Exit::Code(255)),
            ("kill -9 $$", Exit::Signal(9)),
            ("kill -15 $$", Exit::Signal(15)),
        ] {
            let bench = Bench::new();
            let ran = bench.run(mode, &bench.sh(script)).await;
            assert_eq!((ran.report.exit, ran.report.stopped), (exit, None), "{script}");
            assert!(!ran.report.left_processes && ran.report.dropped_bytes == 0);
            assert!(ran.report.peak_rss_kib.is_some_and(|peak| peak > 100));
            assert_eq!(read_exit_record(&bench.path("exit")).unwrap(), Some(exit));
            let mode = std::fs::metadata(bench.path("stdout.log")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert!(!crate::tail_path(&bench.path("stdout.log")).exists());
        }
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_told_apart() {
    for mode in modes("errors") {
        let bench = Bench::new();
        let path = |name: &str| bench.path(name);
        std::fs::write(path("plain"), "x").unwrap();
        std::fs::write(path("no-interpreter"), "#!/nonexistent/sh\n").unwrap();
        std::fs::write(path("no-format"), "just text\n").unwrap();
        for name in ["no-interpreter", "no-format"] {
            std::fs::set_permissions(path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let start = |program: &Path, cwd: &Path| {
            bench.spawn(mode, &CommandSpec::new(program, cwd).env("PATH", bench.dir.path())).map(|_| ())
        };
        let cwd = bench.dir.path();
        let error = |program: &str| start(Path::new(program), cwd).unwrap_err();
        assert!(matches!(error("/nonexistent/x"), SpawnError::ProgramNotFound { .. }));
        // `sh` is in the runner's PATH, not in the one of the spec.
        assert!(matches!(error("sh"), SpawnError::ProgramNotFound { .. }));
        assert!(matches!(error("plain"), SpawnError::NotExecutable { .. }));
        assert!(matches!(error("no-interpreter"), SpawnError::ProgramNotFound { .. }));
        assert!(matches!(error("no-format"), SpawnError::NotExecutable { .. }));
        assert!(matches!(error("/"), SpawnError::NotExecutable { .. }));
        let lost = start(Path::new("/bin/true"), &path("nowhere")).unwrap_err();
        assert!(matches!(lost, SpawnError::CwdMissing { .. }));
        let long = CommandSpec::new("/bin/true", cwd).arg("x".repeat(200_000));
        assert!(matches!(bench.spawn(mode, &long).unwrap_err(), SpawnError::ArgumentsTooLong { .. }));
        let nul = CommandSpec::new("/bin/true", cwd).arg("a\0b");
        assert!(matches!(bench.spawn(mode, &nul).unwrap_err(), SpawnError::NulByte { .. }));
    }
}

#[tokio::test]
async fn input_larger_than_a_pipe_arrives_whole_and_an_unread_one_blocks_nobody() {
    for mode in modes("stdin") {
        let bench = Bench::new();
        let prompt = b"0123456789abcde\n".repeat(100_000);
        let mut spec = bench.sh("cat");
        spec.stdin = Stdin::Bytes(prompt.clone());
        assert!(bench.run(mode, &spec).await.report.success());
        assert_eq!(bench.log(), prompt);

        spec.args[1] = "echo not reading".into();
        let ran = bench.run(mode, &spec).await;
        assert!(ran.report.success() && ran.stdout() == "not reading\n");

        spec.args[1] = "exec 0<&-; echo closed".into();
        assert_eq!(bench.run(mode, &spec).await.stdout(), "closed\n");
    }
}

#[tokio::test]
async fn a_driven_program_is_answered_line_by_line_until_its_input_is_closed() {
    for mode in modes("driven") {
        let bench = Bench::new();
        let spec = driven(bench.sh("echo ask; while read -r answer; do echo got $answer; done; echo over"));
        let mut asked = 0;
        let ran = bench
            .run_with(mode, &spec, |line| {
                asked += 1;
                match line.bytes {
                    b"over" => Reply::default(),
                    _ if asked < 4 => Reply { stdin: format!("{asked}\n").into_bytes(), ..Reply::default() },
                    _ => Reply { close_stdin: true, ..Reply::default() },
                }
            })
            .await;
        assert_eq!(ran.stdout(), "ask\ngot 1\ngot 2\ngot 3\nover\n");
        assert!(ran.report.success());
    }
}

#[tokio::test]
async fn output_collects_both_streams_up_to_its_cap() {
    let bench = Bench::new();
    let mut spec = bench.sh("echo out; echo err >&2; exit 4");
    spec.isolation = Isolation::Tethered;
    let got = output(&spec, 1000).await.unwrap();
    assert_eq!((got.stdout.as_slice(), got.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!((got.report.exit, got.truncated), (Exit::Code(4), false));
    let got = output(&spec, 2).await.unwrap();
    assert_eq!((got.stdout.as_slice(), got.truncated, got.report.dropped_bytes), (&b"ou"[..], true, 4));

    let mut spec = CommandSpec::new("/bin/true", "/");
    spec.isolation = Isolation::Tethered;
    let begun = Instant::now();
    for _ in 0..50 {
        assert!(output(&spec, 1000).await.unwrap().report.success());
    }
    println!("output(/bin/true): {:?} each", begun.elapsed() / 50);
    spec.isolation = contained(FileGuard::default());
    let begun = Instant::now();
    for _ in 0..50 {
        assert!(output(&spec, 1000).await.unwrap().report.success());
    }
    println!("output(/bin/true), contained: {:?} each", begun.elapsed() / 50);
    let begun = Instant::now();
    for _ in 0..50 {
        assert!(Command::new("/bin/true").status().unwrap().success());
    }
    println!("std spawn of /bin/true: {:?} each", begun.elapsed() / 50);
}

#[tokio::test]
async fn many_at_once_do_not_mix() {
    let bench = Arc::new(Bench::new());
    let mut tasks = Vec::new();
    for number in 0..40 {
        let bench = Arc::clone(&bench);
        tasks.push(tokio::spawn(async move {
            let mut spec = bench.sh(&format!("echo {number}; exit {number}"));
            if number % 2 == 0 {
                spec.isolation = Isolation::Tethered;
            }
            let got = output(&spec, 100).await.unwrap();
            assert_eq!(got.stdout, format!("{number}\n").into_bytes());
            assert_eq!(got.report.exit, Exit::Code(number));
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}
