//! The state of things on one screen.

use std::fmt::Write;
use std::time::Duration;

use overnight_core::job::{EndReason, ParkReason, Stage};
use overnight_core::text::{human_duration, one_line};
use overnight_core::units::MicroDollars;

use super::facts::{AskedLine, Facts, NeededPull, OpenCircuit, RunningJob, WaitingJob};
use crate::commands::worker;
use crate::output::{BAD, BOLD, DIM, GOOD, styled};
use crate::render::stage::Mark;
use crate::render::words;

/// Lines of one part.
const LINES: usize = 8;
const TITLE: usize = 60;

/// The page, ending in a line break.
#[must_use]
pub(super) fn page(facts: &Facts) -> String {
    let mut text = headline(facts);
    for problem in &facts.problems {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {} {}", Mark::Bad.show(), one_line(problem, 500));
    }
    part(&mut text, "RUNS", &facts.running.iter().map(runs).collect::<Vec<_>>());
    part(&mut text, "WAITS", &waits(facts));
    part(&mut text, "ASKED", &facts.questions.iter().map(asked).collect::<Vec<_>>());
    part(&mut text, "PULL REQUESTS", &facts.pull_requests.iter().map(pull_request).collect::<Vec<_>>());
    part(&mut text, "VENDORS", &facts.circuits.iter().map(vendor).collect::<Vec<_>>());
    part(&mut text, "ENDED", &ended(facts));
    let failures = facts.failures.iter().map(|job| {
        format!("{} {}  {}", styled(BOLD, job.key.as_str()), words::end(job.reason), styled(DIM, &job.next))
    });
    part(&mut text, "FAILED LATELY", &failures.take(3).collect::<Vec<_>>());
    if !facts.workers.is_empty() {
        let _ = writeln!(text, "\n{}", worker::table(&facts.workers, facts.at).trim_end());
    }
    text
}

fn headline(facts: &Facts) -> String {
    let verdict = if facts.healthy {
        format!("{} {}", Mark::Good.show(), styled(GOOD, "all is well"))
    } else {
        format!("{} {}", Mark::Bad.show(), styled(BAD, "somebody should look"))
    };
    let queue = &facts.queue;
    let parked: u64 = queue.parked.iter().map(|(_, jobs)| jobs).sum();
    let counts = [(queue.held, "running"), (queue.ready, "ready"), (parked, "waiting")];
    let counts: Vec<String> = counts.iter().map(|(count, what)| format!("{count} {what}")).collect();
    let workers = words::plural(queue.workers, "worker");
    format!("{verdict} · {} · {workers}\n", counts.join(" · "))
}

/// A heading and its lines; nothing when there are none.
fn part(text: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", styled(DIM, heading));
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > LINES {
        let _ = writeln!(text, "  and {} more", lines.len() - LINES);
    }
}

fn runs(job: &RunningJob) -> String {
    let stage = job.stage.map_or("-", Stage::as_str);
    format!("{} {stage:<8} {}", styled(BOLD, job.key.as_str()), one_line(&job.title, TITLE))
}

fn waits(facts: &Facts) -> Vec<String> {
    let queue = &facts.queue;
    let mut lines = Vec::new();
    if queue.ready > 0 {
        let oldest = queue.oldest_ready_ms.map(Duration::from_millis).map(human_duration);
        let oldest = oldest.map(|age| format!(", the oldest for {age}")).unwrap_or_default();
        lines.push(format!("{:>4}  ready{oldest}", queue.ready));
    }
    let parked_due = facts.waiting.iter().filter(|job| job.wake.is_some()).count() as u64;
    if let Some(later @ 1..) = queue.waiting.checked_sub(parked_due) {
        lines.push(format!("{later:>4}  not before their time"));
    }
    for (code, jobs) in &queue.parked {
        let reason = ParkReason::ALL.into_iter().find(|reason| reason.code() == code);
        let words = reason.map(words::park).unwrap_or(code);
        let needs = reason.is_some_and(|reason| !reason.clears_by_itself());
        let mark = if needs { format!("  {}", Mark::Note.show()) } else { String::new() };
        lines.push(format!("{jobs:>4}  {words}{}{mark}", keys(facts, code)));
        let of_reason = facts.waiting.iter().filter(|job| job.reason.code() == code);
        let next = of_reason.filter_map(|job| job.next.as_ref());
        lines.extend(next.take(LINES).map(|next| format!("      {next}")));
    }
    lines
}

/// Which jobs wait for a reason, as far as they are known.
fn keys(facts: &Facts, code: &str) -> String {
    let known: Vec<&WaitingJob> = facts.waiting.iter().filter(|job| job.reason.code() == code).collect();
    let names: Vec<&str> = known.iter().take(4).map(|job| job.key.as_str()).collect();
    let more = if known.len() > names.len() { ", …" } else { "" };
    let soonest = known.iter().filter_map(|job| job.wake).min();
    let until = soonest.map(|at| format!(", until {}", words::moment(at))).unwrap_or_default();
    if names.is_empty() { until } else { format!(" ({}{more}){until}", names.join(", ")) }
}

