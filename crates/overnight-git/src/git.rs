//! The one builder of git commands.
//!
//! Owns the pinned environment and configuration of every host-side git. It must not know what the commands are for.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use overnight_core::command::{CommandSpec, Exit, Isolation, Stdin};

use crate::endpoint::Endpoint;
use crate::env::HostEnv;
use crate::error::{GitError, classify, tail};
use crate::parse;

/// Oldest git that has all options we use.
const OLDEST: Version = Version { major: 2, minor: 39, patch: 0 };
/// For commands that read or write local objects only.
const LOCAL_LIMIT: Duration = Duration::from_secs(600);
/// For commands that move objects over a network: a first fetch of a very large repository on a slow line.
const NETWORK_LIMIT: Duration = Duration::from_secs(3_600);
/// Bytes kept of what git prints, unless a call says otherwise.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// Pinned for every host-side git; the command line is stronger than any configuration file.
const PINNED: [&str; 14] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.fsync=committed",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "http.followRedirects=false",
    "commit.gpgSign=false",
    "safe.bareRepository=explicit",
];

/// Variables of the person that a git which talks to a remote needs.
const NETWORK_VARS: [&str; 9] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "no_proxy",
    "NO_PROXY",
];

/// A version of git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Access to git on the host: checked once, cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    shared: Arc<Shared>,
    network_limit: Duration,
}

#[derive(Debug)]
struct Shared {
    env: HostEnv,
    /// Home directory of every host-side git: empty but for the file below.
    home: PathBuf,
    /// The only configuration file read: the person's own `safe.directory` entries and nothing else.
    config: PathBuf,
    version: Version,
}

impl Git {
    /// Checks that git is there and new enough, and prepares `home`, a directory of ours that git sees as its home.
    ///
    /// # Errors
    /// [`GitError::Missing`], [`GitError::TooOld`], or the directory cannot be made.
    pub async fn start(env: HostEnv, home: &Path) -> Result<Self, GitError> {
        make_private_dir(home).map_err(GitError::io("make git's home directory", home))?;
        let config = home.join("gitconfig");
        let unchecked = Version { major: 0, minor: 0, patch: 0 };
        let shared = Shared { env, home: home.to_owned(), config, version: unchecked };
        let (version, trusted) = tokio::join!(check_version(&shared), trust_what_the_person_trusts(&shared));
        let version = version?;
        trusted?;
        Ok(Self { shared: Arc::new(Shared { version, ..shared }), network_limit: NETWORK_LIMIT })
    }

    /// The same, with another longest time for whatever talks to a remote, and for waiting for another job that does.
    /// One hour unless said otherwise.
    #[must_use]
    pub fn with_network_limit(self, limit: Duration) -> Self {
        Self { network_limit: limit, ..self }
    }

    pub(crate) fn network_limit(&self) -> Duration {
        self.network_limit
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.shared.version
    }

    /// A command on a bare repository of ours.
    pub(crate) fn on(&self, operation: &'static str, git_dir: &Path) -> Call {
        let mut call = self.shared.pinned(operation, git_dir);
        call.spec.args.push(with_prefix("--git-dir=", git_dir));
        call.network_limit = self.network_limit;
        call
    }

    /// A command that needs no repository, or is told everything by its arguments.
    pub(crate) fn without_repository(&self, operation: &'static str) -> Call {
        let mut call = self.shared.pinned(operation, &self.shared.home);
        call.spec = call.spec.env("GIT_CEILING_DIRECTORIES", "/");
        call.network_limit = self.network_limit;
        call
    }

    /// A command in the person's own repository, under the person's own configuration, but without hooks and
    /// monitors, and without waiting for anybody.
    pub(crate) fn of_person(&self, operation: &'static str, path: &Path) -> Call {
        self.shared.of_person(operation, path)
    }
}

impl Shared {
    fn pinned(&self, operation: &'static str, cwd: &Path) -> Call {
        let mut call = self.bare(operation, cwd);
        call.spec = call
            .spec
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", &self.config)
            .env("HOME", &self.home)
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        call.host = self.env.clone();
        for setting in PINNED {
            call = call.config(setting);
        }
        call
    }

    fn of_person(&self, operation: &'static str, path: &Path) -> Call {
        let mut call = self.bare(operation, path);
        call.spec.env.extend(self.env.pick(&["HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME"]));
        call.config("core.fsmonitor=false")
            .config("core.hooksPath=/dev/null")
            .config("submodule.recurse=false")
    }

    fn bare(&self, operation: &'static str, cwd: &Path) -> Call {
        let mut spec = CommandSpec::new("git", cwd)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .arg("--no-pager");
        spec.isolation = Isolation::Tethered;
        spec.limits.wall = Some(LOCAL_LIMIT);
        spec.limits.log_bytes = OUTPUT_LIMIT;
        spec.env.extend(self.env.pick(&["PATH", "TMPDIR"]));
        Call { operation, inputs: Vec::new(), spec, host: HostEnv::default(), network_limit: NETWORK_LIMIT }
    }
}

