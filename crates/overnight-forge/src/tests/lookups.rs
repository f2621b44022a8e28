//! What is found, adopted and left alone, and what the forge tells about repository and token.

use overnight_testkit::forge::{FakePullRequest, FakeToken, PullState};

use super::*;
use crate::{Account, ErrorClass, ForgeError, PullRequestState, RepositoryInfo};

/// Somebody's pull request from a branch of the same name.
fn other(number: u64, head_repository: &str, base: &str) -> FakePullRequest {
    FakePullRequest {
        number,
        title: "Other".to_owned(),
        body: "by hand".to_owned(),
        head: BRANCH.to_owned(),
        base: base.to_owned(),
        head_repository: head_repository.to_owned(),
        head_commit: "d".repeat(40),
        base_commit: "e".repeat(40),
        draft: false,
        state: PullState::Open,
        author: "somebody".to_owned(),
    }
}

#[tokio::test]
async fn what_a_person_closed_or_merged_stays_so_and_is_reported() {
    for flavour in FLAVOURS {
        for merged in [false, true] {
            let bench = bench(flavour).await;
            let made = bench.forge.open_pull_request(&bench.request).await.unwrap();
            if merged {
                bench.fake.merge(REPOSITORY, made.number).unwrap();
                bench.fake.delete_branch(REPOSITORY, BRANCH).unwrap();
            } else {
                bench.fake.close(REPOSITORY, made.number);
            }
            let expected = if merged { PullRequestState::Merged } else { PullRequestState::Closed };
            let seen = bench.forge.open_pull_request(&bench.request).await.unwrap();
            assert_eq!((seen.number, seen.state, seen.adopted), (1, expected, true), "{flavour:?}");
            assert_eq!(bench.forge.pull_request(1).await.unwrap().state, expected);
            assert_eq!(bench.count(), 1);
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_changed_target_does_not_lead_to_a_second_one() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.fake.commit(REPOSITORY, "develop", "main", "develop.txt").unwrap();
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        bench.fake.change_pull(REPOSITORY, 1, |pull| pull.base = "develop".to_owned());
        let seen = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((seen.number, seen.adopted, bench.count()), (1, true, 1));
        assert_eq!(bench.forge.find_pull_requests(&bench.request.head, "main").await.unwrap(), Vec::new());
        assert_eq!(bench.forge.find_pull_requests(&bench.request.head, "develop").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_open_one_made_by_hand_is_adopted() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.fake.plant_pull_request(REPOSITORY, other(0, REPOSITORY, "main")).unwrap();
        let seen = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((seen.number, seen.adopted, bench.count()), (1, true, 1));
    }
}

#[tokio::test]
async fn one_of_a_fork_with_the_same_branch_name_is_not_ours() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.fake.plant_pull_request(REPOSITORY, other(0, "mallory/app", "main")).unwrap();
        let made = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((made.number, made.adopted), (2, false), "{flavour:?}");
    }
}

#[tokio::test]
async fn a_branch_name_that_is_used_again_gets_a_pull_request_of_its_own() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        bench.fake.merge(REPOSITORY, 1).unwrap();
        let tip = bench.fake.commit(REPOSITORY, BRANCH, "main", "window.txt").unwrap();
        let made = bench.forge.open_pull_request(&request("job-2", &tip)).await.unwrap();
        assert_eq!((made.number, made.adopted), (2, false));
        // The first job still knows its own.
        bench.fake.close(REPOSITORY, 2);
        let first = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((first.number, first.state), (1, PullRequestState::Merged));
    }
}

#[tokio::test]
async fn ours_is_found_among_hundreds() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        for number in 0..130 {
            let mut pull = other(0, REPOSITORY, "main");
            pull.head = format!("other-{number}");
            bench.fake.plant_pull_request(REPOSITORY, pull).unwrap();
        }
        // Many of the same branch as well: more than a page of GitHub's filtered list.
        for _ in 0..130 {
            let mut pull = other(0, REPOSITORY, "develop");
            pull.state = PullState::Closed;
            bench.fake.plant_pull_request(REPOSITORY, pull).unwrap();
        }
        let seen = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((seen.number, seen.adopted), (1, true), "{flavour:?}");
    }
}

