//! What the jobs of a case are, and how they end when nobody is killed.

use std::collections::BTreeSet;

use crate::harness::Place;
use crate::harness::fleet::{Engine, FIX, JobRow, place_on};
use crate::harness::forge::Forge;
use overnight_testkit::forge::Flavour;

/// An attempt whose result fails the check.
const MISS: &str = r#"{ write = { path = "answer", content = "40\n" } }"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Right at once, a branch in the person's repository.
    Branch,
    /// Right at the second attempt.
    Twice,
    /// Wrong each time.
    Failing,
    /// A job of another repository beside it, and one that waits for both.
    Chain,
    /// A branch and a pull request on a forge.
    Pull,
}

/// Where the jobs of a case are.
pub(super) struct Scene {
    pub(super) place: Place,
    forge: Option<Forge>,
}

impl Shape {
    pub(super) const ALL: [Self; 5] = [Self::Branch, Self::Twice, Self::Failing, Self::Chain, Self::Pull];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Twice => "twice",
            Self::Failing => "failing",
            Self::Chain => "chain",
            Self::Pull => "pull",
        }
    }

    /// A place with the jobs in its queue.
    pub(super) fn set(self, engine: Engine) -> Scene {
        let mut place = place_on(engine, "crash sweep").expect("it was there at the start");
        let forge = (self == Self::Pull).then(|| Forge::beside(&mut place, Flavour::GitHub));
        match self {
            Self::Branch => drop(place.add("repo", &[FIX], &[])),
            Self::Twice => drop(place.add("repo", &[MISS, FIX], &[])),
            Self::Failing => drop(place.add("repo", &[MISS], &["--attempts", "2"])),
            Self::Pull => drop(place.add("repo", &[FIX], &["--pr"])),
            Self::Chain => {
                place.make_repo("other");
                let first = place.add("repo", &[FIX], &[]);
                let beside = place.add("other", &[FIX], &[]);
                place.add("repo", &[FIX], &["--after", &first, "--after-any", &beside]);
            }
        }
        Scene { place, forge }
    }

    /// How often its attempts fail, over all jobs.
    fn failed_attempts(self) -> usize {
        match self {
            Self::Branch | Self::Chain | Self::Pull => 0,
            Self::Twice => 1,
            Self::Failing => 2,
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Failing => "verification_failed",
            Self::Branch | Self::Twice | Self::Chain | Self::Pull => "published",
        }
    }
}

impl Scene {
    /// Every job has ended as it would have; what it published is there once, and is what was recorded. Gives the jobs.
    pub(super) fn expect_ended(&self, shape: Shape) -> Vec<JobRow> {
        let mut tables = self.place.tables();
        let jobs = tables.jobs();
        let mut failed = 0;
        let mut pushed = BTreeSet::new();
        for job in &jobs {
            assert_eq!(
                (job.state.as_str(), job.end_reason.as_deref()),
                ("ended", Some(shape.end())),
                "{job:?}"
            );
            for event in tables.events(&job.key) {
                match event["type"].as_str().unwrap() {
                    "attempt_failed" => failed += 1,
                    "branch_pushed" => {
                        let text = |name: &str| event[name].as_str().unwrap().to_owned();
                        pushed.insert((text("branch"), text("commit")));
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(failed, shape.failed_attempts(), "failed attempts");
        let published = jobs.iter().filter(|job| job.end_reason.as_deref() == Some("published")).count();
        assert_eq!(pushed.len(), published, "{pushed:?}");
        assert_eq!(self.branches(), pushed, "branches, as they are and as they were recorded");
        if let Some(forge) = &self.forge {
            forge.expect_one(&self.place, "the pull request");
        }
        jobs
    }

    /// Our branches where they were pushed to, with their commits.
    fn branches(&self) -> BTreeSet<(String, String)> {
        let mut targets = vec![self.place.repo(), self.place.path("other")];
        targets.extend(self.forge.as_ref().map(|forge| forge.bare().into()));
        targets.retain(|target| target.exists());
        let format = "--format=%(refname:short) %(objectname)";
        let mut found = BTreeSet::new();
        for target in targets {
            let listed = self.place.git_in(&target, &["for-each-ref", format, "refs/heads/overnight"]);
            let branch = |line: &str| line.split_once(' ').map(|(name, at)| (name.to_owned(), at.to_owned()));
            found.extend(listed.lines().filter_map(branch));
        }
        found
    }
}
