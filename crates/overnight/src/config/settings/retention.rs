//! The settings of clearing up: how long things are kept.

use super::{Setting, assign, or_none};
use crate::cli::values;

/// In the order of the documentation.
pub(super) const RETENTION: &[Setting] = &[
    Setting {
        key: "retention.crashed",
        kind: "time",
        default: "1d",
        about: "how long what a crash left of a job is kept, for a person to look at",
        set: |config, input| assign(&mut config.retention.crashed, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.retention.crashed)),
    },
    Setting {
        key: "retention.compress",
        kind: "time, or none",
        default: "1d",
        about: "how long the logs of an ended job stay plain text; then they are compressed",
        set: |config, input| assign(&mut config.retention.compress, input.limit(values::span)?),
        get: |config| Some(or_none(config.retention.compress.map(values::show_span))),
    },
    Setting {
        key: "retention.logs",
        kind: "time, or none",
        default: "30d",
        about: "how long the logs of an ended job, and damaged mirrors that were put aside, are kept",
        set: |config, input| assign(&mut config.retention.logs, input.limit(values::span)?),
        get: |config| Some(or_none(config.retention.logs.map(values::show_span))),
    },
    Setting {
        key: "retention.jobs",
        kind: "time, or none",
        default: "90d",
        about: "how long the record of an ended job is kept",
        set: |config, input| assign(&mut config.retention.jobs, input.limit(values::span)?),
        get: |config| Some(or_none(config.retention.jobs.map(values::show_span))),
    },
    Setting {
        key: "retention.mirrors",
        kind: "time, or none",
        default: "none",
        about: "how long the mirror of a repository is kept that no job uses",
        set: |config, input| assign(&mut config.retention.mirrors, input.limit(values::span)?),
        get: |config| Some(or_none(config.retention.mirrors.map(values::show_span))),
    },
    Setting {
        key: "gc.interval",
        kind: "time",
        default: "1h",
        about: "how often a worker clears up",
        set: |config, input| assign(&mut config.gc_interval, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.gc_interval)),
    },
];
