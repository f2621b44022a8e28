//! `overnight add`: puts jobs into the queue and leaves them to a worker.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use overnight_core::id::JobId;
use overnight_core::job::{AfterRule, ExitCode, Job, Queueing};
use overnight_core::text::{for_terminal, one_line};
use overnight_core::units::Timestamp;
use overnight_store::{After, NewJob, Parent, Store, StoreError};
use serde::Serialize;

use crate::app::{App, find_error, store_error};
use crate::batch::Batch;
use crate::cli::queue_args::{AddArgs, QueueArgs};
use crate::cli::run_args::WishArgs;
use crate::commands::agent::age;
use crate::commands::{run, views};
use crate::error::{AppError, Outcome};
use crate::order;
use crate::output::{BOLD, styled};
use crate::render::stage::{Mark, line};
use crate::render::words;
use crate::view::JobView;
use crate::wish::{self, Ground, Site};
use crate::workforce::Workforce;

#[derive(Debug, Serialize)]
struct Added {
    /// `false`: an earlier request with the same key had made it.
    new: bool,
    job: JobView,
}

/// One order as it was typed or stood on a line.
struct Wanted {
    /// Of the batch.
    line: Option<usize>,
    prompt: String,
    wish: WishArgs,
    queue: QueueArgs,
}

/// # Errors
/// When an order, the repository or the place in the queue cannot be used; nothing was queued then.
pub async fn run(app: &App, args: &AddArgs) -> Outcome {
    let batch = args.batch.as_ref().map(|file| Batch::load(app, file)).transpose()?;
    let wanted = match &batch {
        Some(batch) => from_batch(args, batch),
        None => vec![typed(app, args)?],
    };
    let ground = Ground::look(app, &args.wish, Site::Anywhere).await?;
    let mut specs = Vec::with_capacity(wanted.len());
    let mut notes = BTreeSet::new();
    for one in &wanted {
        let ordered = ground.spec(app, &one.wish, one.prompt.clone());
        let ordered = ordered.map_err(|error| of_line(batch.as_ref(), one, error))?;
        notes.extend(ordered.notes);
        specs.push(ordered.spec);
    }
    // The agent is the same for all of them.
    let missing = specs.first().map(|spec| ground.missing(spec)).transpose()?.flatten();
    let store = app.store().await?;
    if let Some(spec) = specs.first() {
        age::tell(app, &spec.agent).await;
    }
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let repository = run::registered(&store, &ground.target).await?;
    let parents = parents(&store, batch.as_ref(), &wanted).await?;
    let mut new = Vec::with_capacity(wanted.len());
    for (one, spec) in wanted.iter().zip(specs) {
        let queueing = queueing(&one.queue, now).map_err(|error| of_line(batch.as_ref(), one, error))?;
        let queueing = Queueing { place: wish::place_of(app, &spec)?, ..queueing };
        let after = after(&one.queue, &parents, &wanted);
        let request = one.queue.key.clone();
        new.push(NewJob { queueing, request, after, ..NewJob::new(repository.id.clone(), spec) });
    }
    let jobs = store.jobs_enqueue(&new).await.map_err(|error| refused(&error))?;
    if let (None, Some(job)) = (&batch, jobs.first()) {
        announce(app, job, &ground, missing.as_ref());
    }
    for note in &notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
    show(app, &store, &jobs, now, args).await?;
    Ok(ExitCode::Done)
}

fn typed(app: &App, args: &AddArgs) -> Result<Wanted, AppError> {
    let prompt = wish::prompt(&args.wish, app)?;
    order::check_prompt(&prompt)?;
    Ok(Wanted { line: None, prompt, wish: args.wish.clone(), queue: args.queue.clone() })
}

fn from_batch(args: &AddArgs, batch: &Batch) -> Vec<Wanted> {
    let wanted = batch.entries.iter().map(|entry| Wanted {
        line: Some(entry.line),
        prompt: entry.order.prompt.clone(),
        wish: entry.order.wish(&args.wish),
        queue: entry.order.queue(&args.queue),
    });
    wanted.collect()
}

fn of_line(batch: Option<&Batch>, one: &Wanted, error: AppError) -> AppError {
    match (batch, one.line) {
        (Some(batch), Some(line)) => batch.of_line(line, error),
        (Some(_) | None, _) => error,
    }
}