fn asked(question: &AskedLine) -> String {
    let (name, text) = (styled(BOLD, &question.name), one_line(&question.text, TITLE));
    format!("{name} {text}  {}", styled(DIM, &question.answer_with))
}

fn pull_request(needed: &NeededPull) -> String {
    format!("{} {}", styled(BOLD, &one_line(&needed.url, 200)), one_line(&needed.why, 200))
}

fn vendor(circuit: &OpenCircuit) -> String {
    let account = styled(BOLD, &circuit.account);
    let why = one_line(&circuit.detail, TITLE);
    if circuit.trying {
        return format!("{account} is tried by one job now; the others wait: {why}");
    }
    format!("{account} is not asked until {}: {why}", words::moment(circuit.until))
}

fn ended(facts: &Facts) -> Vec<String> {
    let ended = &facts.queue.ended;
    if ended.is_empty() {
        return Vec::new();
    }
    let counts: Vec<String> =
        ended.iter().map(|each| format!("{} {}", each.jobs, end_word(&each.reason))).collect();
    let cost = MicroDollars(ended.iter().map(|each| each.cost_micro_usd).fold(0, i64::saturating_add));
    let unknown = ended.iter().any(|each| each.cost_unknown_jobs > 0);
    let cost = match (cost.0, unknown) {
        (0, true) => "cost unknown".to_owned(),
        (_, true) => format!("{cost}+"),
        (_, false) => cost.to_string(),
    };
    vec![format!("{} · {cost}", counts.join(" · "))]
}

/// A reason of another version is shown as its code.
fn end_word(code: &str) -> &str {
    let reason = EndReason::ALL.into_iter().find(|reason| reason.code() == code);
    reason.map(words::end).unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use overnight_core::id::{TaskKey, WorkerId};
    use overnight_core::policy::circuit::Cause;
    use overnight_core::queue::{EndedStats, QueueStats};
    use overnight_core::units::Timestamp;
    use overnight_core::worker::WorkerStatus;

    use super::super::facts::FailedJob;
    use super::*;
    use crate::commands::worker::view::WorkerView;
    use crate::commands::worker::view::tests::{report, seen};

    fn key(text: &str) -> TaskKey {
        TaskKey::parse(text).unwrap()
    }

    fn facts() -> Facts {
        let ended = |reason: &str, jobs, cost_unknown_jobs| EndedStats {
            reason: reason.to_owned(),
            jobs,
            cost_micro_usd: 1_600_000,
            cost_unknown_jobs,
            ..EndedStats::default()
        };
        let queue = QueueStats {
            parked: vec![("agent_login".to_owned(), 1), ("dependency".to_owned(), 2)],
            ready: 5,
            waiting: 3,
            blocked: 2,
            held: 1,
            oldest_ready_ms: Some(190_000),
            ended: vec![ended("published", 12, 0), ended("verification_failed", 2, 1)],
            workers: 1,
            ..QueueStats::default()
        };
        Facts {
            problems: vec!["worker night:1 is login-expired: log in".to_owned()],
            queue,
            running: vec![RunningJob {
                key: key("app-1"),
                title: "Make the check\npass".to_owned(),
                stage: Some(Stage::Agent),
                worker: WorkerId::parse("night:1").unwrap(),
                lease_until: Timestamp(9),
            }],
            waiting: vec![WaitingJob {
                key: key("app-2"),
                title: "Wait".to_owned(),
                reason: ParkReason::AgentLogin,
                clears_by_itself: false,
                next: None,
                wake: None,
            }],
            failures: vec![FailedJob {
                key: key("app-3"),
                title: "Fail".to_owned(),
                reason: EndReason::VerificationFailed,
                next: "see why".to_owned(),
            }],
            workers: vec![WorkerView::of(
                seen("night:1", Some(report(WorkerStatus::LoginExpired))),
                Timestamp(1_003_000),
                false,
            )],
            questions: vec![AskedLine {
                name: "app-2/q1".to_owned(),
                text: "Which\none?".to_owned(),
                answer_with: "overnight answer app-2/q1 \"…\"".to_owned(),
                expires_at: Timestamp(9),
            }],
            pull_requests: vec![NeededPull {
                url: "https://git.example.org/acme/app/pull/7".to_owned(),
                why: "its checks still fail".to_owned(),
            }],
            circuits: vec![OpenCircuit {
                account: "claude/work".to_owned(),
                cause: Cause::RateLimited,
                detail: "five hours".to_owned(),
                since: Timestamp(0),
                until: Timestamp(2_000_000),
                reported: true,
                trying: false,
            }],
            at: Timestamp(1_003_000),
            healthy: false,
        }
    }

    #[test]
    fn everything_stands_on_one_screen() {
        let text = page(&facts());
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn an_empty_queue_is_one_line() {
        let text = page(&Facts::nothing());
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "✓ all is well · 0 running · 0 ready · 0 waiting · 0 workers\n"
        );
    }

    #[test]
    fn many_jobs_do_not_push_the_rest_away() {
        let mut facts = facts();
        facts.running = vec![facts.running[0].clone(); 100];
        let text = page(&facts);
        assert!(text.contains("and 92 more"), "{text}");
        assert!(text.lines().count() < 40);
    }
}
