//! Changing, judging, merging and clearing away pull requests, and what can come between.

use overnight_testkit::forge::{FakeCheck, FakeFit, FakeResult, FakeToken, Fault, On};

use super::*;
use crate::{
    BranchRemoval, Checks, ErrorClass, ForgeError, MergeAnswer, MergeMethod, MergeOrder, Mergeability,
    PullRequestChange, PullRequestState, WhyKept,
};

fn order(bench: &Bench, method: MergeMethod) -> MergeOrder {
    MergeOrder {
        head: bench.request.tip.clone(),
        method,
        title: Some("Close the door".to_owned()),
        message: None,
    }
}

pub(super) fn check(bench: &Bench, name: &str, result: FakeResult, log: Option<&str>) {
    let commit = bench.request.tip.as_str().to_owned();
    let (name, log) = (name.to_owned(), log.map(str::to_owned));
    bench.fake.report_check(REPOSITORY, FakeCheck { commit, name, result, log });
}

async fn opened(flavour: Flavour) -> Bench {
    let bench = bench(flavour).await;
    bench.forge.open_pull_request(&bench.request).await.unwrap();
    bench
}

#[tokio::test]
async fn title_body_and_target_change_and_a_draft_stays_one() {
    for flavour in FLAVOURS {
        let mut bench = bench(flavour).await;
        bench.request.draft = true;
        let made = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert!(made.draft && made.title == "Close the door", "{flavour:?} {made:?}");
        bench.fake.commit(REPOSITORY, "develop", "main", "develop.txt").unwrap();
        let text = |text: &str| Some(text.to_owned());
        let change = PullRequestChange { title: text("Open it"), body: text("new"), base: text("develop") };
        bench.fake.inject(On::UpdatePullRequest, Fault::CommitThenDropReply);
        let changed = bench.forge.update_pull_request(1, &change).await.unwrap();
        assert_eq!(
            (changed.title.as_str(), changed.body.as_str(), changed.base.as_str()),
            ("Open it", "new", "develop")
        );
        assert!(changed.draft && bench.fake.pull_requests(REPOSITORY)[0].draft, "{flavour:?}");
        for draft in [true, false, false, true] {
            assert_eq!(bench.forge.set_draft(1, draft).await.unwrap().draft, draft);
            assert_eq!(bench.fake.pull_requests(REPOSITORY)[0].draft, draft, "{flavour:?}");
        }
        let before = bench.fake.requests_on(On::UpdatePullRequest).len();
        bench.forge.update_pull_request(1, &PullRequestChange::default()).await.unwrap();
        assert_eq!(
            bench.fake.requests_on(On::UpdatePullRequest).len(),
            before,
            "nothing to change, nothing sent"
        );
        assert_eq!(
            bench.forge.update_pull_request(99, &change).await.unwrap_err().class(),
            ErrorClass::NotFound
        );
        bench.assert_clean();
    }
}

#[tokio::test]
async fn closing_is_done_once_and_what_is_merged_stays_merged() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        bench.fake.inject(On::UpdatePullRequest, Fault::CommitThenStatus(502));
        assert_eq!(bench.forge.close_pull_request(1).await.unwrap().state, PullRequestState::Closed);
        assert_eq!(bench.forge.close_pull_request(1).await.unwrap().state, PullRequestState::Closed);
        let bench = opened(flavour).await;
        bench.fake.merge(REPOSITORY, 1).unwrap();
        assert_eq!(bench.forge.close_pull_request(1).await.unwrap().state, PullRequestState::Merged);
        assert!(bench.fake.requests_on(On::UpdatePullRequest).is_empty());
    }
}

