//! `overnight mcp`: the queue as tools, for the assistant of the person at this terminal. No token is asked for: who can start this
//! program with this data directory can use all its other commands as well.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use overnight_core::id::TaskKey;
use overnight_core::job::{ExitCode, Queueing};
use overnight_store::NewJob;
use overnight_web::api::Desk;
use overnight_web::mcp::operator::{NewOrder, Operator, OrderRefused, Orders, Scope};
use overnight_web::mcp::{Answer, serve_stdio};
use tokio::io::BufReader;

use crate::app::App;
use crate::cli::Global;
use crate::cli::args::McpArgs;
use crate::cli::run_args::WishArgs;
use crate::commands::add::refused;
use crate::commands::run;
use crate::desk::Front;
use crate::error::{AppError, Outcome};
use crate::order;
use crate::wish::{self, Ground, Site};

/// Answers until standard input ends.
///
/// # Errors
/// When the store cannot be opened, or a pipe breaks.
pub async fn run(app: &App, global: &Global, args: &McpArgs) -> Outcome {
    // The tools live as long as the connection, which outlives what a command is lent.
    let own = Arc::new(App::new(global, app.env.clone())?);
    let store = own.store().await?;
    let scope = if args.read_only { Scope::Read } else { Scope::Admin };
    let orders: Arc<dyn Orders> = Arc::new(AsTyped(Arc::clone(&own)));
    let desk: Arc<dyn Desk> = Arc::new(Front::new(global, &app.env, &store));
    let by = app.person();
    // Whoever is at a terminal of this data directory is one person.
    let requests = "terminal".to_owned();
    let operator = Operator { store, scope, by, requests, orders: Some(orders), desk: Some(desk) };
    let unusable = |error| AppError::unexpected("standard input and output cannot be used").because(&error);
    let (input, output) =
        (file(&std::io::stdin()).map_err(unusable)?, file(&std::io::stdout()).map_err(unusable)?);
    let served = serve_stdio(BufReader::new(input), output, Arc::new(operator)).await;
    own.close().await;
    match served {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(AppError::unexpected("the assistant cannot be heard any more").because(&error))
        }
        Ok(()) | Err(_) => Ok(ExitCode::Done),
    }
}

/// One of our own streams, to be read and written without holding up anything else.
fn file(stream: &impl AsFd) -> std::io::Result<tokio::fs::File> {
    let own = stream.as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(std::fs::File::from(own)))
}

/// Takes orders as `overnight add` does, in the directory in which this program was started.
struct AsTyped(Arc<App>);

impl Orders for AsTyped {
    fn add(&self, order: NewOrder) -> Answer<'_, Result<TaskKey, OrderRefused>> {
        Box::pin(async move { add(&self.0, order).await.map_err(|error| OrderRefused(said(&error))) })
    }
}

async fn add(app: &App, order: NewOrder) -> Result<TaskKey, AppError> {
    let NewOrder { prompt, repository, title, agent, model, pull_request, request } = order;
    order::check_prompt(&prompt)?;
    let mut wish = WishArgs { title, repo: PathBuf::from("."), ..WishArgs::default() };
    if let Some(repository) = repository {
        wish.repo = PathBuf::from(repository);
    }
    wish.publish.pr = pull_request;
    (wish.order.agent.agent, wish.order.agent.model) = (agent, model);
    let ground = Ground::look(app, &wish, Site::Anywhere).await?;
    let spec = ground.spec(app, &wish, prompt)?.spec;
    ground.missing(&spec)?;
    let store = app.store().await?;
    let repository = run::registered(&store, &ground.target).await?;
    let queueing = Queueing { place: wish::place_of(app, &spec)?, ..Queueing::default() };
    let new = NewJob { queueing, request, ..NewJob::new(repository.id, spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| refused(&error))?;
    Ok(job.key)
}

/// The whole message in one line: a model reads no layout.
fn said(error: &AppError) -> String {
    let causes = error.causes.iter().map(|cause| format!("because {cause}"));
    let help = error.help.iter().map(|help| format!("help: {help}"));
    std::iter::once(error.what.clone()).chain(causes).chain(help).collect::<Vec<_>>().join("; ")
}
