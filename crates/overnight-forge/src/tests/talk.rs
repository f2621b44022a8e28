//! Comments that are there once, labels, reviews and issues.

use overnight_testkit::forge::{FakeOpinion, Fault, On};

use super::*;
use crate::{Cursor, ErrorClass, LabelChange, NewComment, Opinion, Thread};

fn note(topic: &str) -> NewComment {
    NewComment {
        job: JobId::parse("job-1").unwrap(),
        topic: topic.to_owned(),
        text: "The night is over.".to_owned(),
    }
}

fn change(add: &[&str], remove: &[&str]) -> LabelChange {
    let own = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    LabelChange { add: own(add), remove: own(remove) }
}

#[tokio::test]
async fn a_comment_is_there_once_whatever_happens_to_its_answer() {
    for flavour in FLAVOURS {
        for fault in [
            Fault::CommitThenDropReply,
            Fault::CommitThenStatus(502),
            Fault::DropBeforeCommit,
            Fault::CommitThenMalformedJson,
        ] {
            let bench = bench(flavour).await;
            bench.forge.open_pull_request(&bench.request).await.unwrap();
            let thread = Thread::PullRequest(1);
            bench.fake.inject(On::CreateComment, fault.clone());
            let first = bench.forge.comment(thread, &note("cascade")).await.unwrap();
            let second = bench.forge.comment(thread, &note("cascade")).await.unwrap();
            assert!(second.adopted && !first.url.is_empty(), "{flavour:?} {fault:?}");
            assert_eq!(bench.fake.comments(REPOSITORY, 1).len(), 1, "{flavour:?} {fault:?}");
            bench.forge.comment(thread, &note("ci-2")).await.unwrap();
            assert_eq!(bench.fake.comments(REPOSITORY, 1).len(), 2, "another topic is another comment");
            bench.assert_clean();
        }
    }
}

#[tokio::test]
async fn somebody_who_copies_our_marker_does_not_keep_us_from_speaking() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let number = bench.fake.open_issue(REPOSITORY, "mallory", "x", &[]);
        let copied = "ha\n\n<!-- overnight:comment=job-1/cascade -->\n";
        bench.fake.write_comment(REPOSITORY, number, "mallory", copied, None);
        assert!(!bench.forge.comment(Thread::Issue(number), &note("cascade")).await.unwrap().adopted);
        assert_eq!(bench.fake.comments(REPOSITORY, number).len(), 2, "{flavour:?}");
        let error = bench.forge.comment(Thread::Issue(999), &note("cascade")).await.unwrap_err();
        assert!(
            matches!(error.class(), ErrorClass::NotFound | ErrorClass::Permission),
            "{flavour:?} {error}"
        );
    }
}

#[tokio::test]
async fn ours_is_found_behind_hundreds_of_comments() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        let number = bench.fake.open_issue(REPOSITORY, "ada", "x", &[]);
        for turn in 0..150 {
            bench.fake.write_comment(REPOSITORY, number, "ada", &format!("{turn}"), None);
        }
        bench.forge.comment(Thread::Issue(number), &note("a")).await.unwrap();
        for turn in 0..150 {
            bench.fake.write_comment(REPOSITORY, number, "ada", &format!("{turn}"), None);
        }
        assert!(bench.forge.comment(Thread::Issue(number), &note("a")).await.unwrap().adopted, "{flavour:?}");
    }
}

#[tokio::test]
async fn labels_come_and_go_and_are_made_where_they_are_missing() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        let issue = bench.fake.open_issue(REPOSITORY, "ada", "x", &["night", "bug"]);
        for (thread, number) in [(Thread::PullRequest(1), 1), (Thread::Issue(issue), issue)] {
            for _ in 0..2 {
                bench
                    .forge
                    .change_labels(thread, &change(&["over night/é", "taken"], &["night", "absent"]))
                    .await
                    .unwrap();
            }
            let mut labels = bench.fake.labels(REPOSITORY, number);
            labels.retain(|label| label != "bug");
            labels.sort();
            assert_eq!(labels, ["over night/é", "taken"], "{flavour:?}");
            bench.forge.change_labels(thread, &change(&[], &["over night/é"])).await.unwrap();
            assert!(!bench.fake.labels(REPOSITORY, number).contains(&"over night/é".to_owned()));
        }
        let sent = bench.fake.requests().len();
        for bad in ["..", ".", "", "a,b"] {
            let error =
                bench.forge.change_labels(Thread::Issue(issue), &change(&[], &[bad])).await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Unusable);
        }
        assert_eq!(bench.fake.requests().len(), sent, "nothing was sent");
        assert!(bench.fake.labels(REPOSITORY, issue).contains(&"bug".to_owned()));
        bench.assert_clean();
    }
}

