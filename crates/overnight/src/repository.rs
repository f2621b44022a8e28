//! The repository that a job is ordered for: what it is, where the work starts, where the result goes.
//!
//! Looks, and changes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_core::command::{CommandSpec, Isolation};
use overnight_core::git::CommitId;
use overnight_core::job::{Base, ExitCode, Publication};
use overnight_core::text::one_line;
use overnight_git::{Git, InspectError, Remote, Source};
use overnight_store::NewRepository;

use crate::app::{App, git_error};
use crate::cli::run_args::{PublishArgs, WishArgs};
use crate::config::Environment;
use crate::error::AppError;
use crate::render::words::plural;
use crate::wish::Site;

/// A question to git about the person's own repository takes milliseconds; this is for a sleeping disk.
const QUESTION: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const ANSWER: usize = 64 << 10;

/// Where a job starts and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// For people and keys.
    pub name: String,
    /// Where the mirror fetches from.
    pub source: String,
    pub base: Base,
    pub publication: Publication,
    /// What the person should know before the job starts.
    pub notes: Vec<String>,
}

/// Looks at the repository at the place that the arguments name.
///
/// # Errors
/// Says what keeps it from being used.
pub async fn look(app: &App, git: &Git, path: &Path) -> Result<Source, AppError> {
    let path = app.env.absolute(path);
    let source = git.inspect(&path).await.map_err(|error| inspect_error(&error))?;
    if source.partial {
        return Err(AppError::usage(format!("the repository at {} is a partial clone", path.display()))
            .help(
                "its missing objects cannot be copied; make a full clone: git fetch --refetch --no-filter",
            ));
    }
    Ok(source)
}

fn inspect_error(error: &InspectError) -> AppError {
    let plain = AppError::usage(error.to_string());
    match error {
        InspectError::NoSuchDirectory { .. } => plain.help("-C names the repository, or a directory in it"),
        InspectError::NotARepository { .. } => plain
            .help("go to a repository or name one with -C DIR; to make one: git init, git add, git commit"),
        InspectError::NoCommits { .. } => plain.help("make a first commit: git add … && git commit"),
        InspectError::UnsafeOwnership { .. } => {
            plain.help("run the command that git suggests, or become its owner")
        }
        InspectError::Git(error) => git_error("the repository cannot be looked at", error),
    }
}

/// Decides where the job starts and where its result goes.
///
/// # Errors
/// When the base or the remote cannot be used.
pub async fn target(app: &App, source: &Source, args: &WishArgs, site: Site) -> Result<Target, AppError> {
    let mut notes = Vec::new();
    if source.uncommitted > 0 {
        let count = plural(u64::from(source.uncommitted), "uncommitted change");
        notes.push(format!("{count} in your tree: not part of the base, and left as it is"));
    }
    if args.publish.pr {
        remote_target(app, source, args, site, notes).await
    } else {
        local_target(app, source, args, notes).await
    }
}

async fn local_target(
    app: &App,
    source: &Source,
    args: &WishArgs,
    mut notes: Vec<String>,
) -> Result<Target, AppError> {
    let base = match &args.base {
        Some(name) => Base::Commit { commit: resolve(&app.env, source, name).await?, branch: None },
        None => Base::Commit { commit: source.head.clone(), branch: source.branch.clone() },
    };
    if source.shallow {
        notes.push("the repository is a shallow clone: its history is cut".to_owned());
    }
    // A linked work tree and its repository share branches and objects, and so a mirror.
    let repository = text_path(&source.common_dir)?;
    let publication = Publication::LocalBranch { repository: repository.clone() };
    Ok(Target { name: name_of(source), source: repository, base, publication, notes })
}

async fn remote_target(
    app: &App,
    source: &Source,
    args: &WishArgs,
    site: Site,
    mut notes: Vec<String>,
) -> Result<Target, AppError> {
    let name = remote_name(source, &args.publish)?;
    let urls = source.remotes.get(&name).ok_or_else(|| {
        let known: Vec<&str> = source.remotes.keys().map(String::as_str).collect();
        AppError::usage(format!("there is no remote {name:?}"))
            .help(format!("remotes here: {}", known.join(", ")))
    })?;
    let base_dir = source.top_level.as_deref().unwrap_or(&source.git_dir);
    let fetch = usable(&urls.fetch, base_dir)?;
    let push = usable(urls.push.as_deref().unwrap_or(&urls.fetch), base_dir)?;
    match forge_is_ready(app, &push).await {
        // The worker that takes the job may know the forge and have a token.
        Err(error) if site == Site::Anywhere => notes.push(format!("{}, on this machine", error.what)),
        ready => ready?,
    }
    let unpushed = unpushed(&app.env, source, &name).await;
    if unpushed > 0 {
        let count = plural(unpushed, "commit");
        notes.push(format!(
            "{count} of your branch {} not on {name}: not part of the base",
            if unpushed == 1 { "is" } else { "are" }
        ));
    }
    let base = match &args.base {
        Some(branch) => Base::RemoteBranch { branch: branch.clone() },
        None => Base::RemoteDefault,
    };
    let publication = Publication::PullRequest { remote: push, draft: args.publish.draft };
    Ok(Target { name: name_of(source), source: fetch, base, publication, notes })
}

