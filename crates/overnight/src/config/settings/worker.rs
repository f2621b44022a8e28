//! The settings of a worker and of what it answers over HTTP.

use overnight_core::job::Label;

use super::{Setting, Wrong, assign, or_none, put, shown_list};
use crate::cli::values;

/// In the order of the documentation.
pub(super) const WORKER: &[Setting] = &[
    Setting {
        key: "worker.lease",
        kind: "time",
        default: "1m",
        about: "how long a job stays with a worker that is not heard of",
        set: |config, input| assign(&mut config.worker.lease, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.lease)),
    },
    Setting {
        key: "worker.heartbeat",
        kind: "time",
        default: "10s",
        about: "how often a worker says that it is there; at most a third of the lease",
        set: |config, input| assign(&mut config.worker.heartbeat, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.heartbeat)),
    },
    Setting {
        key: "worker.log_bytes",
        kind: "number of bytes",
        default: "67108864",
        about: "bytes kept of one turn's or check's output",
        set: |config, input| assign(&mut config.worker.log_bytes, values::count(input.text()?)?.into()),
        get: |config| Some(config.worker.log_bytes.to_string()),
    },
    Setting {
        key: "worker.git_timeout",
        kind: "time",
        default: "15m",
        about: "longest fetch, clone or push",
        set: |config, input| assign(&mut config.worker.git_timeout, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.git_timeout)),
    },
    Setting {
        key: "worker.collect_timeout",
        kind: "time",
        default: "10m",
        about: "longest time to bring an agent's commits home",
        set: |config, input| assign(&mut config.worker.collect_timeout, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.collect_timeout)),
    },
    Setting {
        key: "worker.slots",
        kind: "number",
        default: "one for two processors, from 2 to 8",
        about: "jobs that a worker works on at a time",
        set: |config, input| put(&mut config.worker.slots, values::count(input.text()?)?),
        get: |config| config.worker.slots.map(|slots| slots.to_string()),
    },
    Setting {
        key: "worker.offer",
        kind: "list of labels",
        default: "none",
        about: "what a worker offers to jobs that require it, such as gpu",
        set: |config, input| assign(&mut config.worker.offer, labels(&input.list())?),
        get: |config| shown_list(&config.worker.offer.iter().map(ToString::to_string).collect::<Vec<_>>()),
    },
    Setting {
        key: "worker.poll",
        kind: "time",
        default: "10s",
        about: "how often the queue is looked at when nothing is heard of it",
        set: |config, input| assign(&mut config.worker.poll, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.poll)),
    },
    Setting {
        key: "worker.sweep",
        kind: "time",
        default: "15s",
        about: "how often jobs of lost workers are looked for",
        set: |config, input| assign(&mut config.worker.sweep, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.sweep)),
    },
    Setting {
        key: "worker.most_losses",
        kind: "number",
        default: "3",
        about: "how often a job goes back into the queue after its worker was lost; the next loss ends it",
        set: |config, input| assign(&mut config.worker.most_losses, values::count(input.text()?)?),
        get: |config| Some(config.worker.most_losses.to_string()),
    },
    Setting {
        key: "worker.move_after",
        kind: "time",
        default: "1d",
        about: "how long a data directory may be away before the jobs begun in it go on elsewhere",
        set: |config, input| assign(&mut config.worker.move_after, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.move_after)),
    },
    Setting {
        key: "worker.disk_floor",
        kind: "size",
        default: "1GiB",
        about: "free space of the data directory below which no job is taken",
        set: |config, input| assign(&mut config.worker.disk_floor, values::size(input.text()?)?),
        get: |config| Some(values::show_size(config.worker.disk_floor)),
    },
    Setting {
        key: "worker.backoff_start",
        kind: "time",
        default: "5s",
        about: "the wait after a failure of the infrastructure; each further one in a row doubles it",
        set: |config, input| assign(&mut config.worker.health.backoff_start, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.health.backoff_start)),
    },
    Setting {
        key: "worker.backoff_max",
        kind: "time",
        default: "5m",
        about: "the longest of these waits",
        set: |config, input| assign(&mut config.worker.health.backoff_max, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.health.backoff_max)),
    },
    Setting {
        key: "worker.unhealthy_after",
        kind: "number",
        default: "5",
        about: "failures of the infrastructure in a row that make a worker unhealthy",
        set: |config, input| assign(&mut config.worker.health.unhealthy_after, values::count(input.text()?)?),
        get: |config| Some(config.worker.health.unhealthy_after.to_string()),
    },
    Setting {
        key: "worker.login_probe",
        kind: "time",
        default: "1m",
        about: "how often one job may try whether an expired login works again",
        set: |config, input| assign(&mut config.worker.health.login_probe, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.health.login_probe)),
    },
    Setting {
        key: "worker.probe",
        kind: "time",
        default: "30s",
        about: "how often a worker that is unhealthy, or without disk space, looks whether it can go on",
        set: |config, input| assign(&mut config.worker.health.probe, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.worker.health.probe)),
    },
    Setting {
        key: "worker.drain_timeout",
        kind: "time, or none",
        default: "none",
        about: "how long running jobs may take to end after a worker was told to stop; then they are let go of",
        set: |config, input| assign(&mut config.worker.drain_timeout, input.limit(values::span)?),
        get: |config| Some(or_none(config.worker.drain_timeout.map(values::show_span))),
    },
    Setting {
        key: "serve.listen",
        kind: "address and port",
        default: "127.0.0.1:7377",
        about: "where overnight serve answers",
        set: |config, input| assign(&mut config.serve.listen, values::address(input.text()?)?),
        get: |config| Some(config.serve.listen.to_string()),
    },
    Setting {
        key: "serve.allowed_hosts",
        kind: "list of names",
        default: "none",
        about: "names by which others may call it, besides its address and localhost",
        set: |config, input| assign(&mut config.serve.allowed_hosts, input.list()),
        get: |config| shown_list(&config.serve.allowed_hosts),
    },
];

fn labels(words: &[String]) -> Result<Vec<Label>, Wrong> {
    words.iter().map(|word| Label::parse(word).map_err(|error| error.to_string())).collect()
}
