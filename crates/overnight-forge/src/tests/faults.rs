//! Each fault of a forge and what comes of it. In every case there is one pull request at most.

use std::time::Duration;

use overnight_core::units::Timestamp;
use overnight_testkit::forge::{FakeForge, FakeToken, Fault, On};

use super::*;
use crate::{ErrorClass, ForgeError, PullRequestState};

/// Everything that an error shows to anybody.
fn shown(error: &ForgeError) -> String {
    let mut text = format!("{error} {error:?} {}", error.hint());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.extend([" ".to_owned(), cause.to_string(), format!(" {cause:?}")]);
        source = cause.source();
    }
    text
}

fn assert_tells_no_token(error: &ForgeError) {
    assert!(!shown(error).contains(TOKEN), "{}", shown(error));
    assert!(!error.hint().is_empty());
}

#[tokio::test]
async fn without_faults_a_pull_request_is_opened_once_and_then_found() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let made = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((made.number, made.state, made.adopted), (1, PullRequestState::Open, false));
        assert!(made.url.starts_with(&bench.fake.web_base()), "{}", made.url);
        let again = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((again.number, again.url, again.adopted), (1, made.url, true));
        let there = &bench.fake.pull_requests(REPOSITORY)[0];
        assert_eq!(
            (there.title.as_str(), there.base.as_str(), there.draft),
            ("Close the door", "main", false)
        );
        assert_eq!(there.body, bench.request.body);
        assert_eq!(bench.count(), 1);
        bench.assert_clean();
    }
}