/// `--remote`, else the one that the current branch follows, else `origin`, else the only one.
fn remote_name(source: &Source, args: &PublishArgs) -> Result<String, AppError> {
    if let Some(name) = &args.remote {
        return Ok(name.clone());
    }
    let followed = source
        .upstream
        .as_ref()
        .map(|(remote, _)| remote)
        .filter(|remote| source.remotes.contains_key(*remote));
    let mut all = source.remotes.keys();
    let only = all.next().filter(|_| all.next().is_none());
    let origin = source.remotes.keys().find(|name| *name == "origin");
    followed.or(origin).or(only).cloned().ok_or_else(|| {
        let known: Vec<&str> = source.remotes.keys().map(String::as_str).collect();
        if known.is_empty() {
            AppError::usage("--pr needs a remote, and this repository has none")
                .help("add one: git remote add origin URL; or leave --pr out to get a local branch")
        } else {
            AppError::usage("there are several remotes and none is the usual one")
                .help(format!("name one with --remote: {}", known.join(", ")))
        }
    })
}

fn usable(url: &str, cwd: &Path) -> Result<String, AppError> {
    let remote = Remote::parse(url, cwd).map_err(|error| {
        AppError::usage("the remote cannot be used").because(&error).help(
            "use a plain URL: git remote set-url NAME https://host/owner/repository.git; tokens are configured apart \
             (overnight help config)",
        )
    })?;
    Ok(remote.display())
}

/// A pull request needs a forge and a token: asked before the agent is paid, not after.
async fn forge_is_ready(app: &App, remote: &str) -> Result<(), AppError> {
    let forges = app.forges()?;
    if forges.address(remote).is_none() {
        return Err(AppError::usage(format!("no forge is known for the remote {remote}")).help(
            "name it in your configuration (overnight config path), as in\n[forge.hosts.\"git.example.org\"]\nkind = \"forgejo\"\n\
             or leave --pr out to get a local branch",
        ));
    }
    let token = forges.token(remote, &app.host()?).await;
    let missing = |what: &str| {
        AppError::new(ExitCode::Login, format!("{what} for {remote}"))
            .help("set GH_TOKEN (GitHub) or GITEA_TOKEN (Gitea, Forgejo), or configure token_file or token_command: overnight help config")
    };
    match token {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(missing("there is no token")),
        Err(error) => Err(missing("the token cannot be had").because(&error)),
    }
}

/// The repository as it is registered by its place.
///
/// # Errors
/// When its path is no text.
pub fn registration(source: &Source) -> Result<NewRepository, AppError> {
    Ok(NewRepository { name: name_of(source), remote: text_path(&source.common_dir)? })
}

/// What its remotes would be registered as.
#[must_use]
pub fn remotes(source: &Source) -> Vec<String> {
    let base_dir = source.top_level.as_deref().unwrap_or(&source.git_dir);
    source.remotes.values().filter_map(|urls| usable(&urls.fetch, base_dir).ok()).collect()
}

/// A remote as it is registered, and the name that its keys would begin with.
///
/// # Errors
/// When it is no remote that can be used.
pub fn registration_of(url: &str, cwd: &Path) -> Result<NewRepository, AppError> {
    let remote = usable(url, cwd)?;
    let last = remote.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let name = last.strip_suffix(".git").unwrap_or(last).to_owned();
    Ok(NewRepository { name, remote })
}

/// The last part of the path, for people and keys.
fn name_of(source: &Source) -> String {
    let place = source.top_level.as_deref().unwrap_or(&source.common_dir);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(".git").to_owned()
}

