//! `overnight doctor`: looks at this machine and says, for everything that is wrong, what to do.

use std::fmt::Write;

use overnight_agents::{how_to_install, login_hint};
use overnight_core::agent::BackendId;
use overnight_core::command::CommandSpec;
use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::Host;
use overnight_store::Store;
use serde::Serialize;

use crate::app::App;
use crate::ask::ask;
use crate::cli::args::DoctorArgs;
use crate::commands::agent::facts::{self, AgentFacts, Login, Standing};
use crate::error::{AppError, Outcome};
use crate::render::stage::Mark;

/// KiB below which a job of usual size may not fit.
const LITTLE_SPACE: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: String,
    detail: String,
    /// One thing to do; empty when all is well.
    fix: String,
}

impl Finding {
    fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), detail: detail.into(), fix: String::new() }
    }

    fn warn(what: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warn, what: what.into(), detail: detail.into(), fix: fix.into() }
    }

    fn fail(what: impl Into<String>, error: &AppError) -> Self {
        let detail =
            std::iter::once(&error.what).chain(&error.causes).map(String::as_str).collect::<Vec<_>>();
        let fix = error.help.clone().unwrap_or_default();
        Self { level: Level::Fail, what: what.into(), detail: detail.join(": "), fix }
    }
}

/// # Errors
/// When the findings cannot be written. What is found wrong is exit code 1.
pub async fn run(app: &App, args: &DoctorArgs) -> Outcome {
    let host = app.host()?;
    let mut findings = vec![git(app).await];
    findings.extend(agents(app, &host).await);
    findings.push(containment());
    findings.extend(silence());
    findings.push(store(app).await);
    findings.extend(space(app).await);
    findings.extend(forges(app, &host).await);
    if args.json {
        app.out.json("doctor", &findings)?;
    } else {
        app.out.data(&table(&findings))?;
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { ExitCode::Unexpected } else { ExitCode::Done })
}

fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (mark, word) = match finding.level {
            Level::Ok => (Mark::Good, "ok"),
            Level::Warn => (Mark::Note, "warn"),
            Level::Fail => (Mark::Bad, "fail"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {word:<4}  {:<12} {}",
            mark.show(),
            finding.what,
            for_terminal(&finding.detail)
        );
        if !finding.fix.is_empty() {
            let _ = writeln!(text, "                     fix: {}", one_line(&finding.fix, 400));
        }
    }
    text
}

async fn git(app: &App) -> Finding {
    match app.git().await {
        Ok(git) => Finding::ok("git", git.version().to_string()),
        Err(error) => Finding { fix: "install git 2.39 or newer".to_owned(), ..Finding::fail("git", &error) },
    }
}

/// Those that are there, and no complaint about those that are not as long as there is one.
async fn agents(app: &App, host: &Host) -> Vec<Finding> {
    let all = facts::all(app, host, &facts::known(app)).await;
    let findings: Vec<Finding> = all.iter().filter_map(agent).collect();
    if !findings.is_empty() {
        return findings;
    }
    let detail = "none is installed; any program can do the work with --command";
    vec![Finding::warn("agent", detail, how_to_install(BackendId::VENDORS[0]))]
}

/// `None`: not installed. Asking the vendor whether it is logged in would cost a request, or show a prompt.
fn agent(facts: &AgentFacts) -> Option<Finding> {
    let what = facts.agent.as_str();
    if let Some(command) = &facts.command {
        return Some(described(what, command, facts.program.is_some()));
    }
    let program = facts.program.as_ref()?.display();
    let Some(version) = &facts.version else {
        let detail = format!("{program} does not tell its version");
        return Some(Finding::warn(what, detail, "run it once by hand and look at what it says"));
    };
    let tested = facts.tested();
    let detail = format!("{version} at {program}");
    Some(match (facts.standing, &facts.login) {
        (Standing::Older, _) => Finding::warn(what, format!("{detail}; tested with {tested}"), "update it"),
        (Standing::Tested | Standing::Newer | Standing::Unknown, Login::Unknown) => {
            Finding::ok(what, format!("{detail}; no sign of a login: {}", login_hint(facts.backend)))
        }
        (Standing::Tested | Standing::Newer | Standing::Unknown, Login::Variable(_) | Login::Stored(_)) => {
            Finding::ok(what, format!("{detail}; there is a login"))
        }
    })
}

