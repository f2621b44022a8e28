//! Several processes on one database, and processes that are killed: this test binary runs itself again.

mod experiments;
mod killed;
mod owners;
mod roles;

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::*;

const ROLE: &str = "OVERNIGHT_STORE_TEST_ROLE";
const DATABASE: &str = "OVERNIGHT_STORE_TEST_DATABASE";
const NAME: &str = "OVERNIGHT_STORE_TEST_NAME";

/// Another process of this binary, in the role of a worker. It is killed when dropped.
struct Other {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    #[expect(clippy::disallowed_methods, reason = "tests start themselves again as other workers")]
    fn start(role: &str, database: &Database, name: &str) -> Self {
        let database = match database {
            Database::Sqlite(path) => path.to_str().unwrap(),
            Database::Postgres(url) => url,
        };
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "tests::processes::other_process",
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .envs([(ROLE, role), (NAME, name), (DATABASE, database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines() }
    }

    /// As many as there are names, all of them ready.
    fn crew(role: &str, database: &Database, names: &[&str]) -> Vec<Self> {
        let mut crew: Vec<Self> = names.iter().map(|name| Self::start(role, database, name)).collect();
        for one in &mut crew {
            assert_eq!(one.fact().as_deref(), Some("ready"));
        }
        crew
    }

    /// The next fact it tells, or `None` when it has ended. What the test harness prints is passed over.
    fn fact(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once('@').map(|(_, fact)| fact.to_owned()))
    }

    /// What it still tells, up to its successful end.
    fn facts(&mut self) -> Vec<String> {
        let facts = std::iter::from_fn(|| self.fact()).collect();
        assert!(self.child.wait().unwrap().success());
        facts
    }

    fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const EIGHT: [&str; 8] = ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"];

/// Lets all of them go at once and returns what each told.
fn run_all(crew: &mut [Other]) -> Vec<Vec<String>> {
    crew.iter_mut().for_each(Other::go);
    crew.iter_mut().map(Other::facts).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests start it as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "its part comes from the test that started it")]
async fn other_process() {
    let (Ok(role), Ok(database), Ok(name)) =
        (std::env::var(ROLE), std::env::var(DATABASE), std::env::var(NAME))
    else {
        return println!("skipped: other_process: no test started it");
    };
    roles::play(&role, &Database::parse(&database).unwrap(), &name).await;
}