fn text_path(path: &Path) -> Result<String, AppError> {
    // A stored path is text, and one with a line break could not be told from two.
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    text.map(str::to_owned).ok_or_else(|| {
        let shown = one_line(&path.to_string_lossy(), 300);
        AppError::usage(format!("the path {shown} holds a control character or is not valid UTF-8"))
            .help("move the repository to a path without such characters")
    })
}

async fn resolve(env: &Environment, source: &Source, name: &str) -> Result<CommitId, AppError> {
    let wanted = format!("{name}^{{commit}}");
    let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
    let answer = ask(env, source, &args).await;
    answer.and_then(|text| CommitId::parse(text.trim()).ok()).ok_or_else(|| {
        AppError::usage(format!("there is no commit {name:?} here"))
            .help("--base takes a branch, a tag or a commit id")
    })
}

/// Commits of HEAD that the remote is not known to have.
async fn unpushed(env: &Environment, source: &Source, remote: &str) -> u64 {
    let known = format!("--remotes={remote}");
    let answer = ask(env, source, &["rev-list", "--count", "HEAD", "--not", &known]).await;
    answer.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// One question to the person's own git about the person's own repository; `None` when it has no answer.
async fn ask(env: &Environment, source: &Source, args: &[&str]) -> Option<String> {
    let program = env.find_program(Path::new("git"))?;
    let mut spec = CommandSpec::new(program, &source.git_dir)
        .arg(format_dir(&source.git_dir))
        .args(args.iter().copied())
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C");
    for name in ["HOME", "PATH", "XDG_CONFIG_HOME"] {
        if let Some(value) = env.get(name) {
            spec = spec.env(name, value);
        }
    }
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(QUESTION);
    let output = overnight_proc::output(&spec, ANSWER).await.ok()?;
    output.report.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn format_dir(dir: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from("--git-dir=");
    text.push(dir);
    text
}

/// Where a person works with the repository that a job's branch went to.
#[must_use]
pub fn place_of(publication: &Publication) -> Option<PathBuf> {
    match publication {
        Publication::LocalBranch { repository } => {
            let path = PathBuf::from(repository);
            // The git directory of a work tree: people go to the tree.
            let tree = path
                .file_name()
                .is_some_and(|name| name == ".git")
                .then(|| path.parent().map(Path::to_owned));
            tree.flatten().or(Some(path))
        }
        Publication::PullRequest { .. } | Publication::Document { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use overnight_git::RemoteUrls;

    use super::*;

    fn source(remotes: &[&str], upstream: Option<&str>) -> Source {
        let urls = |name: &&str| (name.to_string(), RemoteUrls { fetch: "/x".into(), push: None });
        Source {
            git_dir: "/r/.git".into(),
            common_dir: "/r/.git".into(),
            top_level: Some("/r".into()),
            head: CommitId::parse(&"a".repeat(40)).unwrap(),
            branch: Some("main".into()),
            bare: false,
            shallow: false,
            partial: false,
            has_submodules: false,
            has_lfs: false,
            uncommitted: 0,
            remotes: remotes.iter().map(urls).collect::<BTreeMap<_, _>>(),
            upstream: upstream.map(|remote| (remote.to_owned(), "main".to_owned())),
            user_name: None,
            user_email: None,
        }
    }

    #[test]
    fn the_remote_is_the_one_a_person_would_name() {
        let named = PublishArgs { remote: Some("x".into()), ..PublishArgs::default() };
        let none = PublishArgs::default();
        let table = [
            (source(&["origin", "fork"], Some("fork")), &none, Some("fork")),
            (source(&["origin", "fork"], None), &none, Some("origin")),
            (source(&["fork"], None), &none, Some("fork")),
            (source(&["a", "b"], None), &none, None),
            (source(&[], None), &none, None),
            (source(&["origin"], Some("gone")), &none, Some("origin")),
            (source(&["origin"], None), &named, Some("x")),
        ];
        for (source, args, want) in table {
            assert_eq!(remote_name(&source, args).ok().as_deref(), want, "{:?}", source.remotes.keys());
        }
    }

    #[test]
    fn people_go_to_the_tree_and_not_to_the_git_directory() {
        let place = |path: &str| place_of(&Publication::LocalBranch { repository: path.to_owned() });
        assert_eq!(place("/r/app/.git"), Some("/r/app".into()));
        assert_eq!(place("/r/app.git"), Some("/r/app.git".into()));
    }

    #[test]
    fn a_bare_repository_is_named_without_its_ending() {
        let bare = Source { top_level: None, common_dir: "/r/app.git".into(), ..source(&[], None) };
        assert_eq!(name_of(&bare), "app");
    }
}
