//! Says that an agent's program is older than any that Overnight was tested with, once for each program that is found: asking it
//! for its version starts a whole runtime. `overnight agent doctor` says it every time.
//!
//! Owns a file in the data directory with the programs that were looked at. Losing it costs another look.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use overnight_agents::how_to_install;
use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::text::for_terminal;
use overnight_engine::{Host, program};

use super::facts::{self, AgentFacts, Standing};
use crate::app::App;

/// Lines kept of the file: far more programs than a machine has.
const MOST: usize = 200;

/// Looks at the program of these settings, if it was not looked at before.
pub async fn tell(app: &App, settings: &AgentSettings) {
    if let Ok(host) = app.host() {
        look(app, &host, settings).await;
    }
}

/// The same for every vendor's program that is installed: a worker does not know beforehand which ones it will start.
async fn tell_all(app: &App) {
    let Ok(host) = app.host() else { return };
    for backend in BackendId::VENDORS {
        let mut settings = AgentSettings::new(backend);
        settings.program = app.config().agent.program(backend).cloned();
        look(app, &host, &settings).await;
    }
}

/// Does this work, and looks at the programs while it waits.
pub async fn beside<T>(app: &App, work: impl Future<Output = T>) -> T {
    let looking = async {
        tell_all(app).await;
        std::future::pending().await
    };
    tokio::select! {
        done = work => done,
        never = looking => never,
    }
}

async fn look(app: &App, host: &Host, settings: &AgentSettings) {
    let backend = settings.backend;
    if !backend.is_vendor() {
        return;
    }
    let Some(mark) = program::find(settings, host).and_then(|program| mark(&program)) else { return };
    let file = app.dirs.root().join("agents-seen");
    let seen = fs::read_to_string(&file).unwrap_or_default();
    if seen.lines().any(|line| line == mark) {
        return;
    }
    let facts = facts::of_settings(app, host, settings).await;
    if facts.version.is_none() {
        return;
    }
    if facts.standing == Standing::Older {
        app.out.say(&warning(&facts));
    }
    remember(&file, &seen, &mark);
}

fn warning(facts: &AgentFacts) -> String {
    let AgentFacts { agent, backend, version, .. } = facts;
    let version = for_terminal(version.as_deref().unwrap_or_default());
    format!(
        "warning: the {agent} CLI says it is {version}; Overnight was tested with {}, and an older one may not know what it is \
         started with; {}",
        facts.tested(),
        how_to_install(*backend)
    )
}

/// What changes when a program is replaced: where it really is, its size and when it was written.
fn mark(program: &Path) -> Option<String> {
    let path: PathBuf = fs::canonicalize(program).ok()?;
    let meta = fs::metadata(&path).ok()?;
    let written = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(format!("{} {written} {}", meta.len(), path.to_string_lossy().replace('\n', "?")))
}

/// A file that cannot be written means only that the look is made again.
fn remember(file: &Path, seen: &str, mark: &str) {
    let lines: Vec<&str> = seen.lines().chain([mark]).collect();
    let kept = lines.get(lines.len().saturating_sub(MOST)..).unwrap_or_default();
    let _ = fs::File::create(file).and_then(|mut file| file.write_all((kept.join("\n") + "\n").as_bytes()));
}