#[tokio::test]
async fn what_was_judged_is_merged_once_and_its_commit_is_told() {
    for flavour in FLAVOURS {
        for method in [MergeMethod::Squash, MergeMethod::Merge] {
            let bench = opened(flavour).await;
            let MergeAnswer::Merged { commit: Some(commit) } =
                bench.forge.merge(1, &order(&bench, method)).await.unwrap()
            else {
                panic!("{flavour:?}")
            };
            let tip = bench.fake.branch_tip(REPOSITORY, "main").unwrap();
            assert_eq!(tip.as_deref(), Some(commit.as_str()), "{flavour:?}");
            let again = bench.forge.merge(1, &order(&bench, method)).await.unwrap();
            assert_eq!(again, MergeAnswer::AlreadyMerged { commit: Some(commit.clone()) });
            assert_eq!(bench.forge.pull_request(1).await.unwrap().merge_commit, Some(commit));
            assert_eq!(bench.fake.requests_on(On::Merge).len(), 1);
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_merge_whose_answer_is_lost_is_looked_up() {
    for flavour in FLAVOURS {
        let cut = [
            Fault::CommitThenDropReply,
            Fault::CommitThenStatus(502),
            Fault::CommitThenStatus(405),
            Fault::CommitThenStatus(409),
        ];
        for fault in cut {
            let bench = opened(flavour).await;
            bench.fake.inject(On::Merge, fault.clone());
            let answer = bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap();
            assert!(
                matches!(answer, MergeAnswer::AlreadyMerged { commit: Some(_) }),
                "{flavour:?} {fault:?} {answer:?}"
            );
            assert_eq!(bench.fake.requests_on(On::Merge).len(), 1);
            bench.assert_clean();
        }
        let bench = opened(flavour).await;
        bench.fake.inject(On::Merge, Fault::DropBeforeCommit);
        let answer = bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap();
        assert!(matches!(answer, MergeAnswer::Merged { commit: Some(_) }), "{flavour:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_head_that_moved_is_never_merged() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        let main = bench.fake.branch_tip(REPOSITORY, "main").unwrap();
        let now = bench.fake.commit(REPOSITORY, BRANCH, "main", "later.txt").unwrap();
        let moved = MergeAnswer::HeadMoved { now: CommitId::parse(&now).ok() };
        assert_eq!(bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap(), moved);
        assert!(bench.fake.requests_on(On::Merge).is_empty(), "seen before anything was asked");
        // Between our look and our order: the order itself names the commit.
        bench.fake.inject(On::Merge, Fault::Status(409));
        let at = MergeOrder { head: CommitId::parse(&now).unwrap(), ..order(&bench, MergeMethod::Squash) };
        let racing = async {
            bench.fake.wait_for_requests(On::Merge, 1).await.unwrap();
            bench.fake.commit(REPOSITORY, BRANCH, "main", "last.txt").unwrap()
        };
        let (answer, _) = tokio::join!(bench.forge.merge(1, &at), racing);
        let answer = answer.unwrap();
        assert!(
            matches!(
                answer,
                MergeAnswer::HeadMoved { .. } | MergeAnswer::NotAllowed { .. } | MergeAnswer::Merged { .. }
            ),
            "{answer:?}"
        );
        if !matches!(answer, MergeAnswer::Merged { .. }) {
            assert_eq!(bench.fake.branch_tip(REPOSITORY, "main").unwrap(), main);
        }
    }
}

#[tokio::test]
async fn each_thing_that_stands_against_merging_has_its_own_answer() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        let main = bench.fake.branch_tip(REPOSITORY, "main").unwrap();
        let ask = async || bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap();
        bench.fake.require_checks(REPOSITORY);
        check(&bench, "build", FakeResult::Success, Some("fine"));
        check(&bench, "tests", FakeResult::Pending, Some(""));
        assert_eq!(
            ask().await,
            MergeAnswer::ChecksPending { waiting: vec!["tests".to_owned()] },
            "{flavour:?}"
        );
        check(&bench, "tests", FakeResult::Failure, Some("boom"));
        assert_eq!(ask().await, MergeAnswer::ChecksFailed { failing: vec!["tests".to_owned()] });
        check(&bench, "tests", FakeResult::Success, Some("fine"));
        bench.fake.forbid_merging(REPOSITORY, "one review is missing");
        assert_eq!(
            ask().await,
            MergeAnswer::NotAllowed { why: "one review is missing".to_owned() },
            "{flavour:?}"
        );
        bench.fake.set_fit(REPOSITORY, 1, FakeFit::Conflict);
        assert_eq!(ask().await, MergeAnswer::Conflict, "{flavour:?}");
        bench
            .fake
            .change_pull(REPOSITORY, 1, |pull| (pull.draft, pull.title) = (true, "Draft: x".to_owned()));
        assert!(matches!(ask().await, MergeAnswer::NotAllowed { .. }));
        bench.fake.close(REPOSITORY, 1);
        assert!(matches!(ask().await, MergeAnswer::NotAllowed { why } if why.contains("closed")));
        assert_eq!(bench.fake.branch_tip(REPOSITORY, "main").unwrap(), main, "nothing was merged");
        bench.fake.add_token("tok_reader", FakeToken::reader("guest"));
        let other = opened(flavour).await;
        other.fake.add_token("tok_reader", FakeToken::reader("guest"));
        let guest = client(&other.fake, flavour, "tok_reader", quick());
        let answer = guest.merge(1, &order(&other, MergeMethod::Squash)).await.unwrap();
        assert!(matches!(answer, MergeAnswer::NotAllowed { .. }), "{flavour:?} {answer:?}");
        let error = bench.forge.merge(99, &order(&bench, MergeMethod::Squash)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::NotFound, "a pull request that is gone");
    }
}

#[tokio::test]
async fn mergeability_is_waited_for() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        assert_eq!(bench.forge.mergeability(1).await.unwrap(), Mergeability::Clean, "{flavour:?}");
        for (fit, expected) in [
            (FakeFit::Behind, Mergeability::Behind),
            (FakeFit::Conflict, Mergeability::Conflict),
            (FakeFit::UnknownThenConflict(1), Mergeability::Conflict),
        ] {
            bench.fake.set_fit(REPOSITORY, 1, fit);
            assert_eq!(bench.forge.mergeability(1).await.unwrap(), expected, "{flavour:?} {fit:?}");
        }
    }
}

