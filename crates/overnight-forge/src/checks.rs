//! What a commit's checks say, in our own words: one summary from everything that a forge knows of it.
//!
//! Owns no state.

/// Longest text that is kept of one failing check, in bytes: its end, where the error stands.
pub(crate) const MAX_LOG: usize = 8_000;
/// Failing checks whose text is fetched; the others have their name and address.
pub(crate) const MAX_LOGS: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checks {
    /// Nothing reported on this commit. Maybe nothing ever will.
    None,
    Pending {
        waiting: Vec<String>,
    },
    Success {
        passed: usize,
    },
    /// At least one failed; others may still run.
    Failure {
        failing: Vec<FailedCheck>,
        waiting: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCheck {
    pub name: String,
    /// For people, in a browser.
    pub url: Option<String>,
    /// What the check says of itself, or the end of its log. Untrusted text.
    pub text: Option<String>,
}

/// One check as a forge tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) result: CheckResult,
    pub(crate) url: Option<String>,
    pub(crate) text: Option<String>,
    /// By which the forge knows the job that left a log.
    pub(crate) job: Option<u64>,
}

impl Check {
    /// There are more checks than we read: nobody may take the others for all.
    pub(crate) fn unread() -> Self {
        let name = "more checks than are read".to_owned();
        Self { name, result: CheckResult::Waiting, url: None, text: None, job: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckResult {
    Waiting,
    /// Also skipped, neutral, and failed where that is allowed.
    Passed,
    Failed,
}

/// One summary. A failure is one even while others run.
pub(crate) fn summary(checks: Vec<Check>) -> Checks {
    let total = checks.len();
    let (mut failing, mut waiting) = (Vec::new(), Vec::new());
    for check in checks {
        match check.result {
            CheckResult::Failed => {
                failing.push(FailedCheck { name: check.name, url: check.url, text: check.text })
            }
            CheckResult::Waiting => waiting.push(check.name),
            CheckResult::Passed => {}
        }
    }
    match (total, failing.is_empty(), waiting.is_empty()) {
        (0, ..) => Checks::None,
        (_, false, _) => Checks::Failure { failing, waiting },
        (_, true, false) => Checks::Pending { waiting },
        (passed, true, true) => Checks::Success { passed },
    }
}

/// The end of a text, at most [`MAX_LOG`] bytes.
pub(crate) fn tail(text: &str) -> String {
    let mut from = text.len().saturating_sub(MAX_LOG);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, result: CheckResult) -> Check {
        Check { name: name.to_owned(), result, url: None, text: None, job: None }
    }

    #[test]
    fn one_failure_outweighs_and_one_that_runs_holds_up() {
        use CheckResult::{Failed, Passed, Waiting};
        assert_eq!(summary(Vec::new()), Checks::None);
        assert_eq!(summary(vec![check("a", Passed), check("b", Passed)]), Checks::Success { passed: 2 });
        let waiting = vec!["b".to_owned()];
        assert_eq!(
            summary(vec![check("a", Passed), check("b", Waiting)]),
            Checks::Pending { waiting: waiting.clone() }
        );
        let failing = vec![FailedCheck { name: "a".to_owned(), url: None, text: None }];
        assert_eq!(
            summary(vec![check("a", Failed), check("b", Waiting)]),
            Checks::Failure { failing, waiting }
        );
    }

    #[test]
    fn a_tail_is_cut_between_characters() {
        let text = "é".repeat(MAX_LOG);
        assert!(tail(&text).len() <= MAX_LOG && tail(&text).ends_with('é'));
        assert_eq!(tail("short"), "short");
    }
}
