//! `overnight show`: what became of a job.

use std::fmt::Write;

use overnight_core::command::Containment;
use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, ExitCode, Job, Label, Priority};
use overnight_core::talk::QuestionView;
use overnight_core::text::{for_terminal, human_duration, one_line};
use overnight_core::units::Timestamp;
use overnight_core::verdict::{Standing, Verdict};
use overnight_store::{Dependency, EventRecord, FindError, Phase, QuestionFilter, QueueStanding, Store};
use serde::Serialize;
use serde_json::Value;

use crate::app::{App, find_error, store_error};
use crate::cli::args::ShowArgs;
use crate::cli::backlog_args::JsonArgs;
use crate::commands::questions::{self, talk_error};
use crate::commands::run::agent;
use crate::commands::{as_value, backlog, events, readable};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::render::screen::EventLine;
use crate::render::stage::Mark;
use crate::render::{queue, words};
use crate::shown;
use crate::story::{AttemptStory, Story, VerdictStory};
use crate::view::JobView;
use crate::work;

#[derive(Debug, Serialize)]
struct Shown<'a> {
    job: JobView,
    /// What it was told to wait for.
    after: Vec<ParentView<'a>>,
    prompt: &'a str,
    /// By the name of the setting: its value, as in a configuration, and where it came from.
    settings: Value,
    story: &'a Story,
    /// What its agent asked, newest first.
    questions: Vec<QuestionView>,
    logs: String,
}

/// A job that this one was told to wait for.
#[derive(Debug, Serialize)]
struct ParentView<'a> {
    id: &'a JobId,
    key: &'a TaskKey,
    /// `done`: it has to be published; `ended`: any end will do.
    rule: AfterRule,
    state: &'a str,
    /// Why it ended.
    reason: Option<&'a str>,
}

/// Where a job stands in the queue.
#[derive(Debug)]
pub struct Queued {
    standing: QueueStanding,
    parents: Vec<Dependency>,
    now: Timestamp,
}

/// # Errors
/// When there is no such job, or the store fails.
pub async fn run(app: &App, args: &ShowArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = match store.job_find(&args.job).await {
        Ok(job) => job,
        Err(error) => return no_job(app, &store, args, &error).await,
    };
    let records = events(&store, &job.id).await?;
    if args.events {
        show_events(app, &job, &records, args.json)?;
        return Ok(ExitCode::Done);
    }
    if args.json {
        app.out.json("job", &document(app, &store, &job, &records).await?)?;
        return Ok(ExitCode::Done);
    }
    let story = Story::of(readable(&records));
    let logs = app.log_dir(&job.id).display().to_string();
    let queued = queued(&store, &job).await?;
    let questions = asked(&store, &job, queued.now).await?;
    let open = questions.iter().filter(|question| question.is_open());
    let asked: String = open.map(questions::page).collect();
    app.out.data(&format!("{}{asked}", page(&job, &story, &queued, &logs)))?;
    Ok(ExitCode::Done)
}

/// Perhaps something in the backlog that has no job has this key.
async fn no_job(app: &App, store: &Store, args: &ShowArgs, error: &FindError) -> Outcome {
    if let FindError::NotFound { .. } = error
        && let Ok(item) = store.item_find(&args.job).await
    {
        return backlog::show(app, store, &item, JsonArgs { json: args.json }).await;
    }
    Err(find_error(error))
}

/// Everything about a job, as JSON.
///
/// # Errors
/// When the store fails.
pub async fn document(
    app: &App,
    store: &Store,
    job: &Job,
    records: &[EventRecord],
) -> Result<Value, AppError> {
    let story = Story::of(readable(records));
    let logs = app.log_dir(&job.id).display().to_string();
    let queued = queued(store, job).await?;
    let view = JobView::of(job, Some(&queued.standing));
    let after = queued.parents.iter().map(parent_view).collect();
    let settings = shown::as_json(&shown::settings(&job.spec.settings()));
    let questions = asked(store, job, queued.now).await?;
    let prompt = &job.spec.prompt;
    let shown = Shown { job: view, after, prompt, settings, story: &story, questions, logs };
    as_value(&shown)
}

