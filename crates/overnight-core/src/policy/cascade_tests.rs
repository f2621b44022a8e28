use proptest::prelude::*;

use super::*;
use crate::git::BranchName;
use crate::id::ItemId;
use crate::job::tests_support::spec;
use crate::job::{Follows, TaskOrder, Who};
use crate::policy::alignment::VerifyRequired;

fn key(number: u64) -> TaskKey {
    TaskKey::parse(&format!("app-{number}")).unwrap()
}

pub(crate) fn of_epic() -> JobSpec {
    let order = TaskOrder {
        item: ItemId::parse("i-1").unwrap(),
        key: key(7),
        story: Some(key(2)),
        epic: Some(key(1)),
        plan: None,
        verify_required: VerifyRequired::default(),
        verify_only: false,
    };
    JobSpec { task: Some(Box::new(order)), ..spec() }
}

fn fact(number: u64, at: JobAt) -> JobFact {
    JobFact { job: JobId::parse(&format!("j-{number}")).unwrap(), key: key(number), at }
}

fn pull(number: u64) -> PullRequestRef {
    PullRequestRef { number, url: format!("https://forge/pull/{number}") }
}

fn work(number: u64, seen: PullSeen, branch_seen: BranchSeen) -> WorkFact {
    WorkFact {
        key: key(number),
        remote: "https://forge/o/r".to_owned(),
        branch: BranchName::parse(&format!("overnight/app-{number}")).unwrap(),
        pull_request: (seen != PullSeen::Nowhere).then(|| pull(number)),
        seen,
        branch_seen,
        reverted: false,
        others: Vec::new(),
    }
}

fn names(planned: &[Planned]) -> Vec<String> {
    let word = |planned: &Planned| match planned.what {
        What::Do => planned.step.name(),
        What::Leave { .. } => format!("not {}", planned.step.name()),
    };
    planned.iter().map(word).collect()
}

#[test]
fn only_what_was_tried_and_failed_is_carried_on() {
    use EndReason as R;
    let carried: Vec<EndReason> = EndReason::ALL.into_iter().filter(|reason| cascades(*reason)).collect();
    let wanted = [
        R::VerificationFailed,
        R::AgentFailed,
        R::NoChanges,
        R::GateRefused,
        R::AgentRefused,
        R::AgentTimedOut,
        R::BudgetCost,
        R::BudgetTokens,
        R::BudgetTurns,
        R::BudgetTime,
        R::BudgetSessions,
    ];
    assert_eq!(carried, wanted);
}

#[test]
fn it_takes_an_epic_and_a_task_that_was_to_change_something() {
    let failed = EndReason::VerificationFailed;
    assert_eq!(epic_of(&of_epic(), failed), Some(&key(1)));
    assert_eq!(epic_of(&spec(), failed), None);
    let mut alone = of_epic();
    alone.task.as_mut().unwrap().epic = None;
    assert_eq!(epic_of(&alone, failed), None);
    let mut looks = of_epic();
    looks.task.as_mut().unwrap().verify_only = true;
    assert_eq!(epic_of(&looks, EndReason::NoChanges), None);
    assert!(epic_of(&looks, failed).is_some() && epic_of(&of_epic(), EndReason::NoChanges).is_some());
    for branch in [None, Some(BranchName::parse("overnight/app-7").unwrap())] {
        let improves = branch.is_some();
        let follows = Follows {
            job: JobId::parse("j").unwrap(),
            key: key(7),
            message: String::new(),
            branch,
            base_branch: None,
            preserved: None,
            session: None,
            who: Who::First,
            account: None,
            handover: String::new(),
            pull: None,
        };
        let spec = JobSpec { follows: Some(Box::new(follows)), ..of_epic() };
        assert_eq!(epic_of(&spec, failed).is_none(), improves);
    }
}

