//! Tokens, answers that are given again, and how far the feed goes.

use overnight_core::access::{Scope, TokenId, TokenText};

use super::*;
use crate::{FeedPosition, KeptAnswer, Recalled, TokenCheck, TokenError};

on_both!(
    a_token_is_good_until_it_expires_or_is_revoked,
    a_stolen_database_reveals_no_token,
    an_answer_is_given_again_for_the_same_request_only,
    the_feed_tells_what_was_deleted_and_what_is_of_another_database,
);

async fn a_token_is_good_until_it_expires_or_is_revoked(f: &Fixture) {
    let (row, text) = f.store.token_add(&label("laptop"), Scope::Operate, None).await.unwrap();
    let good = TokenCheck::Good { id: row.id.clone(), scope: Scope::Operate };
    assert_eq!(f.store.token_check(&text).await.unwrap(), good);
    let used = f.store.tokens().await.unwrap().remove(0);
    assert!(used.last_used_at.is_some());
    assert_eq!((used.id, used.name.as_str(), used.scope), (row.id.clone(), "laptop", Scope::Operate));
    let twice = f.store.token_add(&label("laptop"), Scope::Read, None).await.unwrap_err();
    assert!(matches!(twice, TokenError::NameTaken { .. }), "{twice}");
    let (short, short_text) = f.store.token_add(&label("short"), Scope::Read, Some(MINUTE)).await.unwrap();
    assert_eq!(short.expires_at, Some(short.created_at.plus(MINUTE)));
    assert!(matches!(f.store.token_check(&short_text).await.unwrap(), TokenCheck::Good { .. }));
    f.store.run("test", sql("UPDATE tokens SET expires_at = {now} WHERE name = 'short'")).await.unwrap();
    assert_eq!(f.store.token_check(&short_text).await.unwrap(), TokenCheck::Expired);
    assert_eq!(f.store.token_revoke("laptop").await.unwrap().unwrap().id, row.id);
    assert_eq!(f.store.token_revoke("laptop").await.unwrap(), None);
    // Another process sees it at once, too.
    assert_eq!(f.other().await.token_check(&text).await.unwrap(), TokenCheck::Revoked);
    let stranger = TokenText::new(text.kind(), &[7; 32]);
    assert_eq!(f.store.token_check(&stranger).await.unwrap(), TokenCheck::Unknown);
    // The name of one that is revoked is free again; by id it is found, too.
    let (again, _) = f.store.token_add(&label("laptop"), Scope::Admin, None).await.unwrap();
    assert!(f.store.token_revoke(again.id.as_str()).await.unwrap().is_some());
}

async fn a_stolen_database_reveals_no_token(f: &Fixture) {
    let (_, text) = f.store.token_add(&label("laptop"), Scope::Admin, None).await.unwrap();
    let rows = f.store.all("test", sql("SELECT id, name, scope, hash FROM tokens")).await.unwrap();
    let all: String = ["id", "name", "scope", "hash"].map(|column| rows[0].text(column).unwrap()).join(" ");
    let secret = &text.expose()[4..];
    for part in (0..secret.len() - 8).map(|at| &secret[at..at + 8]) {
        assert!(!all.contains(part), "{part} is in {all}");
    }
}

async fn an_answer_is_given_again_for_the_same_request_only(f: &Fixture) {
    let (one, other) = (TokenId::parse("t-1").unwrap(), TokenId::parse("t-2").unwrap());
    let recall = async |token, request| f.store.answer_recall(token, "k", request).await.unwrap();
    assert_eq!(recall(&one, "r").await, Recalled::New);
    let answer = KeptAnswer { status: 201, body: "{}".to_owned() };
    f.store.answer_keep(&one, "k", "r", &answer, MINUTE).await.unwrap();
    let later = KeptAnswer { status: 500, body: String::new() };
    f.store.answer_keep(&one, "k", "r", &later, MINUTE).await.unwrap();
    assert_eq!(recall(&one, "r").await, Recalled::Again(answer.clone()));
    assert_eq!(recall(&one, "other").await, Recalled::Other);
    assert_eq!(recall(&other, "r").await, Recalled::New);
    f.store.run("test", sql("UPDATE kept_answers SET expires_at = {now}")).await.unwrap();
    assert_eq!(recall(&one, "r").await, Recalled::New);
    f.store.answer_keep(&other, "k", "r", &answer, MINUTE).await.unwrap();
    let left = f.store.one("test", sql("SELECT COUNT(*) AS count FROM kept_answers")).await.unwrap();
    assert_eq!(left.number("count").unwrap(), 1, "what has expired is forgotten");
}

async fn the_feed_tells_what_was_deleted_and_what_is_of_another_database(f: &Fixture) {
    assert_eq!(f.store.feed_end().await.unwrap(), FeedPosition::start());
    let old = enqueue(&f.store).await;
    let mut claimed = claim(&f.store, &old.id, "w").await;
    end(&f.store, &mut claimed, EndReason::NoChanges).await;
    let new = enqueue(&f.store).await;
    let last = loop {
        let items = f.store.feed(&FeedPosition::start(), 100).await.unwrap();
        if let Some(last) = items.into_iter().find(|item| item.job == new.id) {
            break last.position;
        }
        tokio::task::yield_now().await;
    };
    let first = f.store.feed(&FeedPosition::start(), 1).await.unwrap().remove(0).position;
    for place in [&first, &last] {
        assert_eq!(place.to_string().parse::<FeedPosition>().as_ref(), Ok(place));
        assert!(f.store.feed_window().await.unwrap().is_whole_after(place));
    }
    assert_eq!(f.store.feed_end().await.unwrap(), last);
    let ahead: FeedPosition = "9223372036854775807.1.x".parse().unwrap();
    assert!(!f.store.feed_window().await.unwrap().is_whole_after(&ahead));
    let later = f.store.now().await.unwrap().plus(MINUTE);
    assert_eq!(f.store.jobs_prune(later, std::slice::from_ref(&old.id)).await.unwrap(), [old.id]);
    let window = f.store.feed_window().await.unwrap();
    assert!(!window.is_whole_after(&first) && window.is_whole_after(&last), "{window:?}");
    for bad in ["", "1", "1.2", "1.2.", "-1.2.x", "1.2.a b", "x.y.z", "1.99999999999999999999.x"] {
        assert!(bad.parse::<FeedPosition>().is_err(), "{bad}");
    }
}
