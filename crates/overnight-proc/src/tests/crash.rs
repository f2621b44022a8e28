//! The runner is killed: these tests start this test binary again and kill it.

use overnight_core::command::Exit;

use super::*;
use crate::{read_exit_record, read_tail};

/// Names the directory of a run for the copy that plays the runner.
const MARKER: &str = "OVERNIGHT_PROC_TEST_RUNNER";

struct Runner {
    child: std::process::Child,
}

impl Runner {
    fn start(bench: &Bench, mode: Option<NamespaceMode>, script: &str, act: &str) -> Self {
        std::fs::write(bench.path("script"), script).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::plays_the_runner", "--nocapture"])
            .env(MARKER, bench.dir.path())
            .env("MODE", format!("{mode:?}"))
            .env("ACT", act)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn plays_the_runner() {
    let Ok(dir) = std::env::var(MARKER) else { return };
    let dir = PathBuf::from(dir);
    let mode = [None, Some(NamespaceMode::Direct), Some(NamespaceMode::UserNamespace)]
        .into_iter()
        .find(|mode| format!("{mode:?}") == std::env::var("MODE").unwrap())
        .unwrap();
    let script = std::fs::read_to_string(dir.join("script")).unwrap();
    let capture = Capture {
        stdout: dir.join("stdout.log"),
        stderr: dir.join("stderr.log"),
        exit_record: Some(dir.join("exit")),
    };
    crate::harden_self().unwrap();
    let spec = CommandSpec::new("/bin/sh", &dir).args(["-c", &script]).env("PATH", "/usr/bin:/bin");
    let running = spawn_in(mode, &spec, &capture, Arc::new(NoRedaction)).unwrap();
    let identity = running.identity();
    let expected = if mode.is_some() { Containment::PidNamespace } else { Containment::Subreaper };
    assert_eq!(identity.containment, expected);
    std::fs::write(dir.join("identity"), format!("{} {}\n", identity.pid, identity.start_ticks)).unwrap();
    match std::env::var("ACT").unwrap().as_str() {
        // Alive, but it reads nothing.
        "idle" => std::future::pending().await,
        _ => {
            running.drive(&mut |_: Line<'_>| Reply::default(), &CancellationToken::new()).await;
        }
    }
}

fn keeper_alive(bench: &Bench) -> bool {
    let text = await_file(&bench.path("identity"));
    let mut words = text.split_whitespace().map(|word| word.parse::<u64>().unwrap());
    let (pid, ticks) = (words.next().unwrap(), words.next().unwrap());
    let boot = crate::self_identity().unwrap().boot_id;
    crate::process_alive(u32::try_from(pid).unwrap(), ticks, &boot)
}

fn await_gone(bench: &Bench) {
    let deadline = Instant::now() + PATIENCE;
    while keeper_alive(bench) {
        assert!(Instant::now() < deadline, "the keeper does not leave");
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_runner_takes_the_tree_along_and_no_status_is_made_up() {
    for mode in modes("killed runner") {
        let bench = Bench::new();
        let leash = Leash::new(&bench);
        let up = bench.path("up");
        let script = format!(
            "trap '' TERM HUP; {}(setsid sleep 600 &); sleep 600 & echo up >{}; sleep 600",
            leash.on(),
            up.display()
        );
        let runner = Runner::start(&bench, mode, &script, "drive");
        await_file(&up);
        assert!(keeper_alive(&bench));
        runner.kill();
        assert!(leash.held_by_nobody_within(Duration::from_secs(2)), "{mode:?}");
        await_gone(&bench);
        assert_eq!(read_exit_record(&bench.path("exit")).unwrap(), None, "{mode:?}");
        assert_eq!(read_tail(&bench.path("stdout.log")).unwrap(), b"");
    }
}

#[test]
fn the_status_and_the_last_words_of_a_finished_program_survive_the_runner() {
    for mode in modes("finished before the crash") {
        let bench = Bench::new();
        let runner = Runner::start(&bench, mode, "echo the result; exit 6", "idle");
        assert_eq!(await_file(&bench.path("exit")), "code 6\n");
        await_file(&bench.path("identity"));
        runner.kill();
        await_gone(&bench);
        assert_eq!(read_exit_record(&bench.path("exit")).unwrap(), Some(Exit::Code(6)));
        assert_eq!(read_tail(&bench.path("stdout.log")).unwrap(), b"the result\n", "{mode:?}");
    }
}