#[test]
fn jobs_are_cancelled_before_anything_else_is_touched() {
    let facts = CascadeFacts {
        jobs: vec![
            fact(5, JobAt::Unfinished),
            fact(3, JobAt::Failing),
            fact(4, JobAt::Unfinished),
            fact(2, JobAt::Ended),
        ],
        works: vec![work(2, PullSeen::Open, BranchSeen::Ahead { commits: 1 })],
    };
    assert_eq!(names(&plan(&facts, &BTreeSet::new())), ["cascade-cancel-app-5", "cascade-cancel-app-4"]);
    let asked = ["cascade-cancel-app-4", "cascade-cancel-app-5"].map(str::to_owned).into();
    assert_eq!(plan(&facts, &asked), []);
    let gone = CascadeFacts { jobs: vec![fact(4, JobAt::Ended), fact(3, JobAt::Failing)], ..facts };
    assert_eq!(names(&plan(&gone, &asked)), ["cascade-close-app-2", "not cascade-delete-app-2"]);
}

#[test]
fn each_work_is_dealt_with_by_where_it_is() {
    let works = vec![
        work(2, PullSeen::Merged, BranchSeen::Contained),
        work(3, PullSeen::Open, BranchSeen::Ahead { commits: 2 }),
        work(4, PullSeen::Merged, BranchSeen::Gone),
        work(5, PullSeen::Closed, BranchSeen::Ahead { commits: 1 }),
        work(6, PullSeen::Nowhere, BranchSeen::Unknown),
        WorkFact { reverted: true, ..work(7, PullSeen::Merged, BranchSeen::Gone) },
    ];
    let facts = CascadeFacts { jobs: Vec::new(), works };
    let wanted = [
        "cascade-close-app-3",
        // The newest first.
        "cascade-revert-app-4",
        "cascade-revert-app-2",
        "cascade-delete-app-2",
        "not cascade-delete-app-3",
        "not cascade-delete-app-5",
        "not cascade-delete-app-6",
    ];
    assert_eq!(names(&plan(&facts, &BTreeSet::new())), wanted);
}

#[test]
fn what_others_share_is_left_alone() {
    for seen in [PullSeen::Open, PullSeen::Merged, PullSeen::Closed, PullSeen::Nowhere] {
        let shared = WorkFact { others: vec![key(40)], ..work(2, seen, BranchSeen::Contained) };
        let facts = CascadeFacts { jobs: Vec::new(), works: vec![shared] };
        let planned = plan(&facts, &BTreeSet::new());
        assert!(!planned.is_empty() && planned.iter().all(|planned| planned.what != What::Do), "{planned:?}");
    }
    // One of two works on a branch is enough to keep it.
    let mut second = work(3, PullSeen::Open, BranchSeen::Ahead { commits: 1 });
    second.branch = work(2, PullSeen::Merged, BranchSeen::Contained).branch;
    let facts = CascadeFacts {
        jobs: Vec::new(),
        works: vec![work(2, PullSeen::Merged, BranchSeen::Contained), second],
    };
    let planned = plan(&facts, &BTreeSet::new());
    assert_eq!(names(&planned), ["cascade-close-app-3", "cascade-revert-app-2", "not cascade-delete-app-2"]);
}

#[test]
fn a_branch_of_a_revert_can_be_pushed_by_us() {
    assert_eq!(revert_branch(&key(12)).unwrap().as_str(), "overnight/revert-app-12");
}

fn any_seen() -> impl Strategy<Value = PullSeen> {
    prop_oneof![Just(PullSeen::Nowhere), Just(PullSeen::Open), Just(PullSeen::Closed), Just(PullSeen::Merged)]
}

fn any_branch() -> impl Strategy<Value = BranchSeen> {
    prop_oneof![
        Just(BranchSeen::Gone),
        Just(BranchSeen::Contained),
        (1_u64..9).prop_map(|commits| BranchSeen::Ahead { commits }),
        Just(BranchSeen::Unknown)
    ]
}

