//! Small questions to small programs of this machine: what they print when they succeed.

use std::path::Path;
use std::time::Duration;

use overnight_core::command::{CommandSpec, Isolation};

use crate::app::App;

/// An agent's `--version` starts a whole runtime.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of a small answer.
const ANSWER: usize = 64 << 10;

/// What a small program prints when it succeeds.
pub async fn ask(app: &App, mut spec: CommandSpec) -> Option<String> {
    for name in ["PATH", "HOME", "LANG"] {
        if let Some(value) = app.env.get(name) {
            spec = spec.env(name, value);
        }
    }
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(PATIENCE);
    spec.limits.grace = Duration::from_secs(1);
    let output = overnight_proc::output(&spec, ANSWER).await.ok()?;
    output.report.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program says of its version, in one line.
pub async fn version(app: &App, program: &Path) -> Option<String> {
    let text = ask(app, CommandSpec::new(program, "/").arg("--version")).await?;
    text.lines().next().map(str::to_owned)
}