/// One git command while it is put together.
pub(crate) struct Call {
    operation: &'static str,
    inputs: Vec<String>,
    spec: CommandSpec,
    host: HostEnv,
    network_limit: Duration,
}

/// What a finished git left behind.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The output was longer than the limit of the call.
    pub(crate) truncated: bool,
}

impl Call {
    pub(crate) fn config(self, setting: &str) -> Self {
        self.arg("-c").arg(setting)
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.spec = self.spec.arg(arg);
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.spec = self.spec.args(args);
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.spec = self.spec.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.spec.stdin = Stdin::Bytes(bytes);
        self
    }

    /// Names an input in errors.
    pub(crate) fn about(mut self, input: impl fmt::Display) -> Self {
        self.inputs.push(input.to_string());
        self
    }

    pub(crate) fn output_limit(mut self, bytes: u64) -> Self {
        self.spec.limits.log_bytes = bytes;
        self
    }

    /// Longest run.
    pub(crate) fn time_limit(mut self, limit: Duration) -> Self {
        self.spec.limits.wall = Some(limit);
        self
    }

    /// Lets this one process reach this one remote, with its key.
    pub(crate) fn reaching(mut self, endpoint: &Endpoint) -> Self {
        self.spec.limits.wall = Some(self.network_limit);
        self.inputs.push(endpoint.remote.display());
        self.spec = self.spec.env("GIT_ALLOW_PROTOCOL", endpoint.remote.protocol());
        self.spec.env.extend(self.host.pick(&NETWORK_VARS));
        if endpoint.remote.is_ssh() {
            self.spec.env.extend(self.host.pick(&["HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"]));
            let mut ssh = self.host.get("GIT_SSH_COMMAND").unwrap_or(OsStr::new("ssh")).to_owned();
            ssh.push(" -oBatchMode=yes -oConnectTimeout=30");
            self.spec = self.spec.env("GIT_SSH_COMMAND", ssh).env("GIT_SSH_VARIANT", "ssh");
        }
        for (name, value) in endpoint.token_env() {
            self.spec = self.spec.env(name, value);
        }
        self
    }

    /// Runs it; any status other than 0 is an error.
    pub(crate) async fn output(self) -> Result<Vec<u8>, GitError> {
        let (operation, inputs, limit) = (self.operation, self.inputs.join(", "), self.spec.limits.log_bytes);
        let ran = self.finish().await?;
        if ran.status != 0 {
            return Err(ran.failed(operation, inputs));
        }
        if ran.truncated {
            return Err(GitError::TooLarge { what: format!("what git printed to {operation}"), limit });
        }
        Ok(ran.stdout)
    }

    /// Runs it; only a git that did not end by itself is an error.
    pub(crate) async fn finish(self) -> Result<Ran, GitError> {
        let Self { operation, inputs, spec, .. } = self;
        let cap = usize::try_from(spec.limits.log_bytes).unwrap_or(usize::MAX);
        let output = overnight_proc::output(&spec, cap)
            .await
            .map_err(|source| not_started(operation, source.into()))?;
        let limit = spec.limits.wall.unwrap_or_default();
        if output.report.stopped.is_some() {
            return Err(GitError::TimedOut { operation, inputs: inputs.join(", "), limit });
        }
        match output.report.exit {
            Exit::Code(status) => {
                Ok(Ran { status, stdout: output.stdout, stderr: output.stderr, truncated: output.truncated })
            }
            exit @ (Exit::Signal(_) | Exit::Unknown) => {
                let stderr = tail(&output.stderr);
                let class = crate::error::Class::Transient;
                Err(GitError::Failed { operation, inputs: inputs.join(", "), class, exit, stderr })
            }
        }
    }
}

impl Ran {
    pub(crate) fn failed(&self, operation: &'static str, inputs: String) -> GitError {
        let stderr = tail(&self.stderr);
        GitError::Failed {
            operation,
            inputs,
            class: classify(&stderr),
            exit: Exit::Code(self.status),
            stderr,
        }
    }
}

/// One line of text that git printed.
pub(crate) fn line(operation: &'static str, stdout: &[u8]) -> Result<String, GitError> {
    let text = String::from_utf8_lossy(stdout);
    match text.strip_suffix('\n') {
        Some(line) if !line.contains('\n') => Ok(line.to_owned()),
        _ => Err(unexpected(operation, stdout)),
    }
}

/// One commit id that git printed.
pub(crate) fn commit(
    operation: &'static str,
    stdout: &[u8],
) -> Result<overnight_core::git::CommitId, GitError> {
    overnight_core::git::CommitId::parse(&line(operation, stdout)?).map_err(|_| unexpected(operation, stdout))
}

pub(crate) fn unexpected(operation: &'static str, stdout: &[u8]) -> GitError {
    let start = stdout.len().saturating_sub(200);
    GitError::Unexpected { operation, output: String::from_utf8_lossy(&stdout[start..]).into_owned() }
}

