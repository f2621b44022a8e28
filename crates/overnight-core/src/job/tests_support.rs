//! Values that unit tests of this crate share.

use crate::agent::{AgentSettings, BackendId};
use crate::git::CommitId;
use crate::id::{QuestionId, TaskKey};
use crate::policy::budget::JobBudget;
use crate::talk::{OnQuestion, QuestionPolicy, Talk};
use crate::verdict::{Check, CheckReport, CheckSource, Verdict};

use super::{Base, Choice, Ground, JobLimits, JobSpec, Publication, VerifyRequest};

pub(crate) fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

pub(crate) fn key() -> TaskKey {
    TaskKey::parse("app-12").unwrap()
}

pub(crate) fn check(name: &str) -> Check {
    Check {
        name: name.to_owned(),
        command: format!("make {name}"),
        timeout: std::time::Duration::from_secs(600),
    }
}

pub(crate) fn ground() -> Ground {
    Ground {
        base: commit('a'),
        base_branch: Some("main".to_owned()),
        check_source: CheckSource::CommandLine,
        checks: vec![check("test"), check("lint")],
        line: None,
    }
}

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        title: "Fix the door".to_owned(),
        prompt: "Fix the door, it does not close.".to_owned(),
        source: "/repo".to_owned(),
        ordered_in: None,
        base: Base::Commit { commit: commit('a'), branch: Some("main".to_owned()) },
        publication: Publication::LocalBranch { repository: "/repo".to_owned() },
        verify: VerifyRequest::Commands { checks: ground().checks },
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Claude),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: JobBudget::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

/// Nobody has asked anything, and nobody would be asked.
pub(crate) fn no_talk() -> Talk {
    Talk {
        policy: QuestionPolicy { on_question: OnQuestion::End, ..QuestionPolicy::default() },
        fresh: QuestionId::parse("q-1").unwrap(),
        asked: 0,
        open_until: None,
        settled: false,
    }
}

pub(crate) fn report(name: &str, verdict: Verdict, output: &str) -> CheckReport {
    CheckReport {
        check: name.to_owned(),
        commit: commit('b'),
        verdict,
        output_tail: output.to_owned(),
        elapsed: std::time::Duration::from_secs(1),
    }
}
