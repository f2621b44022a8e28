//! What the API and the tools ask about the backlog: tasks are started, and repositories registered, by the same code as on the
//! command line.

use std::path::Path;

use overnight_store::{NewRepository, Store};
use overnight_web::api::{NewStart, Refusal, Started};
use serde_json::{Map, Value};

use super::{flag, refusal, text, unusable};
use crate::app::App;
use crate::batch;
use crate::cli::backlog_args::StartArgs;
use crate::cli::queue_args::QueueArgs;
use crate::cli::run_args::WishArgs;
use crate::commands::backlog::{begin, repo};

/// Items of one start. Each may stand for a whole epic.
const ITEMS_MAX: usize = 500;

/// Fields of an order that say what a task says itself.
const OF_THE_TASK: [&str; 4] = ["prompt", "title", "key", "line"];

pub(super) async fn start(app: &App, store: &Store, new: NewStart) -> Result<Started, Refusal> {
    let NewStart { items, fields, request } = new;
    if items.is_empty() || items.len() > ITEMS_MAX {
        let what = format!("1 to {ITEMS_MAX} items can be started at once, and {} are named", items.len());
        return Err(unusable(what, "name a story, an epic or a sprint instead of all of its tasks"));
    }
    let args = arguments(app, items, fields)?;
    let begun = Box::pin(begin::begin(app, store, &args, request.as_deref())).await.map_err(refusal)?;
    let jobs = begun.jobs.iter().map(|job| (job.id.clone(), job.created_at >= begun.asked)).collect();
    Ok(Started { jobs, left: begun.left, notes: begun.notes })
}

fn arguments(app: &App, keys: Vec<String>, mut fields: Map<String, Value>) -> Result<StartArgs, Refusal> {
    let (agent, no_verify) = (text(&mut fields, "agent")?, flag(&mut fields, "no_verify")?);
    if let Some(name) = OF_THE_TASK.into_iter().find(|name| fields.contains_key(*name)) {
        let what = format!("{name:?} means nothing here: what is to be done stands in the task");
        return Err(unusable(what, format!("leave {name:?} out, or change the task")));
    }
    // An order has a prompt; that of a task is made of what the task says.
    fields.insert("prompt".to_owned(), Value::from("as the task says"));
    let order: batch::Order = serde_json::from_value(Value::Object(fields))
        .map_err(|error| unusable(error.to_string(), "the API's description says what a start may hold"))?;
    batch::sound(&order, &app.config().agent).map_err(refusal)?;
    let mut wish = order.wish(&WishArgs::default());
    wish.order.agent.agent = agent;
    wish.order.verify.no_verify = no_verify.unwrap_or(false);
    Ok(StartArgs {
        keys,
        order: wish.order,
        queue: order.queue(&QueueArgs::default()),
        ..StartArgs::default()
    })
}

/// A directory has to be named from its root: where the server was started is nobody's business.
pub(super) async fn registration(app: &App, remote: &str) -> Result<NewRepository, Refusal> {
    if !remote.contains("://") && !remote.contains(':') && !Path::new(remote).is_absolute() {
        let what = format!(
            "{:?} is neither the URL of a remote nor a directory",
            overnight_core::text::one_line(remote, 80)
        );
        return Err(unusable(what, "write a URL, or the whole path of a directory of the server"));
    }
    if Path::new(remote).is_absolute() && !Path::new(remote).is_dir() {
        let what =
            format!("there is no directory {:?} on the server", overnight_core::text::one_line(remote, 80));
        return Err(unusable(what, "name a directory with a repository, or the URL of a remote"));
    }
    repo::registration(app, remote).await.map_err(refusal)
}
