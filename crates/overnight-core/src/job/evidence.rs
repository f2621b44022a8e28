//! What a person who has to say a word on a commit is shown: why they are asked, what was found, and what its checks came to. Told
//! from the job's events; no second truth.

use serde::Serialize;

use crate::git::CommitId;
use crate::id::{JobId, TaskKey};
use crate::policy::preflight::Inspection;
use crate::units::Timestamp;
use crate::verdict::{DiffStat, Standing, Verdict};

use super::approval::why_awaited;
use super::{Job, JobEvent};

/// A job that waits for a person's word on a commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AwaitedApproval {
    pub job: JobId,
    pub key: TaskKey,
    pub title: String,
    pub repository: String,
    /// What the word is about, and nothing else.
    pub commit: CommitId,
    pub why: String,
    /// When the job was last written to, which is when it began to wait, or was woken meanwhile.
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The commands that say the word.
    pub approve_with: String,
    pub reject_with: String,
}

/// What was measured of one commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evidence {
    pub diff: Option<DiffStat>,
    /// What was found in it, with the lines.
    pub inspection: Option<Inspection>,
    pub checks: Vec<CheckEvidence>,
}

/// One check of the commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckEvidence {
    pub check: String,
    pub verdict: Verdict,
    /// On the base, where the commit did not pass.
    pub on_base: Option<Verdict>,
    pub standing: Option<Standing>,
}

impl AwaitedApproval {
    /// `None`: the job waits for no word.
    #[must_use]
    pub fn of<'a>(job: &Job, events: impl IntoIterator<Item = &'a JobEvent>) -> Option<Self> {
        let commit = job.state.awaits_approval()?.clone();
        let (key, short) = (&job.key, commit.short());
        Some(Self {
            job: job.id.clone(),
            key: key.clone(),
            title: job.spec.title.clone(),
            repository: job.repository_name.clone(),
            why: why_awaited(&job.state).unwrap_or_default().to_owned(),
            since: job.updated_at,
            evidence: Evidence::of(&commit, events),
            approve_with: format!("overnight approve {key} --commit {short}"),
            reject_with: format!("overnight reject {key} --commit {short} -m \"…\""),
            commit,
        })
    }
}

impl Evidence {
    /// The last word of the events on this commit: one that was brought home again is measured again.
    #[must_use]
    pub fn of<'a>(commit: &CommitId, events: impl IntoIterator<Item = &'a JobEvent>) -> Self {
        let mut evidence = Self::default();
        // A judgement names a check and no commit.
        let mut about_it = false;
        for event in events {
            if let JobEvent::Collected { tip, diff } = event {
                about_it = tip.as_ref() == Some(commit);
                if about_it {
                    evidence = Self { diff: Some(*diff), ..Self::default() };
                }
            } else if let JobEvent::Inspected { commit: of, inspection } = event {
                about_it = of == commit;
                if about_it {
                    evidence.inspection = Some(inspection.as_ref().clone());
                    evidence.checks.clear();
                }
            } else if about_it {
                evidence.measured(event);
            }
        }
        evidence
    }

    fn measured(&mut self, event: &JobEvent) {
        if let JobEvent::Checked { report, on_base: false } = event {
            self.checks.push(CheckEvidence {
                check: report.check.clone(),
                verdict: report.verdict.clone(),
                on_base: None,
                standing: None,
            });
        } else if let JobEvent::Checked { report, on_base: true } = event {
            self.last_of(&report.check).for_each(|check| check.on_base = Some(report.verdict.clone()));
        } else if let JobEvent::Judged { check, standing } = event {
            self.last_of(check).for_each(|check| check.standing = Some(*standing));
        }
    }

    fn last_of<'a>(&'a mut self, name: &'a str) -> impl Iterator<Item = &'a mut CheckEvidence> {
        self.checks.iter_mut().rev().filter(move |check| check.check == name).take(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::CheckReport;

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    fn collected(digit: &str, files: u32) -> JobEvent {
        let diff = DiffStat { files, insertions: 1, deletions: 0 };
        JobEvent::Collected { tip: Some(commit(digit)), diff }
    }

    fn inspected(digit: &str) -> JobEvent {
        let inspection = Box::new(Inspection { findings: Vec::new(), more: 0, alignment: None });
        JobEvent::Inspected { commit: commit(digit), inspection }
    }

    fn checked(digit: &str, verdict: Verdict, on_base: bool) -> JobEvent {
        let (check, output_tail) = ("test".to_owned(), "secret words".to_owned());
        let report =
            CheckReport { check, commit: commit(digit), verdict, output_tail, elapsed: Duration::ZERO };
        JobEvent::Checked { report, on_base }
    }

    #[test]
    fn evidence_is_of_one_commit_and_of_its_last_measurement() {
        let judged = |standing| JobEvent::Judged { check: "test".to_owned(), standing };
        let events = [
            collected("a", 9),
            inspected("a"),
            checked("a", Verdict::Pass, false),
            judged(Standing::Passed),
            collected("b", 1),
            inspected("b"),
            checked("b", Verdict::Fail { status: 1 }, false),
            checked("0", Verdict::Fail { status: 1 }, true),
            judged(Standing::FailedBefore),
            // A worker was killed: the same again.
            inspected("b"),
            checked("b", Verdict::Fail { status: 1 }, false),
            checked("0", Verdict::Pass, true),
            judged(Standing::Broken),
        ];
        let found = Evidence::of(&commit("b"), &events);
        let check = CheckEvidence {
            check: "test".to_owned(),
            verdict: Verdict::Fail { status: 1 },
            on_base: Some(Verdict::Pass),
            standing: Some(Standing::Broken),
        };
        assert_eq!((found.diff.map(|diff| diff.files), found.checks), (Some(1), vec![check]));
        assert!(found.inspection.is_some());
        assert_eq!(Evidence::of(&commit("c"), &events), Evidence::default());
    }
}