#[tokio::test]
async fn reviews_are_told_as_they_stand_and_remarks_once() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        bench.fake.review(REPOSITORY, 1, "ada", FakeOpinion::ChangesRequested, "no");
        bench.fake.review(REPOSITORY, 1, "bob", FakeOpinion::Approved, "");
        bench.fake.write_comment(REPOSITORY, 1, "ada", "this line", Some(("door.txt", 7)));
        bench.fake.write_comment(REPOSITORY, 1, "eve", "and this", None);
        bench.forge.comment(Thread::PullRequest(1), &note("ci")).await.unwrap();
        let first = bench.forge.reviews(1, &Cursor::default()).await.unwrap();
        let mut standing: Vec<_> =
            first.standing.iter().map(|one| (one.login.as_str(), one.opinion)).collect();
        standing.sort_by_key(|one| one.0);
        assert_eq!(standing, [("ada", Opinion::ChangesRequested), ("bob", Opinion::Approved)], "{flavour:?}");
        let said: Vec<&str> = first.remarks.iter().map(|one| one.body.as_str()).collect();
        // A review's own text is a note of its own on GitLab, which this fake does not write.
        let expected: &[&str] = if flavour == Flavour::GitLab {
            &["this line", "and this"]
        } else {
            &["no", "this line", "and this"]
        };
        assert_eq!(said, expected, "{flavour:?}: oldest first, without ours");
        let line = first.remarks.iter().find(|one| one.body == "this line").unwrap();
        assert_eq!(
            (line.path.as_deref(), line.line, line.author.as_deref()),
            (Some("door.txt"), Some(7), Some("ada"))
        );
        let second = bench.forge.reviews(1, &first.cursor).await.unwrap();
        assert_eq!((second.remarks.len(), &second.cursor), (0, &first.cursor), "{flavour:?}");
        bench.fake.review(REPOSITORY, 1, "ada", FakeOpinion::Approved, "now");
        bench.fake.write_comment(REPOSITORY, 1, "eve", "thanks", None);
        let third = bench.forge.reviews(1, &second.cursor).await.unwrap();
        assert!(third.standing.iter().all(|one| one.opinion == Opinion::Approved), "{flavour:?}");
        assert!(
            third.remarks.iter().all(|one| ["now", "thanks"].contains(&one.body.as_str())),
            "{:?}",
            third.remarks
        );
        assert!(third.remarks.iter().any(|one| one.body == "thanks"));
        bench.assert_clean();
    }
}

#[tokio::test]
async fn issues_with_a_label_are_handed_on_once_and_pull_requests_never() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.forge.open_pull_request(&bench.request).await.unwrap();
        bench.forge.change_labels(Thread::PullRequest(1), &change(&["night"], &[])).await.unwrap();
        bench.fake.open_issue(REPOSITORY, "ada", "other", &["day"]);
        let numbers: Vec<u64> = (0..120)
            .map(|turn| bench.fake.open_issue(REPOSITORY, "ada", &format!("t{turn}"), &["night"]))
            .collect();
        let page = bench.forge.issues("night", &Cursor::default()).await.unwrap();
        let found: Vec<u64> = page.issues.iter().map(|issue| issue.number).collect();
        assert_eq!(found, numbers, "{flavour:?}");
        let next = bench.forge.issues("night", &page.cursor).await.unwrap();
        assert!(next.issues.is_empty(), "{flavour:?}");
        let more = bench.fake.open_issue(REPOSITORY, "eve", "new", &["night"]);
        let next = bench.forge.issues("night", &next.cursor).await.unwrap();
        assert_eq!(next.issues.iter().map(|issue| issue.number).collect::<Vec<_>>(), [more]);
        let issue = bench.forge.issue(more).await.unwrap();
        assert_eq!((issue.title.as_str(), issue.author.as_deref(), issue.open), ("new", Some("eve"), true));
        assert_eq!(issue.labels, ["night"]);
        bench.fake.inject(On::UpdateIssue, Fault::CommitThenDropReply);
        bench.forge.close_issue(more).await.unwrap();
        assert!(!bench.forge.issue(more).await.unwrap().open);
        assert_eq!(bench.forge.issue(9_999).await.unwrap_err().class(), ErrorClass::NotFound);
        bench.assert_clean();
    }
}

#[tokio::test]
async fn only_those_who_may_write_are_heard() {
    for flavour in FLAVOURS {
        let bench = bench(flavour).await;
        bench.fake.add_person("ada", true);
        bench.fake.add_person("eve", false);
        assert!(bench.forge.can_write("ada").await.unwrap(), "{flavour:?}");
        assert!(!bench.forge.can_write("eve").await.unwrap(), "{flavour:?}");
        assert!(!bench.forge.can_write("nobody").await.unwrap(), "{flavour:?}");
        let sent = bench.fake.requests().len();
        for trap in ["", ".", "..", "a/b", "a?b", "ada%2f", "é", "a\nb", &"x".repeat(300)] {
            assert!(!bench.forge.can_write(trap).await.unwrap(), "{trap:?}");
        }
        assert_eq!(bench.fake.requests().len(), sent, "no name of a path is sent");
        bench.fake.inject(On::GetPermission, Fault::Status(403));
        assert_eq!(bench.forge.can_write("ada").await.unwrap_err().class(), ErrorClass::Permission);
    }
}