#[tokio::test]
async fn checks_of_all_kinds_are_one_summary_with_the_failing_ones_words() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        let tip = &bench.request.tip;
        assert_eq!(bench.forge.checks(tip).await.unwrap(), Checks::None);
        check(&bench, "build", FakeResult::Success, Some(""));
        check(&bench, "docs", FakeResult::Skipped, Some(""));
        check(&bench, "coverage", FakeResult::Pending, None);
        let waiting = vec!["coverage".to_owned()];
        assert_eq!(bench.forge.checks(tip).await.unwrap(), Checks::Pending { waiting }, "{flavour:?}");
        check(&bench, "coverage", FakeResult::Success, None);
        assert_eq!(bench.forge.checks(tip).await.unwrap(), Checks::Success { passed: 3 }, "{flavour:?}");
        let log = format!("{} {TOKEN}\nassertion failed: door", "x".repeat(100_000));
        check(&bench, "tests", FakeResult::Failure, Some(&log));
        let Checks::Failure { failing, waiting } = bench.forge.checks(tip).await.unwrap() else {
            panic!("{flavour:?}")
        };
        assert_eq!((failing.len(), failing[0].name.as_str(), waiting.len()), (1, "tests", 0));
        assert!(failing[0].url.as_ref().is_some_and(|url| url.starts_with("http://")), "{failing:?}");
        if flavour != Flavour::Gitea {
            let text = failing[0].text.as_deref().unwrap();
            assert!(text.ends_with("assertion failed: door") && text.len() <= 8_100, "{}", text.len());
            assert!(!text.contains(TOKEN));
        }
        bench.assert_clean();
    }
}

#[tokio::test]
async fn hundreds_of_checks_are_all_read_and_a_log_that_cannot_be_had_is_no_error() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        for number in 0..20 {
            check(&bench, &format!("part {number}"), FakeResult::Success, Some(""));
        }
        check(&bench, "last", FakeResult::Failure, Some("log"));
        if flavour != Flavour::Gitea {
            bench.fake.inject(On::GetLog, Fault::Status(500));
        }
        let Checks::Failure { failing, .. } = bench.forge.checks(&bench.request.tip).await.unwrap() else {
            panic!()
        };
        assert_eq!(failing[0].name, "last");
        bench.assert_clean();
    }
}