async fn asked(store: &Store, job: &Job, now: Timestamp) -> Result<Vec<QuestionView>, AppError> {
    let filter = QuestionFilter { job: Some(job.id.clone()), all: true, ..QuestionFilter::default() };
    let all = store.questions(&filter).await.map_err(|error| talk_error(&error))?;
    Ok(all.into_iter().map(|question| QuestionView::of(question, now)).collect())
}

async fn queued(store: &Store, job: &Job) -> Result<Queued, AppError> {
    let failed = |error| store_error(&error);
    Ok(Queued {
        standing: store.standing(&job.id).await.map_err(failed)?,
        parents: store.parents(&job.id).await.map_err(failed)?,
        now: store.now().await.map_err(failed)?,
    })
}

fn parent_view(parent: &Dependency) -> ParentView<'_> {
    let Dependency { job, key, rule, state, end } = parent;
    ParentView { id: job, key, rule: *rule, state, reason: end.as_deref() }
}

fn show_events(app: &App, job: &Job, records: &[EventRecord], json: bool) -> Result<(), AppError> {
    let mut text = String::new();
    for record in records {
        match (&record.event, json) {
            (Ok(event), true) => app.out.ndjson(&EventLine::new(&job.id, record.number, record.at, event))?,
            (Ok(event), false) => {
                let at = human_duration(record.at.since(job.created_at));
                let event = serde_json::to_string(event).unwrap_or_default();
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{:>4}  +{at:<8}  {}", record.number.0, for_terminal(&event));
            }
            (Err(error), _) => app.out.say(&format!("event {}: {error}", record.number.0)),
        }
    }
    app.out.data(&text)
}

