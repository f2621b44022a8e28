//! The sample repository, which needs git and sh only, and the scripts that play the agent.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_agents::rehearsal::script::{Entry, Script, Step};
use overnight_core::command::{CommandSpec, Isolation};

use crate::config::Environment;
use crate::error::AppError;

/// What judges the work.
pub(super) const CHECK: &str = "sh test.sh";
/// The first job's key: the repository's name and 1.
pub(super) const FIRST_KEY: &str = "hello-1";

const GREET: &str = "#!/bin/sh\n# Greets somebody by name.\necho \"Hello, $1\"\n";
const HALF: &str = "echo \"Hello, $1!\"";
const WHOLE: &str = "echo \"Hello, ${1:-stranger}!\"";
/// Takes a second, as suites take their time: long enough for the second chapter's crash to come in its middle.
const TEST: &str = r#"#!/bin/sh
# Checks what greet.sh says.
failed=0
check() {
    got=$(sh greet.sh $2)
    if [ "$got" = "$1" ]; then
        echo "ok: $1"
    else
        echo "FAILED: expected '$1', got '$got'"
        failed=1
    fi
}
sleep 1
check "Hello, Ada!" Ada
check "Hello, stranger!"
exit $failed
"#;
const README: &str = "# hello\n\nA greeting. `sh test.sh` checks it.\n";

/// Longest run of a git command on four small files.
const GIT: Duration = Duration::from_secs(30);
const OUTPUT: usize = 64 << 10;

/// The sample and its surroundings.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) repository: PathBuf,
    /// Outside of repository, workspaces and data: where the agent's starts are counted.
    home: PathBuf,
}

impl Sample {
    /// Makes the repository with one commit whose test fails.
    ///
    /// # Errors
    /// When files cannot be written or git fails.
    pub(super) async fn make(env: &Environment, home: &Path) -> Result<Self, AppError> {
        let repository = home.join("hello");
        write(&repository.join("greet.sh"), GREET)?;
        write(&repository.join("test.sh"), TEST)?;
        write(&repository.join("README.md"), README)?;
        let commands: [&[&str]; 5] = [
            &["init", "--quiet", "--initial-branch=main"],
            &["config", "user.name", "Overnight demo"],
            &["config", "user.email", "demo@localhost"],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "A greeting"],
        ];
        for args in commands {
            git(env, &repository, args).await?;
        }
        Ok(Self { repository, home: home.to_owned() })
    }

    /// Plays the agent of the first chapter.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn first_script(&self) -> Result<PathBuf, AppError> {
        self.script("first")
    }

    /// Plays the agent of the second chapter: the same, counted apart.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn second_script(&self) -> Result<PathBuf, AppError> {
        self.script("second")
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// How often the agent was started in this chapter, as the agent itself wrote it down.
    pub(super) fn starts(&self, chapter: &str) -> usize {
        fs::read_to_string(self.counter(chapter)).map_or(0, |text| text.lines().count())
    }

    fn counter(&self, chapter: &str) -> PathBuf {
        self.home.join("starts").join(chapter)
    }

    fn script(&self, chapter: &str) -> Result<PathBuf, AppError> {
        let counter = self.counter(chapter);
        write(&counter, "")?;
        let script = script(&counter);
        let text = toml::to_string(&script)
            .map_err(|error| AppError::unexpected("the demo's script cannot be written").because(&error))?;
        let path = self.home.join(format!("{chapter}.toml"));
        write(&path, &text)?;
        Ok(path)
    }
}

fn script(counter: &Path) -> Script {
    let count = || Step::Run { command: format!("echo start >> '{}'", counter.display()) };
    let edit = |find: &str, replace: &str| Step::Edit {
        path: PathBuf::from("greet.sh"),
        find: find.to_owned(),
        replace: replace.to_owned(),
    };
    let commit = |message: &str| Step::Commit { message: message.to_owned() };
    let first = vec![
        count(),
        Step::Say("The greeting lacks its exclamation mark.".to_owned()),
        edit("echo \"Hello, $1\"", HALF),
        commit("Greet with an exclamation mark"),
        Step::Usage { input: 1800, output: 240, cost: Some(0.0) },
    ];
    let second = vec![
        count(),
        Step::Say("The second check greets nobody in particular: there is a default missing.".to_owned()),
        edit(HALF, WHOLE),
        commit("Greet a stranger when no name is given"),
        Step::Usage { input: 900, output: 130, cost: Some(0.0) },
        Step::Say("Both checks should pass now.".to_owned()),
    ];
    Script { attempts: vec![Entry { steps: first }, Entry { steps: second }], turns: Vec::new() }
}

fn write(path: &Path, text: &str) -> Result<(), AppError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|error| {
        AppError::unexpected(format!("the demo's {} cannot be written", path.display()))
            .because(&error)
            .help("set TMPDIR to a directory that can be written")
    })
}

async fn git(env: &Environment, repository: &Path, args: &[&str]) -> Result<(), AppError> {
    let mut spec = CommandSpec::new("git", repository).args(args.iter().copied());
    // The person's own configuration (signing, hooks, templates) is not the demo's.
    spec = spec.env("HOME", repository).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    if let Some(path) = env.get("PATH") {
        spec = spec.env("PATH", path);
    }
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(GIT);
    let failed = |why: String| {
        AppError::usage(format!("the demo's repository cannot be made: git {}: {why}", args.join(" ")))
            .help("the demo needs git 2.39 or newer and sh")
    };
    let output = overnight_proc::output(&spec, OUTPUT).await.map_err(|error| failed(error.to_string()))?;
    if output.report.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_can_be_played_and_survives_its_file() {
        let script = script(Path::new("/tmp/starts"));
        assert_eq!(script.check(), Ok(()));
        assert_eq!(toml::from_str::<Script>(&toml::to_string(&script).unwrap()).unwrap(), script);
        assert!(GREET.contains("echo \"Hello, $1\""));
    }
}
