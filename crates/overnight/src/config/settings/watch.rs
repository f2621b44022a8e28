//! What is done by itself about pull requests after they were opened.

use overnight_core::watch::{MergePolicy, MergeStyle, WatchPolicy};

use super::{Input, Setting, Wrong, assign};
use crate::cli::values;

/// In the order of the documentation.
pub(super) const WATCH: &[Setting] = &[
    Setting {
        key: "watch.pull_requests",
        kind: "on or off",
        default: "on",
        about: "whether workers look after our pull requests: what became of them, failing checks, reviews, conflicts",
        set: |config, input| assign(&mut config.watch.on, switch(input, "on", "off")?),
        get: |config| Some(if config.watch.on { "on" } else { "off" }.to_owned()),
    },
    Setting {
        key: "watch.ci_fixes",
        kind: "number",
        default: "3",
        about: "jobs that may mend failing checks of one pull request; then a person is asked",
        set: |config, input| assign(&mut config.watch.ci_fixes, number(input)?),
        get: |config| Some(config.watch.ci_fixes.to_string()),
    },
    Setting {
        key: "watch.review_rounds",
        kind: "number",
        default: "5",
        about: "jobs that may answer the reviewers of one pull request; then a person is asked",
        set: |config, input| assign(&mut config.watch.review_rounds, number(input)?),
        get: |config| Some(config.watch.review_rounds.to_string()),
    },
    Setting {
        key: "watch.conflict_fixes",
        kind: "number",
        default: "3",
        about: "jobs that may bring the target branch into one pull request; then a person is asked",
        set: |config, input| assign(&mut config.watch.conflict_fixes, number(input)?),
        get: |config| Some(config.watch.conflict_fixes.to_string()),
    },
    Setting {
        key: "watch.interval",
        kind: "time",
        default: "30s",
        about: "between two looks at a pull request at first; it doubles while nothing happens",
        set: |config, input| assign(&mut config.watch.first, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.watch.first)),
    },
    Setting {
        key: "watch.longest_interval",
        kind: "time",
        default: "1h",
        about: "between two looks at most; 10m while checks or a job of ours run",
        set: |config, input| assign(&mut config.watch.longest, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.watch.longest)),
    },
    Setting {
        key: "watch.needs_approval",
        kind: "yes or no",
        default: "yes",
        about: "with publish.merge: only what somebody else who may write has approved is merged",
        set: |config, input| assign(&mut config.watch.needs_approval, switch(input, "yes", "no")?),
        get: |config| Some(yes(config.watch.needs_approval)),
    },
    Setting {
        key: "publish.merge",
        kind: "never or when_green",
        default: "never",
        about: "whether our pull requests are merged by themselves: exactly the commit whose checks have all passed, and never without checks",
        set: |config, input| assign(&mut config.watch.merge, merge(input.text()?)?),
        get: |config| Some(merge_word(&config.watch).to_owned()),
    },
    Setting {
        key: "publish.merge_method",
        kind: "squash, merge or rebase",
        default: "squash",
        about: "with publish.merge: how",
        set: |config, input| assign(&mut config.watch.method, method(input.text()?)?),
        get: |config| Some(method_word(config.watch.method).to_owned()),
    },
    Setting {
        key: "publish.delete_branch",
        kind: "yes or no",
        default: "no",
        about: "whether the branch of a merged pull request is deleted, as long as all its commits are in the target",
        set: |config, input| assign(&mut config.watch.delete_branch, switch(input, "yes", "no")?),
        get: |config| Some(yes(config.watch.delete_branch)),
    },
];

fn number(input: &Input<'_>) -> Result<u32, Wrong> {
    input.text()?.parse().map_err(|_| "expected a whole number".to_owned())
}

fn switch(input: &Input<'_>, on: &str, off: &str) -> Result<bool, Wrong> {
    match input.text()? {
        text if text == on => Ok(true),
        text if text == off => Ok(false),
        _ => Err(format!("expected {on} or {off}")),
    }
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn merge(text: &str) -> Result<MergePolicy, Wrong> {
    match text {
        "never" => Ok(MergePolicy::Never),
        "when_green" => Ok(MergePolicy::WhenGreen),
        _ => Err("expected never or when_green".to_owned()),
    }
}

fn merge_word(policy: &WatchPolicy) -> &'static str {
    match policy.merge {
        MergePolicy::Never => "never",
        MergePolicy::WhenGreen => "when_green",
    }
}

fn method(text: &str) -> Result<MergeStyle, Wrong> {
    match text {
        "squash" => Ok(MergeStyle::Squash),
        "merge" => Ok(MergeStyle::Merge),
        "rebase" => Ok(MergeStyle::Rebase),
        _ => Err("expected squash, merge or rebase".to_owned()),
    }
}

fn method_word(method: MergeStyle) -> &'static str {
    match method {
        MergeStyle::Squash => "squash",
        MergeStyle::Merge => "merge",
        MergeStyle::Rebase => "rebase",
    }
}
