//! `overnight compact`: the agent's next turn begins a fresh conversation, from what the earlier ones came to.

use overnight_core::job::ExitCode;

use crate::app::{App, find_error, store_error};
use crate::cli::queue_args::CompactArgs;
use crate::error::{AppError, Outcome};

/// # Errors
/// When there is no such job, it has ended, somebody works on it, or it has no conversation to begin anew.
pub async fn run(app: &App, args: &CompactArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let key = &job.key;
    if job.state.is_ended() {
        let help =
            format!("go on with it in a fresh conversation: overnight continue {key} --fresh -m \"…\"");
        return Err(AppError::usage(format!("{key} has ended")).help(help));
    }
    let compacted = store.job_compact(&job.id).await.map_err(|error| store_error(&error))?;
    if !compacted {
        let what = format!("{key} is {}: its conversation cannot be begun anew now", job.state.name());
        return Err(AppError::new(ExitCode::Pending, what)
            .help("only while it waits before a turn of its agent; a job that is worked on begins anew by itself after agent.compact_after attempts"));
    }
    app.out.say(&format!("{key}: the next turn begins a fresh conversation from what the earlier came to"));
    Ok(ExitCode::Done)
}