#[tokio::test]
async fn a_draft_is_a_draft() {
    for flavour in FLAVOURS {
        let mut bench = bench(flavour).await;
        bench.request.draft = true;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert!(bench.fake.pull_requests(REPOSITORY)[0].draft, "{flavour:?}");
    }
}

#[tokio::test]
async fn a_pull_request_that_cannot_be_is_refused_with_the_forges_reason() {
    let bench = bench(Flavour::GitHub).await;
    let mut request = bench.request.clone();
    request.head = BranchName::parse("overnight/nowhere").unwrap();
    let message = |error: ForgeError| match error {
        ForgeError::Validation { message, .. } => message,
        other => panic!("{other:?}"),
    };
    let error = bench.forge.open_pull_request(&request).await.unwrap_err();
    assert_eq!(message(error), "Validation Failed; head is invalid");
    bench.fake.commit(REPOSITORY, "level", "main", "x").unwrap();
    request.head = BranchName::parse("level").unwrap();
    request.base = "level".to_owned();
    let error = bench.forge.open_pull_request(&request).await.unwrap_err();
    assert_eq!(message(error), "Validation Failed; No commits between level and level");
    request.body = "x".repeat(65_537);
    let error = bench.forge.open_pull_request(&request).await.unwrap_err();
    assert!(message(error).contains("too long"));
    assert_eq!(bench.count(), 0);
}

#[tokio::test]
async fn what_a_token_may_do_is_told() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let info =
            RepositoryInfo { default_branch: "main".to_owned(), can_push: Some(true), archived: false };
        assert_eq!(bench.forge.repository().await.unwrap(), info);
        let scopes = (flavour == Flavour::GitHub).then(|| vec!["repo".to_owned()]);
        assert_eq!(bench.forge.account().await.unwrap(), Account { login: "nightly".to_owned(), scopes });
        bench.fake.add_token("tok_reader", FakeToken::reader("guest"));
        let guest = client(&bench.fake, flavour, "tok_reader", quick());
        assert_eq!(guest.repository().await.unwrap().can_push, Some(false));
        assert_eq!(guest.account().await.unwrap().scopes, None);
        let error = guest.open_pull_request(&bench.request).await.unwrap_err();
        assert_eq!((error.class(), bench.count()), (ErrorClass::Permission, 0));
    }
}

#[tokio::test]
async fn a_wrong_token_or_repository_is_told_apart() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let stranger = client(&bench.fake, flavour, "tok_wrong", quick());
        assert_eq!(stranger.account().await.unwrap_err().class(), ErrorClass::Auth);
        assert_eq!(stranger.open_pull_request(&bench.request).await.unwrap_err().class(), ErrorClass::Auth);
        assert_eq!(bench.forge.pull_request(77).await.unwrap_err().class(), ErrorClass::NotFound);
        let address =
            ForgeAddress::new(bench.forge.address().kind(), &bench.fake.api_base(), "octo", "gone").unwrap();
        let lost = Forge::connect(address, Secret::new(TOKEN), quick()).unwrap();
        assert_eq!(lost.repository().await.unwrap_err().class(), ErrorClass::NotFound);
    }
}

#[test]
fn a_token_that_no_header_can_hold_is_refused_before_anything_is_sent() {
    for token in ["", " \n", "a\nb", "a\u{7}b"] {
        let address = ForgeAddress::new(ForgeKind::GitHub, "https://api.github.com", "o", "r").unwrap();
        let error = Forge::connect(address, Secret::new(token), Settings::default()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unusable, "{token:?}");
    }
}

#[test]
fn a_client_for_https_can_be_made_twice() {
    for _ in 0..2 {
        let address = ForgeAddress::new(ForgeKind::GitHub, "https://api.github.com", "o", "r").unwrap();
        let forge = Forge::connect(address, Secret::new(TOKEN), Settings::default()).unwrap();
        assert!(!format!("{forge:?}").contains(TOKEN));
    }
}