pub(crate) fn with_prefix(prefix: &str, path: &Path) -> OsString {
    let mut arg = OsString::from(prefix);
    arg.push(path);
    arg
}

fn not_started(operation: &'static str, source: Box<dyn std::error::Error + Send + Sync>) -> GitError {
    let missing = std::iter::successors(Some(&*source as &(dyn std::error::Error + 'static)), |e| e.source())
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::NotFound);
    if missing { GitError::Missing } else { GitError::NotStarted { operation, source } }
}

fn make_private_dir(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

async fn check_version(shared: &Shared) -> Result<Version, GitError> {
    let operation = "ask git for its version";
    let stdout = shared.bare(operation, &shared.home).arg("--version").output().await?;
    let found = parse::version(&stdout).ok_or_else(|| unexpected(operation, &stdout))?;
    if found < OLDEST {
        return Err(GitError::TooOld { found: found.to_string(), needed: OLDEST.to_string() });
    }
    Ok(found)
}

/// Copies the person's `safe.directory` entries into our configuration file: git on a local remote of another owner
/// shall be allowed what the person allowed, no more.
async fn trust_what_the_person_trusts(shared: &Shared) -> Result<(), GitError> {
    let operation = "read which directories git may trust";
    let call = shared.of_person(operation, &shared.home).env("GIT_CEILING_DIRECTORIES", "/");
    let ran = call.args(["config", "--null", "--get-all", "safe.directory"]).finish().await?;
    let entries = ran.stdout.split(|b| *b == 0).filter(|entry| !entry.is_empty());
    let lines: String =
        entries.map(|entry| format!("\tdirectory = {}\n", quoted(&String::from_utf8_lossy(entry)))).collect();
    let text = format!("[safe]\n{lines}");
    // Where nothing can be written, what is there can still be looked at.
    if std::fs::read(&shared.config).is_ok_and(|known| known == text.as_bytes()) {
        return Ok(());
    }
    let temporary = shared.home.join(format!("gitconfig.{}", std::process::id()));
    write_private(&temporary, text.as_bytes())
        .and_then(|()| std::fs::rename(&temporary, &shared.config))
        .map_err(GitError::io("write git's configuration", &shared.config))
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// A value for a configuration file of git: in quotes, on one line.
pub(crate) fn quoted(value: &str) -> String {
    let escaped: String = value
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            c if c.is_control() => String::new(),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::Lab;
    use crate::{Credentials, Remote, Secret};

    #[tokio::test]
    async fn a_token_is_in_the_environment_of_its_one_process_and_nowhere_else() {
        let lab = Lab::new().await;
        let remote = Remote::parse("https://forge.test/a/b", Path::new("/")).unwrap();
        let token = Secret::new("canary-token");
        let endpoint = Endpoint { remote, credentials: Credentials::Token { user: "x".to_owned(), token } };
        let call = lab.git.on("push", &lab.path("m.git")).reaching(&endpoint).arg(endpoint.remote.argument());
        let encoded = &endpoint.token_env()[2].1;
        assert!(call.spec.env.values().any(|value| value == OsStr::new(encoded)));
        let args = format!("{:?} {:?}", call.spec.args, call.inputs);
        assert!(!args.contains("canary") && !args.contains("Authorization"), "{args}");
        assert_eq!(call.spec.env[OsStr::new("GIT_ALLOW_PROTOCOL")], "https");
    }

    #[tokio::test]
    async fn nothing_of_the_persons_configuration_but_their_trust_reaches_a_mirror() {
        let lab = Lab::new().await;
        let config = lab.path("person/.gitconfig");
        fs::write(&config, "[safe]\n\tdirectory = /a \\\"b\n\tdirectory = *\n[core]\n\tfsmonitor = canary\n")
            .unwrap();
        let git = Git::start(lab.env.clone(), &lab.path("home-2")).await.unwrap();
        let call = git.without_repository("look").args(["config", "--null", "--global", "--list"]);
        let listed = String::from_utf8(call.output().await.unwrap()).unwrap();
        assert_eq!(listed, "safe.directory\n/a \"b\0safe.directory\n*\0");
    }

    #[tokio::test]
    async fn a_missing_and_an_old_git_are_named() {
        let lab = Lab::new().await;
        let bin = lab.path("bin");
        fs::create_dir(&bin).unwrap();
        let env = HostEnv::from_vars([("PATH".into(), bin.clone().into())]);
        let error = Git::start(env.clone(), &lab.path("home-2")).await.unwrap_err();
        assert!(matches!(error, GitError::Missing), "{error:?}");
        fs::write(bin.join("git"), "#!/bin/sh\necho git version 2.38.1\n").unwrap();
        fs::set_permissions(bin.join("git"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let error = Git::start(env, &lab.path("home-2")).await.unwrap_err();
        assert_eq!(error.to_string(), "git 2.38.1 is too old: 2.39.0 or newer is needed");
    }
}