#[tokio::test]
async fn only_a_branch_whose_work_is_elsewhere_is_taken_away() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        let branch = &bench.request.head;
        let kept = BranchRemoval::Kept(WhyKept::NotContained { commits: 1 });
        assert_eq!(bench.forge.remove_branch(branch, None).await.unwrap(), kept, "{flavour:?}");
        let main = BranchName::parse("main").unwrap();
        for base in [None, Some(BRANCH), Some("main")] {
            let kept = BranchRemoval::Kept(WhyKept::IsBase);
            assert_eq!(bench.forge.remove_branch(&main, base).await.unwrap(), kept);
        }
        assert!(bench.fake.requests_on(On::DeleteBranch).is_empty());
        // A squash has the work, but not the commit: that is not good enough.
        bench.forge.merge(1, &order(&bench, MergeMethod::Merge)).await.unwrap();
        bench.fake.inject(On::DeleteBranch, Fault::CommitThenDropReply);
        let removed = BranchRemoval::Removed { tip: bench.request.tip.clone() };
        let answer = bench.forge.remove_branch(branch, None).await.unwrap();
        assert!(answer == removed || answer == BranchRemoval::Gone, "{flavour:?} {answer:?}");
        assert_eq!(bench.fake.branch_tip(REPOSITORY, BRANCH).unwrap(), None);
        assert_eq!(bench.forge.remove_branch(branch, None).await.unwrap(), BranchRemoval::Gone);
        bench.assert_clean();
    }
}

#[tokio::test]
async fn what_is_no_answer_of_a_forge_is_told_and_nothing_hangs() {
    for flavour in FLAVOURS {
        for (fault, class) in [
            (Fault::HtmlPage, ErrorClass::Unexpected),
            (Fault::CommitThenMalformedJson, ErrorClass::Unexpected),
            (Fault::CommitThenWrongShape, ErrorClass::Unexpected),
            (Fault::SecondaryLimit, ErrorClass::RateLimited),
            (Fault::Status(403), ErrorClass::Permission),
        ] {
            let bench = opened(flavour).await;
            bench.fake.inject(On::ListChecks, fault.clone());
            let error = bench.forge.checks(&bench.request.tip).await.unwrap_err();
            assert_eq!(error.class(), class, "{flavour:?} {fault:?} {error}");
            bench.fake.inject(On::GetPullRequest, fault.clone());
            let error = bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap_err();
            assert_eq!(error.class(), class, "{flavour:?} {fault:?} {error}");
            bench.assert_clean();
        }
        let settings = Settings { request_timeout: Duration::from_millis(300), retries: 1, ..quick() };
        let bench = bench_with(flavour, settings).await;
        for _ in 0..2 {
            bench.fake.inject(On::ListIssues, Fault::CommitThenHang);
        }
        let error = bench.forge.issues("night", &crate::Cursor::default()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{flavour:?}");
    }
}

#[tokio::test]
async fn people_keep_their_part_of_the_limit_and_unchanged_answers_are_not_sent_again() {
    for flavour in FLAVOURS {
        let bench = opened(flavour).await;
        bench.fake.send_etags();
        for _ in 0..3 {
            assert!(bench.forge.pull_request(1).await.is_ok());
        }
        assert_eq!(bench.forge.usage().unchanged, 2, "{flavour:?}");
        bench.fake.change_pull(REPOSITORY, 1, |pull| pull.body = "changed".to_owned());
        assert_eq!(bench.forge.pull_request(1).await.unwrap().body, "changed");
        bench.fake.set_rate(60, 31);
        assert!(bench.forge.repository().await.is_ok());
        bench.fake.set_rate(60, 30);
        assert!(bench.forge.repository().await.is_ok(), "what is left is known only afterwards");
        let sent = bench.fake.requests().len();
        let error = bench.forge.merge(1, &order(&bench, MergeMethod::Squash)).await.unwrap_err();
        let ForgeError::BudgetExhausted { until: Some(until), .. } = &error else {
            panic!("{flavour:?} {error}")
        };
        assert_eq!(until.0, (1_709_164_800 + 3_600) * 1_000);
        assert_eq!(bench.fake.requests().len(), sent, "nothing was sent");
        let usage = bench.forge.usage();
        assert_eq!((usage.limit, usage.remaining, usage.refused), (Some(60), Some(30), 1));
    }
}
