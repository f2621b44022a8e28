//! `overnight serve`: health and metrics over HTTP, and workers, in one process.

use overnight_engine::dispatch::Mode;

use crate::app::App;
use crate::cli::Global;
use crate::cli::work_args::ServeArgs;
use crate::commands::agent::age;
use crate::commands::work::left;
use crate::daemon::{self, Order};
use crate::error::Outcome;

/// # Errors
/// When the address or the store cannot be used.
pub async fn run(app: &App, global: &Global, args: &ServeArgs) -> Outcome {
    let listen = args.listen.unwrap_or(app.config().serve.listen);
    let order = Order { mode: Mode::Forever, offer: args.offer.clone(), listen: Some(listen) };
    let finished = age::beside(app, daemon::run(app, global, &order)).await?;
    Ok(left(&finished))
}