/// Whoever described an agent wants it there.
fn described(name: &str, command: &str, found: bool) -> Finding {
    if found {
        return Finding::ok(name, format!("described in the configuration; {command} is there"));
    }
    let fix = format!("install it, or name its absolute path in agent.adapters.{name}.argv");
    Finding::warn(name, format!("described in the configuration; {command} is not in PATH"), fix)
}

fn containment() -> Finding {
    let can = overnight_proc::probe();
    match (&can.pid_namespace, &can.subreaper) {
        (Ok(mode), _) => {
            let detail = match mode {
                overnight_proc::NamespaceMode::Direct => "full: process and mount namespaces, as root",
                overnight_proc::NamespaceMode::UserNamespace => {
                    "full: process and mount namespaces, in a user namespace"
                }
            };
            Finding::ok("containment", detail)
        }
        (Err(why), Ok(())) => Finding::warn(
            "containment",
            format!("weak: process trees end as a whole, but files are not guarded ({why})"),
            "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, or \
             kernel.apparmor_restrict_unprivileged_userns=0; in a container: --security-opt seccomp=unconfined",
        ),
        (Err(why), Err(none)) => Finding {
            level: Level::Fail,
            what: "containment".to_owned(),
            detail: format!("none: {why}; {none}"),
            fix: "Overnight needs Linux with /proc mounted".to_owned(),
        },
    }
}

/// A hang is told from silent work by the processor time that a tree uses.
fn silence() -> Option<Finding> {
    let why = overnight_proc::probe().processor_time.as_ref().err()?;
    let detail = format!(
        "the processor time of an agent cannot be measured ({why}): a turn that works in silence for longer than agent.silence is \
         taken for hung"
    );
    Some(Finding::warn("silence", detail, "mount /proc without hidepid, or raise agent.silence"))
}

/// Opens the store as a job would, and reads all of it.
async fn store(app: &App) -> Finding {
    let place = app.dirs.database();
    let opened: Result<Store, AppError> = app.store().await;
    let checked = match &opened {
        Ok(store) => store.check().await.map_err(|error| crate::app::store_error(&error)),
        Err(_) => Ok(()),
    };
    match (opened, checked) {
        (Ok(_), Ok(())) => Finding::ok("store", format!("{} is whole and can be written", place.display())),
        (Err(error), _) | (_, Err(error)) => Finding::fail("store", &error),
    }
}

async fn space(app: &App) -> Option<Finding> {
    let text = ask(app, CommandSpec::new("df", "/").arg("-Pk").arg("--").arg(app.dirs.root())).await?;
    let free: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    let detail =
        format!("{:.1} GiB free for {}", free as f64 / f64::from(1 << 20), app.dirs.root().display());
    Some(if free < LITTLE_SPACE {
        Finding::warn("space", detail, "free some, or name another place with --data-dir")
    } else {
        Finding::ok("space", detail)
    })
}

/// Whether each known forge has a token. The forge itself is not asked.
async fn forges(app: &App, host: &Host) -> Vec<Finding> {
    let forges = match app.forges() {
        Ok(forges) => forges,
        Err(error) => return vec![Finding::fail("forge", &error)],
    };
    let mut findings = Vec::new();
    for entry in &forges.tokens {
        let name = &entry.host;
        if let Some(app) = forges.apps.iter().find(|app| app.host == *name) {
            findings.push(match forges.check_app(app) {
                Ok(()) => {
                    Finding::ok("forge", format!("{name}: the key of the GitHub App {} can be used", app.id))
                }
                Err(why) => {
                    let error =
                        AppError::usage(format!("{name}: the GitHub App's key cannot be used")).because(&why);
                    Finding::fail("forge", &error.help("overnight help config lists every setting"))
                }
            });
            continue;
        }
        findings.push(match forges.token(&format!("https://{name}/a/b"), host).await {
            Ok(Some(_)) => Finding::ok("forge", format!("{name}: there is a token")),
            Ok(None) => Finding::warn(
                "forge",
                format!("{name}: no token, so no --pr there"),
                "set GH_TOKEN (GitHub) or GITEA_TOKEN (Gitea, Forgejo), or configure token_file: overnight help config",
            ),
            Err(error) => {
                let error = AppError::usage(format!("{name}: the token cannot be had")).because(&error);
                Finding::fail("forge", &error.help("overnight help config lists every setting"))
            }
        });
    }
    findings
}
