//! How long workers wait for vendors that do not answer.

use super::{Setting, assign};
use crate::cli::values;

/// In the order of the documentation.
pub(super) const QUOTA: &[Setting] = &[
    Setting {
        key: "quota.backoff_start",
        kind: "time",
        default: "30s",
        about: "the wait for a vendor that refused and named no time; each further refusal doubles it",
        set: |config, input| assign(&mut config.quota.policy.backoff_start, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.policy.backoff_start)),
    },
    Setting {
        key: "quota.backoff_max",
        kind: "time",
        default: "15m",
        about: "the longest of these waits",
        set: |config, input| assign(&mut config.quota.policy.backoff_max, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.policy.backoff_max)),
    },
    Setting {
        key: "quota.longest_wait",
        kind: "time",
        default: "6h",
        about: "a reset that a vendor names further away is looked at by one job after this long",
        set: |config, input| assign(&mut config.quota.policy.longest_wait, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.policy.longest_wait)),
    },
    Setting {
        key: "quota.canary",
        kind: "time",
        default: "10m",
        about: "how long the one job that tries may take to get an answer before another tries",
        set: |config, input| assign(&mut config.quota.policy.canary, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.policy.canary)),
    },
    Setting {
        key: "quota.release",
        kind: "time",
        default: "10s",
        about: "when a vendor answers again, workers begin spread over this time",
        set: |config, input| assign(&mut config.quota.policy.release, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.policy.release)),
    },
    Setting {
        key: "quota.probe_every",
        kind: "time",
        default: "1m",
        about: "how often an account's probe program is asked what is left",
        set: |config, input| assign(&mut config.quota.probe_every, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.probe_every)),
    },
    Setting {
        key: "quota.login_rest",
        kind: "time",
        default: "10m",
        about: "how long a refused login is left alone while its vendor has another one here",
        set: |config, input| assign(&mut config.quota.login_rest, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.quota.login_rest)),
    },
];