fn queueing(args: &QueueArgs, now: Timestamp) -> Result<Queueing, AppError> {
    let not_before = args.not_before.map(|moment| moment.resolve(now, &TimeZone::system())).transpose();
    let not_before = not_before.map_err(|why| AppError::usage(format!("that time cannot be used: {why}")))?;
    Ok(Queueing {
        priority: args.priority.unwrap_or_default(),
        not_before,
        group: args.group.clone(),
        labels: args.label.clone(),
        requires: args.requires.clone(),
        place: None,
    }
    .tidy())
}

/// The jobs that are waited for, by how they were named. Those of the batch itself are not among them.
async fn parents(
    store: &Store,
    batch: Option<&Batch>,
    wanted: &[Wanted],
) -> Result<BTreeMap<String, JobId>, AppError> {
    let mut found = BTreeMap::new();
    for one in wanted {
        for name in one.queue.after.iter().chain(&one.queue.after_any) {
            if found.contains_key(name) || (batch.is_some() && name.starts_with('#')) {
                continue;
            }
            let job = store.job_find(name).await;
            let job = job.map_err(|error| of_line(batch, one, find_error(&error)))?;
            found.insert(name.clone(), job.id);
        }
    }
    Ok(found)
}

fn after(args: &QueueArgs, parents: &BTreeMap<String, JobId>, wanted: &[Wanted]) -> Vec<After> {
    let earlier = |name: &str| {
        let line = name.strip_prefix('#')?.parse::<usize>().ok()?;
        wanted.binary_search_by_key(&Some(line), |one| one.line).ok().map(Parent::Earlier)
    };
    let on = |name: &String| parents.get(name).cloned().map(Parent::Job).or_else(|| earlier(name));
    let with = |rule| move |on| After { on, rule };
    let done = args.after.iter().filter_map(on).map(with(AfterRule::Done));
    done.chain(args.after_any.iter().filter_map(on).map(with(AfterRule::Ended))).collect()
}

/// A person's mistake is one of usage, not of the store.
#[must_use]
pub fn refused(error: &StoreError) -> AppError {
    match error {
        StoreError::RequestReused { request, key } => {
            AppError::usage(format!("the key {request:?} was used before, for another order: {key}"))
                .help(format!("see it: overnight show {key}; or give this order a key of its own"))
        }
        StoreError::ParentFailed { key, reason } => {
            let what = format!("{key}, which it is to wait for, has ended already: {}", words::end(*reason));
            AppError::usage(what).help(format!(
                "run that one again first: overnight retry {key}; --after-any waits for an end of any kind"
            ))
        }
        other => store_error(other),
    }
}

fn announce(app: &App, job: &Job, ground: &Ground, missing: Option<&AppError>) {
    app.out.say(&format!("{} {}", styled(BOLD, job.key.as_str()), for_terminal(&job.spec.title)));
    app.out.say(&line(Mark::Fact, "agent", None, &run::agent(&job.spec)));
    let missing = missing.map(|missing| format!("{}, on this machine", missing.what));
    for note in ground.target.notes.iter().chain(&missing) {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
}

/// The keys on standard output, and on standard error what to know about them.
async fn show(
    app: &App,
    store: &Store,
    jobs: &[Job],
    asked: Timestamp,
    args: &AddArgs,
) -> Result<(), AppError> {
    // Made before this command asked what time it is.
    let old = |job: &Job| job.created_at < asked;
    if args.json {
        let views = views(store, jobs).await?;
        let added = jobs.iter().zip(views).map(|(job, view)| Added { new: !old(job), job: view });
        app.out.json("added", &added.collect::<Vec<_>>())?;
    } else {
        let keys: String = jobs.iter().map(|job| format!("{}\n", job.key)).collect();
        app.out.data(&keys)?;
    }
    let again: Vec<&str> = jobs.iter().filter(|job| old(job)).map(|job| job.key.as_str()).collect();
    if !again.is_empty() {
        app.out.say(&format!("added before, and not again: {}", one_line(&again.join(", "), 300)));
    }
    let workforce = Workforce::of(store).await?;
    let places: BTreeSet<_> = jobs.iter().map(|job| &job.queueing.place).collect();
    if !places.into_iter().all(|place| workforce.serves(place.as_ref())) {
        let here = jobs.first().map(|job| format!("; overnight resume {} works on it now", job.key));
        let here = here.filter(|_| jobs.len() == 1).unwrap_or_default();
        app.out.say(&format!("no worker is there to take it: overnight work starts one{here}"));
    }
    Ok(())
}
