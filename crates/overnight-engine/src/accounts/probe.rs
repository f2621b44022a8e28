//! Asks for what is left of an account's quota with the program that its configuration names: for vendors whose CLI does not say so
//! while it works.
//!
//! The program prints one JSON object: `{"left": 37, "reset": 1900000000}`, in per cent and in seconds since 1970; `reset` may be missing.

use std::time::Duration;

use overnight_core::agent::Account;
use overnight_core::command::{CommandSpec, Isolation};
use overnight_core::policy::circuit::{Quota, Sign};
use overnight_core::units::Timestamp;
use serde::Deserialize;

use super::report::Reporter;
use crate::seat::Seat;

/// Longest run of a probe: it asks one question over the network.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
struct Answer {
    left: f64,
    reset: Option<f64>,
}

/// Looks at an account's quota, if there is a program for that and it is time. A probe that fails says nothing of the quota: it is named
/// in the log, and the job goes on.
pub(super) async fn look(seat: &Seat<'_>, account: &Account) {
    if account.probe.is_empty() || !seat.engine.accounts().probe_due(&account.id) {
        return;
    }
    match ask(seat, account).await {
        Ok(quota) => {
            let reporter = Reporter::new(seat.engine, account);
            reporter.tell(Sign::Quota { quota, floor: reporter.floor() }).await;
        }
        Err(why) => tracing::warn!(account = %account.id, %why, "the quota probe failed"),
    }
}

async fn ask(seat: &Seat<'_>, account: &Account) -> Result<Quota, String> {
    let program = account.probe.first().ok_or("it has no program")?;
    let mut spec = CommandSpec::new(program, "/").args(account.probe.iter().skip(1));
    spec.env.clone_from(&seat.engine.host().env);
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(LONGEST);
    let output = overnight_proc::output(&spec, 64 << 10).await.map_err(|error| error.to_string())?;
    if !output.report.success() {
        return Err(format!("it ended with {:?}", output.report.exit));
    }
    let at = seat.engine.store().now().await.map_err(|error| error.to_string())?;
    read(&output.stdout, at)
}

fn read(printed: &[u8], at: Timestamp) -> Result<Quota, String> {
    let answer: Answer = serde_json::from_slice(printed)
        .map_err(|error| format!("expected {{\"left\": PER CENT, \"reset\": SECONDS}}: {error}"))?;
    if !(0.0..=100.0).contains(&answer.left) {
        return Err(format!("{} is not a part of a quota in per cent", answer.left));
    }
    let seconds = answer.reset.filter(|seconds| (0.0..1e11).contains(seconds));
    let reset = seconds.map(|seconds| Timestamp((seconds * 1000.0) as i64));
    Ok(Quota { left: answer.left.floor() as u8, reset, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_prints_what_is_left_and_anything_else_is_an_error() {
        let at = Timestamp(5);
        let quota = |left, reset| Quota { left, reset: Option::map(reset, Timestamp), at };
        assert_eq!(
            read(br#"{"left": 37.9, "reset": 1900000000}"#, at),
            Ok(quota(37, Some(1_900_000_000_000)))
        );
        assert_eq!(read(b"{\"left\": 0}\n", at), Ok(quota(0, None)));
        for bad in ["", "37", "{\"left\": 101}", "{\"left\": -1}", "{\"left\": \"x\"}"] {
            assert!(read(bad.as_bytes(), at).is_err(), "{bad}");
        }
    }
}
