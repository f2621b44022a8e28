//! `overnight diff`: a job's change from its base to the last commit that was brought home, published or not.

use std::path::Path;
use std::time::Duration;

use overnight_core::job::{ExitCode, Job};
use overnight_core::text::for_terminal;
use overnight_git::{Endpoint, LockWait, Mirror, Mirrors, Remote};

use crate::app::{App, find_error, git_error};
use crate::cli::args::DiffArgs;
use crate::commands::story;
use crate::error::{AppError, Outcome};
use crate::render::words;

/// A patch that is larger than this is nothing to look at in a terminal.
const MAX_PATCH: u64 = 64 << 20;
/// The mirror is locked for moments only, unless a first fetch of a large repository is under way.
const LOCK: Duration = Duration::from_secs(60);

/// # Errors
/// When there is no such job or no commit of it yet, or its mirror cannot be read.
pub async fn run(app: &App, args: &DiffArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let story = story(&store, &job.id).await?;
    let (Some(base), Some(tip)) = (&story.base, &story.tip) else {
        return Err(AppError::usage(format!(
            "{} has no commits yet: it is {}",
            job.key,
            words::state(&job.state)
        ))
        .help(format!("see how it goes: overnight show {}", job.key)));
    };
    let mirror = mirror(app, &job).await?;
    let failed = |error| git_error("the change cannot be read from the mirror", &error);
    if args.stat {
        let stat = mirror.diff_stat(base, tip).await.map_err(failed)?;
        let paths = mirror.changed_paths(base, tip).await.map_err(failed)?;
        let line = |path: &[u8]| format!(" {}\n", for_terminal(&String::from_utf8_lossy(path)));
        let text: String = paths.iter().map(|path| line(&path.path)).collect();
        app.out.data(&format!("{text} {}\n", words::diff(&stat)))?;
        return Ok(ExitCode::Done);
    }
    let (patch, cut) = mirror.patch(base, tip, MAX_PATCH).await.map_err(failed)?;
    app.out.patch(&patch)?;
    if cut {
        app.out.say(&format!("the patch is longer than {} MiB and was cut", MAX_PATCH >> 20));
    }
    Ok(ExitCode::Done)
}

async fn mirror(app: &App, job: &Job) -> Result<Mirror, AppError> {
    let remote = Remote::parse(&job.spec.source, Path::new("/"))
        .map_err(|error| AppError::unexpected("the job's repository cannot be named").because(&error))?;
    let mirrors = Mirrors::new(app.git().await?, app.dirs.mirrors());
    let opened = mirrors.open_or_create(&Endpoint::open(remote), &LockWait::silent(LOCK)).await;
    opened.map_err(|error| git_error("the job's mirror cannot be opened", &error))
}
