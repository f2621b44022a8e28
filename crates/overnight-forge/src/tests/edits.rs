//! Changes of a pull request that is there.

use overnight_testkit::forge::{FakeToken, Fault, On};

use super::{FLAVOURS, REPOSITORY, bench, client, quick};
use crate::{ErrorClass, NewPullRequest};

#[tokio::test]
async fn a_draft_becomes_ready_and_a_draft_again_under_its_title() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let request = NewPullRequest { draft: true, ..bench.request.clone() };
        let number = bench.forge.open_pull_request(&request).await.unwrap().number;
        let seen = || bench.fake.pull_requests(REPOSITORY).remove(0);
        for draft in [true, false, false, true] {
            bench.forge.set_draft(number, draft).await.unwrap();
            let text = bench.forge.pull_request_text(number).await.unwrap();
            assert_eq!((text.draft, seen().draft), (draft, draft), "{flavour:?}");
            assert_eq!((text.title.as_str(), text.body.as_str()), ("Close the door", request.body.as_str()));
        }
        // A draft stays one under a new title.
        bench.forge.update_pull_request(number, "Open the door", "new\n").await.unwrap();
        let text = bench.forge.pull_request_text(number).await.unwrap();
        assert_eq!((text.draft, text.title.as_str(), text.body.as_str()), (true, "Open the door", "new\n"));
        let changes = bench.fake.requests_on(On::ChangePullRequest).len();
        assert_eq!(changes, 3, "{flavour:?}: nothing is sent for what is so already");
        bench.assert_clean();
    }
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_sent_again() {
    for flavour in FLAVOURS {
        for fault in [Fault::DropBeforeCommit, Fault::CommitThenDropReply, Fault::Status(502)] {
            let bench = bench(flavour).await;
            let number = bench.forge.open_pull_request(&bench.request).await.unwrap().number;
            bench.fake.inject(On::ChangePullRequest, fault);
            bench.forge.update_pull_request(number, "t", "b").await.unwrap();
            let pull = bench.fake.pull_requests(REPOSITORY).remove(0);
            assert_eq!((pull.title.as_str(), pull.body.as_str()), ("t", "b"));
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_token_that_may_not_write_is_named_for_what_it_is() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let request = NewPullRequest { draft: true, ..bench.request.clone() };
        let number = bench.forge.open_pull_request(&request).await.unwrap().number;
        bench.fake.add_token("reader", FakeToken::reader("guest"));
        let guest = client(&bench.fake, flavour, "reader", quick());
        let changed = guest.update_pull_request(number, "t", "b").await.unwrap_err();
        assert_eq!(changed.class(), ErrorClass::Permission, "{changed}");
        let ready = guest.set_draft(number, false).await.unwrap_err();
        assert_eq!(ready.class(), ErrorClass::Permission, "{ready}");
        assert!(bench.fake.pull_requests(REPOSITORY)[0].draft);
        bench.assert_clean();
    }
}