fn any_facts() -> impl Strategy<Value = CascadeFacts> {
    let at = prop_oneof![Just(JobAt::Unfinished), Just(JobAt::Failing), Just(JobAt::Ended)];
    let jobs = prop::collection::vec(at, 0..5);
    let works =
        prop::collection::vec((any_seen(), any_branch(), any::<bool>(), 0_u64..4, any::<bool>()), 0..6);
    (jobs, works).prop_map(|(jobs, works)| CascadeFacts {
        jobs: (100..).zip(jobs).map(|(number, at)| fact(number, at)).collect(),
        works: (2..)
            .zip(works)
            .map(|(number, (seen, branch_seen, reverted, branch, shared))| WorkFact {
                reverted,
                // Several works may be on one branch.
                branch: BranchName::parse(&format!("overnight/b-{branch}")).unwrap(),
                others: shared.then(|| key(400)).into_iter().collect(),
                ..work(number, seen, branch_seen)
            })
            .collect(),
    })
}

/// What these steps make of the world.
fn done(facts: &CascadeFacts, planned: &[Planned]) -> CascadeFacts {
    let mut facts = facts.clone();
    for Planned { step, .. } in planned.iter().filter(|planned| planned.what == What::Do) {
        for job in facts.jobs.iter_mut().filter(|job| job.key == *step.key()) {
            job.at = JobAt::Ended;
        }
        let branches: Vec<BranchName> = facts
            .works
            .iter()
            .filter(|work| work.key == *step.key())
            .map(|work| work.branch.clone())
            .collect();
        for work in &mut facts.works {
            let own = work.key == *step.key();
            match step {
                CascadeStep::CancelJob { .. } => {}
                CascadeStep::ClosePullRequest { .. } if own => work.seen = PullSeen::Closed,
                CascadeStep::OpenRevert { .. } if own => work.reverted = true,
                CascadeStep::DeleteBranch { .. } if branches.contains(&work.branch) => {
                    work.branch_seen = BranchSeen::Gone;
                }
                CascadeStep::ClosePullRequest { .. }
                | CascadeStep::OpenRevert { .. }
                | CascadeStep::DeleteBranch { .. } => {}
            }
        }
    }
    facts
}

proptest! {
    #[test]
    fn no_step_takes_anything_away_and_twice_is_once(facts in any_facts()) {
        let none = BTreeSet::new();
        let mut now = facts;
        for round in 0..2 {
            let planned = plan(&now, &none);
            let names: BTreeSet<String> = planned.iter().map(|planned| planned.step.name()).collect();
            prop_assert_eq!(names.len(), planned.len(), "a name twice");
            prop_assert_eq!(plan(&now, &names), Vec::new(), "settled is settled");
            let waits = !waits_for(&now).is_empty();
            for Planned { step, what } in &planned {
                let of = |key: &TaskKey| now.works.iter().find(|work| work.key == *key).unwrap();
                match step {
                    CascadeStep::CancelJob { job, .. } => {
                        let fact = now.jobs.iter().find(|fact| fact.job == *job).unwrap();
                        prop_assert_eq!(fact.at, JobAt::Unfinished);
                    }
                    _ if *what != What::Do => {}
                    CascadeStep::ClosePullRequest { key, .. } => {
                        prop_assert!(!waits && of(key).seen == PullSeen::Open && of(key).others.is_empty());
                    }
                    CascadeStep::OpenRevert { key, .. } => {
                        prop_assert!(!waits && of(key).seen == PullSeen::Merged && of(key).others.is_empty());
                    }
                    CascadeStep::DeleteBranch { branch, .. } => {
                        let safe = |work: &&WorkFact| {
                            matches!(work.branch_seen, BranchSeen::Gone | BranchSeen::Contained) && work.others.is_empty()
                        };
                        let on_it: Vec<&WorkFact> = now.works.iter().filter(|work| work.branch == *branch).collect();
                        prop_assert!(!waits && on_it.iter().all(safe), "{on_it:?}");
                    }
                }
            }
            now = done(&now, &planned);
            if round == 1 || !waits {
                prop_assert!(plan(&now, &none).iter().all(|planned| planned.what != What::Do));
            }
        }
    }
}
