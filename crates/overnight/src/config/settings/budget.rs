//! The settings of budgets: limits of an attempt, a task, a day and a repository that publishes nothing.

use overnight_core::units::MicroDollars;

use super::{Setting, assign, or_none};
use crate::cli::values;

/// A setting of each kind of amount, by the place of its `Amounts` or field in the configuration.
macro_rules! limit {
    (money, $key:literal, $about:literal, $($place:ident).+) => {
        Setting {
            key: $key,
            kind: "US dollars, or none",
            default: "none",
            about: $about,
            set: |config, input| assign(&mut config.budget.$($place).+, input.limit(values::money)?),
            get: |config| Some(or_none(config.budget.$($place).+.map(exact))),
        }
    };
    (tokens, $key:literal, $about:literal, $($place:ident).+) => {
        Setting {
            key: $key,
            kind: "number, or none",
            default: "none",
            about: $about,
            set: |config, input| assign(&mut config.budget.$($place).+, input.limit(values::tokens)?),
            get: |config| Some(or_none(config.budget.$($place).+.map(|number| number.to_string()))),
        }
    };
    (count, $key:literal, $about:literal, $($place:ident).+) => {
        Setting {
            key: $key,
            kind: "number, or none",
            default: "none",
            about: $about,
            set: |config, input| {
                assign(&mut config.budget.$($place).+, input.limit(values::count)?.map(u64::from))
            },
            get: |config| Some(or_none(config.budget.$($place).+.map(|number| number.to_string()))),
        }
    };
    (time, $key:literal, $about:literal, $($place:ident).+) => {
        Setting {
            key: $key,
            kind: "time, or none",
            default: "none",
            about: $about,
            set: |config, input| {
                let span = input.limit(values::span)?;
                assign(&mut config.budget.$($place).+, span.map(crate::order::whole_millis))
            },
            get: |config| {
                let span = config.budget.$($place).+.map(std::time::Duration::from_millis);
                Some(or_none(span.map(values::show_span)))
            },
        }
    };
}

/// In the order of the documentation.
pub(super) const BUDGET: &[Setting] = &[
    limit!(count, "limits.sessions", "starts of an agent CLI for one job", job.sessions),
    limit!(money, "limits.attempt_cost", "money for one attempt of a job", job.attempt.cost),
    limit!(
        tokens,
        "limits.attempt_tokens",
        "input, output and cache-write tokens of one attempt",
        job.attempt.tokens
    ),
    limit!(count, "limits.attempt_turns", "answers of the model for one attempt", job.attempt.turns),
    limit!(time, "limits.attempt_time", "agent time of one attempt", job.attempt.time_ms),
    limit!(money, "task.cost", "money for a job and all jobs that repeat it", job.task.cost),
    limit!(
        tokens,
        "task.tokens",
        "input, output and cache-write tokens of a job and all jobs that repeat it",
        job.task.tokens
    ),
    limit!(time, "task.time", "agent time of a job and all jobs that repeat it", job.task.time_ms),
    limit!(
        count,
        "task.sessions",
        "starts of an agent CLI for a job and all jobs that repeat it",
        job.task.sessions
    ),
    limit!(
        money,
        "budget.repository_day.cost",
        "money for one repository on one UTC day",
        all.repository_day.cost
    ),
    limit!(tokens, "budget.repository_day.tokens", "its tokens", all.repository_day.tokens),
    limit!(count, "budget.repository_day.turns", "its answers of the model", all.repository_day.turns),
    limit!(time, "budget.repository_day.time", "its agent time", all.repository_day.time_ms),
    limit!(
        count,
        "budget.repository_day.sessions",
        "its starts of an agent CLI",
        all.repository_day.sessions
    ),
    limit!(money, "budget.day.cost", "money for everything on one UTC day", all.day.cost),
    limit!(tokens, "budget.day.tokens", "tokens for everything on one UTC day", all.day.tokens),
    limit!(count, "budget.day.turns", "answers of the model for everything on one UTC day", all.day.turns),
    limit!(time, "budget.day.time", "agent time for everything on one UTC day", all.day.time_ms),
    limit!(
        count,
        "budget.day.sessions",
        "starts of an agent CLI for everything on one UTC day",
        all.day.sessions
    ),
    limit!(
        money,
        "budget.velocity.cost",
        "money for one repository since its last published job",
        all.velocity.cost
    ),
    limit!(tokens, "budget.velocity.tokens", "its tokens since then", all.velocity.tokens),
    limit!(count, "budget.velocity.sessions", "its starts of an agent CLI since then", all.velocity.sessions),
    Setting {
        key: "budget.report",
        kind: "time",
        default: "5s",
        about: "how often what a running session uses is told to other workers, and theirs is heard of",
        set: |config, input| assign(&mut config.budget.report, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.budget.report)),
    },
];

fn exact(cost: MicroDollars) -> String {
    let text = format!("{}.{:06}", cost.0 / 1_000_000, cost.0 % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