/// A job on one page.
#[must_use]
pub fn page(job: &Job, story: &Story, queued: &Queued, logs: &str) -> String {
    let now = queued.now;
    let mut text = format!("{} {}\n", styled(BOLD, job.key.as_str()), for_terminal(&job.spec.title));
    text += &field("id", job.id.as_str());
    text += &field("state", &words::state(&job.state));
    text += &field("age", &words::age(now.since(job.created_at)));
    for (name, value) in of_task(job).into_iter().chain(in_queue(job, queued)) {
        text += &field(name, &value);
    }
    if let Some(line) = &job.spec.line {
        let (kind, place) = (line.kind.as_str(), format!("{} of {}", line.number, line.count));
        text += &field("line", &format!("{kind} {}, {place}, on {}", line.key, line.branch));
    }
    text += &field("agent", &agent(&job.spec));
    text += &field("settings", if job.spec.choice.frozen { "as of its first claim" } else { "as ordered" });
    text += &shown::lines(&shown::settings(&job.spec.settings()), "    ");
    if let Some(base) = &story.base {
        let branch =
            story.base_branch.as_deref().map(|name| format!(" ({})", one_line(name, 80))).unwrap_or_default();
        text += &field("base", &format!("{}{branch}", base.short()));
    }
    if let Some(source) = story.check_source {
        let checks: Vec<String> = story.checks.iter().map(|check| one_line(check, 80)).collect();
        text += &field("checks", &format!("{} {}", words::check_source(source), checks.join(", ")));
    }
    if let Some(trail) = job.state.trail() {
        let used = Some(words::usage(&trail.used)).filter(|used| !used.is_empty());
        let used = used.unwrap_or_else(|| "nothing".to_owned());
        text += &field("used", &format!("{used} in {}", human_duration(trail.active)));
    }
    if let Some(containment) = story.containment {
        text += &field("containment", contained(containment));
    }
    if let Some(diff) = &story.diff {
        text += &field("change", &words::diff(diff));
    }
    if story.resumed > 0 {
        text += &field("resumed", &words::plural(u64::from(story.resumed), "time"));
    }
    text += &field("logs", &for_terminal(logs));
    for notice in &story.notices {
        let _ = writeln!(text, "  {} {}", Mark::Note.show(), words::notice(notice));
    }
    if let Some(over) = &story.taken_over {
        let model = over.model.as_deref().map(|model| format!(" ({})", one_line(model, 60)));
        let who = format!("{}{} took over: ", one_line(&over.agent, 60), model.unwrap_or_default());
        text += &field("backup", &format!("{who}{}", one_line(&over.why, 200)));
    }
    for attempt in &story.attempts {
        text += &of_attempt(attempt);
    }
    for said in &story.words {
        text += &field("said", &one_line(said, 500));
    }
    for step in &story.cascade {
        text += &field("cascade", &words::cascade_step(&step.step, &step.result));
    }
    if let Some(why) = &story.cascade_stopped {
        text += &field("cascade", &one_line(why, 300));
    }
    text.push('\n');
    for line in work::summary(job, story) {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn field(name: &str, value: &str) -> String {
    format!("  {} {value}\n", styled(DIM, &format!("{name:<12}")))
}

/// What of the backlog it carries out.
fn of_task(job: &Job) -> Option<(&'static str, String)> {
    let task = job.spec.task.as_deref()?;
    let around = [("story", &task.story), ("epic", &task.epic)];
    let around = around.iter().filter_map(|(name, key)| key.as_ref().map(|key| format!(", {name} {key}")));
    Some(("task", format!("{}{}", task.key, around.collect::<String>())))
}

/// What the queue knows of it, as far as it is not what is usual.
fn in_queue(job: &Job, queued: &Queued) -> Vec<(&'static str, String)> {
    let Queued { standing, parents, now } = queued;
    let words = |labels: &[Label]| labels.iter().map(Label::as_str).collect::<Vec<_>>().join(", ");
    let mut fields = Vec::new();
    if standing.phase != Phase::Ended {
        fields.push(("queue", queue::position(job, standing, *now)));
    }
    if let Some(holder) = job.holder.as_ref().filter(|holder| holder.lease_until > *now) {
        let left = human_duration(holder.lease_until.since(*now));
        fields.push(("lease", format!("{left} left, of {}", holder.worker)));
    }
    if job.cancel.is_some() && standing.phase != Phase::Ended {
        fields.push(("cancel", "asked for".to_owned()));
    }
    if job.queueing.priority != Priority::default() {
        fields.push(("priority", job.queueing.priority.number().to_string()));
    }
    if let Some(group) = &job.queueing.group {
        fields.push(("group", group.to_string()));
    }
    let requires = words(&job.queueing.requires);
    let labels = words(&job.queueing.labels);
    let after: Vec<String> = parents.iter().map(queue::dependency).collect();
    let some = [("labels", labels), ("requires", requires), ("after", after.join(", "))];
    fields.extend(some.into_iter().filter(|(_, value)| !value.is_empty()));
    if job.lost > 0 {
        fields.push(("lost", format!("its worker was lost {}", words::plural(u64::from(job.lost), "time"))));
    }
    fields
}

fn contained(containment: Containment) -> &'static str {
    match containment {
        Containment::PidNamespace => "own process and mount namespace",
        Containment::Subreaper => "process tree only: files were not guarded",
    }
}

fn of_attempt(attempt: &AttemptStory) -> String {
    let mut text = format!("\n  attempt {}\n", attempt.number);
    for turn in &attempt.turns {
        let outcome = turn.outcome.as_deref().unwrap_or("not ended");
        let used = turn.usage.as_ref().map(words::usage).filter(|used| !used.is_empty());
        let used = used.map(|used| format!(" · {used}")).unwrap_or_default();
        let _ = writeln!(text, "    turn {}  {}{used}", turn.number, one_line(outcome, 200));
    }
    for finding in attempt.inspection.iter().flat_map(|inspection| &inspection.findings) {
        let _ = writeln!(text, "    {} {}", words::gravity(finding).show(), words::finding(finding));
        for (mark, shown) in [("-", &finding.before), ("+", &finding.after)] {
            if let Some(shown) = shown {
                let _ = writeln!(text, "        {mark} {}", one_line(shown, 200));
            }
        }
    }
    if let Some(report) = attempt.inspection.as_ref().and_then(|inspection| inspection.alignment.as_ref()) {
        let _ = writeln!(text, "    plan   {}: {}", report.alignment.code(), one_line(&report.why, 200));
    }
    for verdict in &attempt.verdicts {
        text += &of_verdict(verdict);
    }
    if let Some(failed) = &attempt.failed {
        let class = attempt.class.as_deref().map(|class| format!(" [{class}]")).unwrap_or_default();
        let _ = writeln!(text, "    failed: {}{class}", one_line(failed, 300));
    }
    text
}

fn of_verdict(verdict: &VerdictStory) -> String {
    let mark = match verdict.standing {
        Some(Standing::Passed) => Mark::Good,
        Some(Standing::FailedBefore) => Mark::Note,
        Some(Standing::Broken | Standing::FailedBaseUnknown | Standing::CouldNotRun) => Mark::Bad,
        None if verdict.tip == Verdict::Pass => Mark::Good,
        None => Mark::Bad,
    };
    let base = verdict.base.as_ref().map(|base| format!(" · on the base: {}", words::verdict(base)));
    let standing = verdict.standing.map(|standing| format!(" · {}", words::standing(standing)));
    format!(
        "    {} {}  {}  {}{}{}\n",
        mark.show(),
        one_line(&verdict.check, 60),
        words::verdict(&verdict.tip),
        human_duration(verdict.elapsed),
        base.unwrap_or_default(),
        standing.filter(|_| verdict.standing != Some(Standing::Passed)).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use overnight_core::job::{EndReason, JobState, Notice, Queueing};
    use overnight_core::verdict::CheckSource;

    use super::*;
    use crate::story::TurnStory;
    use crate::work::tests::{commit, end, job};

    fn verdict(tip: Verdict, base: Option<Verdict>, standing: Standing) -> VerdictStory {
        let elapsed = std::time::Duration::from_millis(1500);
        VerdictStory {
            check: "make test".into(),
            commit: commit('b'),
            tip,
            base,
            standing: Some(standing),
            elapsed,
        }
    }

    #[test]
    fn a_job_on_one_page() {
        let failed = verdict(Verdict::Fail { status: 2 }, Some(Verdict::Pass), Standing::Broken);
        let (backend, account) = (overnight_core::agent::BackendId::Claude, None);
        let turn = TurnStory { number: 1, backend, account, outcome: Some("completed".into()), usage: None };
        let story = Story {
            base: Some(commit('a')),
            base_branch: Some("main".into()),
            check_source: Some(CheckSource::Detected),
            checks: vec!["make test".into()],
            attempts: vec![AttemptStory {
                number: 1,
                turns: vec![turn],
                verdicts: vec![failed, verdict(Verdict::Pass, None, Standing::Passed)],
                failed: Some("make test failed".into()),
                inspection: None,
                class: Some("rust_compile".into()),
            }],
            notices: vec![Notice::UncommittedChanges(1)],
            containment: Some(Containment::PidNamespace),
            resumed: 1,
            ..Story::default()
        };
        let job = job(end(EndReason::VerificationFailed, None));
        let standing = QueueStanding { phase: Phase::Ended, wake: None, place: None, waits_for: Vec::new() };
        let queued = Queued { standing, parents: Vec::new(), now: Timestamp(60_000) };
        let text = page(&job, &story, &queued, "/data/log");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn a_page_says_where_a_job_stands() {
        let key = TaskKey::parse("app-7").unwrap();
        let mut job = job(JobState::Queued);
        let label = |text| Label::parse(text).unwrap();
        job.queueing = Queueing {
            priority: Priority::new(-5).unwrap(),
            group: Some(label("story")),
            labels: vec![label("a"), label("b")],
            requires: vec![label("gpu")],
            ..Queueing::default()
        };
        job.lost = 2;
        let parent = Dependency {
            job: job.id.clone(),
            key: key.clone(),
            rule: AfterRule::Ended,
            state: "working".into(),
            end: None,
        };
        let done = Dependency { rule: AfterRule::Done, end: Some("published".into()), ..parent.clone() };
        let standing = QueueStanding { phase: Phase::Blocked, wake: None, place: None, waits_for: vec![key] };
        let queued = Queued { standing, parents: vec![parent, done], now: Timestamp(60_000) };
        let text = page(&job, &Story::default(), &queued, "/data/log");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