/// Faults after which the pull request is there at the end, made by one of our requests.
#[tokio::test]
async fn a_request_whose_outcome_is_in_doubt_is_looked_up_and_never_doubled() {
    let cases = [
        (Fault::CommitThenDropReply, true),
        (Fault::CommitThenCutReply(40), true),
        (Fault::CommitThenCutReply(900), true),
        (Fault::CommitThenStatus(500), true),
        (Fault::CommitThenStatus(502), true),
        (Fault::CommitThenStatus(503), true),
        (Fault::CommitThenStatus(409), true),
        (Fault::CommitThenMalformedJson, true),
        (Fault::CommitThenWrongShape, true),
        (Fault::DropBeforeCommit, false),
        (Fault::Status(500), false),
        (Fault::Status(502), false),
        (Fault::Status(503), false),
        (Fault::FalseDuplicate, false),
        (Fault::TooManyRequests(0), false),
        (Fault::PrimaryLimit(0), false),
    ];
    for flavour in FLAVOURS {
        for (fault, adopted) in &cases {
            let bench = bench(flavour).await;
            bench.fake.inject(On::CreatePullRequest, fault.clone());
            let made = bench.forge.open_pull_request(&bench.request).await;
            let made = made.unwrap_or_else(|error| panic!("{flavour:?} {fault:?}: {}", shown(&error)));
            assert_eq!((made.number, made.adopted), (1, *adopted), "{flavour:?} {fault:?}");
            assert_eq!(bench.count(), 1, "{flavour:?} {fault:?}");
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_looked_up() {
    for flavour in FLAVOURS {
        for fault in [Fault::CommitThenHang, Fault::CommitThenSlow(Duration::from_secs(30))] {
            let settings = Settings { request_timeout: Duration::from_millis(1_500), ..quick() };
            let bench = bench_with(flavour, settings).await;
            bench.fake.inject(On::CreatePullRequest, fault);
            let made = bench.forge.open_pull_request(&bench.request).await.unwrap();
            assert_eq!((made.adopted, bench.count()), (true, 1));
            bench.assert_clean();
        }
    }
}

/// Refusals that no repetition can mend are reported after one request, and nothing is made.
#[tokio::test]
async fn a_refusal_is_reported_at_once() {
    let cases = [
        (Fault::Status(401), ErrorClass::Auth),
        (Fault::Status(403), ErrorClass::Permission),
        (Fault::Status(404), ErrorClass::Permission),
        (Fault::Status(423), ErrorClass::Permission),
        (Fault::Status(422), ErrorClass::Validation),
        (Fault::Status(400), ErrorClass::Validation),
        (Fault::Status(418), ErrorClass::Unexpected),
        (Fault::SecondaryLimit, ErrorClass::RateLimited),
        (Fault::TooManyRequests(3_600), ErrorClass::RateLimited),
        (Fault::PrimaryLimit(3_600), ErrorClass::RateLimited),
        (Fault::EchoAuthorization(401), ErrorClass::Auth),
        (Fault::EchoAuthorization(403), ErrorClass::Permission),
        (Fault::EchoAuthorization(422), ErrorClass::Validation),
        (Fault::EchoAuthorization(418), ErrorClass::Unexpected),
    ];
    for flavour in FLAVOURS {
        for (fault, class) in &cases {
            let bench = bench(flavour).await;
            bench.fake.inject(On::CreatePullRequest, fault.clone());
            let error = bench.forge.open_pull_request(&bench.request).await.unwrap_err();
            assert_eq!(error.class(), *class, "{flavour:?} {fault:?}: {error}");
            assert_tells_no_token(&error);
            assert_eq!(bench.fake.requests_on(On::CreatePullRequest).len(), 1, "{flavour:?} {fault:?}");
            assert_eq!(bench.count(), 0);
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_long_limit_says_when_it_ends_by_the_forges_clock() {
    let limited = |error: ForgeError| match error {
        ForgeError::RateLimited { retry_after, reset, .. } => (retry_after, reset),
        other => panic!("{other}"),
    };
    for flavour in FLAVOURS {
        let mut bench = bench(flavour).await;
        for fault in [Fault::TooManyRequests(3_600), Fault::PrimaryLimit(3_600)] {
            // A client that was told of a limit asks nothing more until it ends.
            bench.forge = client(&bench.fake, flavour, TOKEN, quick());
            bench.fake.inject(On::ListPullRequests, fault);
            let error = bench.forge.open_pull_request(&bench.request).await.unwrap_err();
            // The fake's clock stands at 2024-02-29 00:00:00 UTC.
            let reset = Timestamp((1_709_164_800 + 3_600) * 1_000);
            assert_eq!(limited(error), (Some(Duration::from_secs(3_600)), Some(reset)));
        }
        let asked = bench.fake.requests().len();
        let error = bench.forge.repository().await.unwrap_err();
        assert_eq!((error.class(), bench.fake.requests().len()), (ErrorClass::BudgetExhausted, asked));
        bench.forge = client(&bench.fake, flavour, TOKEN, quick());
        bench.fake.inject(On::ListPullRequests, Fault::SecondaryLimit);
        let error = bench.forge.open_pull_request(&bench.request).await.unwrap_err();
        assert_eq!(limited(error), (None, None), "GitHub says nothing but the text");
        bench.assert_clean();
    }
}

#[tokio::test]
async fn an_outage_is_outlasted_and_in_the_end_reported() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        for fault in [Fault::Status(503), Fault::DropBeforeCommit, Fault::TooManyRequests(0)] {
            bench.fake.inject(On::ListPullRequests, fault);
        }
        assert!(bench.forge.open_pull_request(&bench.request).await.is_ok());
        bench.assert_clean();
        for _ in 0..4 {
            bench.fake.inject(On::GetRepository, Fault::Status(502));
        }
        let error = bench.forge.repository().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable);
        assert_eq!(bench.fake.requests_on(On::GetRepository).len(), 4, "one request and three repetitions");
        assert_tells_no_token(&error);
        bench.assert_clean();
    }
}

#[tokio::test]
async fn a_create_that_fails_to_the_end_makes_at_most_one() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        for _ in 0..4 {
            bench.fake.inject(On::CreatePullRequest, Fault::Status(500));
        }
        let error = bench.forge.open_pull_request(&bench.request).await.unwrap_err();
        assert_eq!((error.class(), bench.count()), (ErrorClass::Unavailable, 0));
        // The lookup after a lost reply fails as well: the next call, in another process, finds it.
        // On Gitea one lookup is two lists.
        let lists = if flavour == Flavour::Gitea { 2 } else { 1 };
        for _ in 0..lists {
            bench.fake.inject(On::ListPullRequests, Fault::CommitThenSlow(Duration::ZERO));
        }
        bench.fake.inject(On::CreatePullRequest, Fault::CommitThenDropReply);
        bench.fake.inject(On::ListPullRequests, Fault::Status(500));
        let hasty = client(&bench.fake, flavour, TOKEN, Settings { retries: 0, ..quick() });
        let error = hasty.open_pull_request(&bench.request).await.unwrap_err();
        assert_eq!((error.class(), bench.count()), (ErrorClass::Unavailable, 1));
        let found = bench.forge.open_pull_request(&bench.request).await.unwrap();
        assert_eq!((found.number, found.adopted, bench.count()), (1, true, 1));
        bench.assert_clean();
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_gets_no_token() {
    for flavour in FLAVOURS {
        let trap = FakeForge::start_below(flavour, "/some/where").await.unwrap();
        trap.add_token(TOKEN, FakeToken::writer("nightly"));
        trap.create_repository(REPOSITORY).unwrap();
        for on in [On::ListPullRequests, On::CreatePullRequest] {
            let bench = bench(flavour).await;
            bench.fake.inject(on, Fault::RedirectTo(trap.origin().to_owned()));
            let error = bench.forge.open_pull_request(&bench.request).await.unwrap_err();
            assert!(matches!(&error, ForgeError::Redirected { to, .. } if to == trap.origin()), "{error}");
            assert_tells_no_token(&error);
            assert_eq!(bench.count(), 0);
            bench.assert_clean();
        }
        assert!(trap.requests().is_empty(), "{:?}", trap.requests());
    }
}

#[tokio::test]
async fn a_redirect_within_the_forge_is_followed() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        for on in [On::ListPullRequests, On::CreatePullRequest] {
            bench.fake.inject(on, Fault::RedirectTo(bench.fake.origin().to_owned()));
        }
        assert!(bench.forge.open_pull_request(&bench.request).await.is_ok());
        for _ in 0..4 {
            bench.fake.inject(On::GetAccount, Fault::RedirectTo(bench.fake.origin().to_owned()));
        }
        let error = bench.forge.account().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unexpected, "a circle ends");
        assert_eq!(bench.count(), 1);
        bench.assert_clean();
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unavailable() {
    let bench = bench(FLAVOURS[0]).await;
    let gone = FakeForge::start(FLAVOURS[0]).await.unwrap();
    let address = ForgeAddress::new(ForgeKind::GitHub, &gone.api_base(), "octo", "app").unwrap();
    drop(gone);
    let forge = Forge::connect(address, Secret::new(TOKEN), quick()).unwrap();
    let error = forge.open_pull_request(&bench.request).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
    assert_tells_no_token(&error);
}

#[tokio::test]
async fn many_callers_at_once_make_one_pull_request() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        for fault in [Fault::CommitThenDropReply, Fault::Status(502), Fault::DropBeforeCommit] {
            bench.fake.inject(On::CreatePullRequest, fault);
        }
        let open = || bench.forge.open_pull_request(&bench.request);
        let (a, b, c, d) = tokio::join!(open(), open(), open(), open());
        for made in [a, b, c, d] {
            assert_eq!(made.unwrap().number, 1);
        }
        assert_eq!(bench.count(), 1);
    }
}
