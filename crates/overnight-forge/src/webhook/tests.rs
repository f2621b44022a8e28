//! Deliveries: genuine, forged, altered, replayed, huge, broken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use ring::hmac;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "a hook's secret";
const NOW: Timestamp = Timestamp(1_709_164_800_000);
const KINDS: [ForgeKind; 3] = [ForgeKind::GitHub, ForgeKind::Gitea, ForgeKind::GitLab];

fn secret(text: &str) -> HookSecret {
    HookSecret::new(Secret::new(text)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(key: &[u8], body: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body)
}

fn headers(pairs: &[(&str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers
            .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What the forge itself would send.
fn genuine(kind: ForgeKind, event: &str, body: &[u8]) -> HeaderMap {
    let signature = hex(sign(SECRET.as_bytes(), body).as_ref());
    let id = "7b1f-1".to_owned();
    match kind {
        ForgeKind::GitHub => headers(&[
            ("x-github-event", event.to_owned()),
            ("x-github-delivery", id),
            ("x-hub-signature-256", format!("sha256={signature}")),
        ]),
        ForgeKind::Gitea => headers(&[
            ("x-gitea-event", event.to_owned()),
            ("x-gitea-delivery", id),
            ("x-gitea-signature", signature),
        ]),
        ForgeKind::GitLab => standard(SECRET.as_bytes(), &id, NOW.0 / 1_000, body),
    }
}

/// GitLab's signing token.
fn standard(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> HeaderMap {
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = STANDARD.encode(sign(key, &signed).as_ref());
    headers(&[
        ("x-gitlab-event", "Push Hook".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,AAAA v1,{tag}")),
    ])
}

fn refused(kind: ForgeKind, headers: &HeaderMap, body: &[u8]) -> Refusal {
    verify(kind, headers, body, &secret(SECRET), NOW).unwrap_err()
}

#[test]
fn genuine_deliveries_of_any_size_and_script_pass_and_every_altered_byte_is_noticed() {
    let large = format!("{{\"title\":\"{}\"}}", "é🦀\u{202e}".repeat(120_000));
    assert!(large.len() > 1 << 20);
    for kind in KINDS {
        for body in [b"{}".as_slice(), large.as_bytes(), b"", b"\xff\x00not json"] {
            let good = genuine(kind, "push", body);
            assert!(verify(kind, &good, body, &secret(SECRET), NOW).is_ok(), "{kind:?}");
            assert_eq!(
                verify(kind, &good, body, &secret("another"), NOW).unwrap_err(),
                Refusal::WrongSignature
            );
            let longer = [body, b" "].concat();
            assert_eq!(refused(kind, &good, &longer), Refusal::WrongSignature);
        }
        let body = br#"{"a": 1}"#;
        let good = genuine(kind, "push", body);
        for at in 0..body.len() {
            let mut altered = body.to_vec();
            altered[at] ^= 1;
            assert_eq!(refused(kind, &good, &altered), Refusal::WrongSignature, "{kind:?} {at}");
        }
        assert_eq!(
            refused(kind, &good, br#"{"a":1}"#),
            Refusal::WrongSignature,
            "the same JSON in other bytes"
        );
    }
}

#[test]
fn what_is_not_signed_well_enough_is_refused() {
    let body = b"{}";
    let signature = hex(sign(SECRET.as_bytes(), body).as_ref());
    for kind in KINDS {
        assert_eq!(refused(kind, &HeaderMap::new(), body), Refusal::NoSignature, "{kind:?}");
        let mut without = genuine(kind, "push", body);
        for name in ["x-github-delivery", "x-gitea-delivery", "webhook-id"] {
            without.remove(name);
        }
        assert_eq!(refused(kind, &without, body), Refusal::NoDelivery, "{kind:?}");
        let huge = vec![b' '; MAX_BODY + 1];
        assert_eq!(refused(kind, &genuine(kind, "push", &huge), &huge), Refusal::TooLarge);
    }
    let sha1 = headers(&[
        ("x-hub-signature", format!("sha1={}", &signature[..40])),
        ("x-github-delivery", "1".into()),
    ]);
    assert_eq!(refused(ForgeKind::GitHub, &sha1, body), Refusal::NoSignature, "SHA-1 alone is not enough");
    let cases = [
        "".to_owned(),
        "sha256=".to_owned(),
        signature.clone(),
        format!("sha1={signature}"),
        format!("sha256={}", &signature[..62]),
        format!("sha256={signature}00"),
        format!("sha256={}", "z".repeat(64)),
        format!("sha256={}", "0".repeat(64)),
    ];
    for wrong in cases {
        let bad = headers(&[("x-hub-signature-256", wrong.clone()), ("x-github-delivery", "1".into())]);
        assert_eq!(refused(ForgeKind::GitHub, &bad, body), Refusal::WrongSignature, "{wrong}");
    }
    let mut two = genuine(ForgeKind::GitHub, "push", body);
    two.append("x-hub-signature-256", HeaderValue::from_static("sha256=00"));
    assert_eq!(refused(ForgeKind::GitHub, &two, body), Refusal::Ambiguous);
    let mut both = genuine(ForgeKind::Gitea, "push", body);
    both.insert("x-forgejo-signature", HeaderValue::from_str(&"0".repeat(64)).unwrap());
    assert_eq!(
        refused(ForgeKind::Gitea, &both, body),
        Refusal::WrongSignature,
        "a good one does not rescue a bad one"
    );
}

#[test]
fn an_empty_secret_lets_nobody_in() {
    for empty in ["", " ", "\n"] {
        assert!(HookSecret::new(Secret::new(empty)).is_none());
    }
    let forged = standard(b"", "1", NOW.0 / 1_000, b"{}");
    let result = verify(ForgeKind::GitLab, &forged, b"{}", &secret("whsec_"), NOW);
    assert_eq!(result.unwrap_err(), Refusal::WrongSignature);
}

#[test]
fn gitlabs_plain_token_is_compared_whole() {
    let with = |token: &str| {
        headers(&[("x-gitlab-token", token.to_owned()), ("x-gitlab-event-uuid", "u-1".to_owned())])
    };
    assert!(verify(ForgeKind::GitLab, &with(SECRET), b"{}", &secret(SECRET), NOW).is_ok());
    for wrong in ["", "a", &SECRET[..5], "a hook's secret2"] {
        assert_eq!(refused(ForgeKind::GitLab, &with(wrong), b"{}"), Refusal::WrongSignature);
    }
    let mut signed_wrongly = with(SECRET);
    signed_wrongly.insert("webhook-signature", HeaderValue::from_static("v1,AAAA"));
    signed_wrongly.insert("webhook-id", HeaderValue::from_static("1"));
    signed_wrongly.insert("webhook-timestamp", HeaderValue::from_static("1709164800"));
    assert_eq!(refused(ForgeKind::GitLab, &signed_wrongly, b"{}"), Refusal::WrongSignature);
}

#[test]
fn gitlabs_signature_binds_id_and_time() {
    let key = STANDARD.encode(b"0123456789abcdef0123456789abcdef");
    let secret = secret(&format!("whsec_{key}"));
    let at = |seconds: i64| standard(b"0123456789abcdef0123456789abcdef", "m-1", seconds, b"{}");
    let now = NOW.0 / 1_000;
    let check = |headers: &HeaderMap| {
        verify(ForgeKind::GitLab, headers, b"{}", &secret, NOW).map(|one| one.key().id.clone())
    };
    assert_eq!(check(&at(now)), Ok("m-1".to_owned()));
    assert!(check(&at(now - TOLERANCE_SECONDS)).is_ok() && check(&at(now + TOLERANCE_SECONDS)).is_ok());
    for stale in [now - TOLERANCE_SECONDS - 1, now + TOLERANCE_SECONDS + 1, i64::MIN, i64::MAX, 0] {
        assert_eq!(check(&at(stale)), Err(Refusal::Stale), "{stale}");
    }
    let mut renamed = at(now);
    renamed.insert("webhook-id", HeaderValue::from_static("m-2"));
    assert_eq!(check(&renamed), Err(Refusal::WrongSignature));
}

#[test]
fn a_copy_is_known_by_its_id_or_by_its_body() {
    let key = |kind, event, body: &[u8]| {
        verify(kind, &genuine(kind, event, body), body, &secret(SECRET), NOW).unwrap().key().clone()
    };
    for kind in KINDS {
        assert_eq!(key(kind, "push", b"{}"), key(kind, "push", b"{}"));
        assert_ne!(key(kind, "push", b"{}").digest, key(kind, "push", b"{ }").digest);
    }
    let mut copy = genuine(ForgeKind::GitHub, "push", b"{}");
    copy.insert("x-github-delivery", HeaderValue::from_static("another"));
    let copy = verify(ForgeKind::GitHub, &copy, b"{}", &secret(SECRET), NOW).unwrap();
    assert_eq!(copy.key().digest, key(ForgeKind::GitHub, "push", b"{}").digest);
    assert_ne!(copy.key().id, "7b1f-1");
}

fn read(kind: ForgeKind, event: &str, json: &Value) -> Result<Event, Malformed> {
    let body = json.to_string().into_bytes();
    verify(kind, &genuine(kind, event, &body), &body, &secret(SECRET), NOW).unwrap().read()
}

fn what(kind: ForgeKind, event: &str, mut json: Value) -> What {
    json["repository"] = json!({"full_name": "o/r"});
    json["project"] = json!({"path_with_namespace": "o/r"});
    json["sender"] = json!({"login": "ada", "type": "Bot"});
    json["user"] = json!({"username": "ada"});
    let event = read(kind, event, &json).unwrap();
    assert_eq!(
        (event.repository.as_str(), event.actor.as_ref().map(|actor| actor.login.as_str())),
        ("o/r", Some("ada"))
    );
    assert_eq!(event.actor.unwrap().bot, kind != ForgeKind::GitLab);
    event.what
}

fn commit() -> CommitId {
    CommitId::parse(&"a".repeat(40)).unwrap()
}

#[test]
fn the_same_things_are_read_from_each_forges_words() {
    use ForgeKind::{GitHub, GitLab, Gitea};
    let a = "a".repeat(40);
    let labeled = What::IssueLabeled { number: 7, labels: vec!["night".to_owned()] };
    let issue = json!({"action": "labeled", "issue": {"number": 7, "labels": [{"name": "night"}]}});
    assert_eq!(what(GitHub, "issues", issue), labeled);
    let issue = json!({"action": "label_updated", "issue": {"number": 7, "labels": [{"name": "night"}]}});
    assert_eq!(what(Gitea, "issues", issue), labeled);
    let issue = json!({"object_kind": "issue", "object_attributes": {"iid": 7, "action": "update"}, "labels": [{"title": "night"}], "changes": {"labels": {}}});
    assert_eq!(what(GitLab, "", issue), labeled);

    let comment = What::IssueComment { number: 7, on_pull_request: true, body: "/run".to_owned() };
    assert_eq!(
        what(
            GitHub,
            "issue_comment",
            json!({"action": "created", "issue": {"number": 7, "pull_request": {}}, "comment": {"body": "/run"}})
        ),
        comment
    );
    assert_eq!(
        what(
            Gitea,
            "issue_comment",
            json!({"action": "created", "is_pull": true, "issue": {"number": 7}, "comment": {"body": "/run"}})
        ),
        comment
    );
    assert_eq!(
        what(
            GitLab,
            "",
            json!({"object_kind": "note", "object_attributes": {"note": "/run", "noteable_type": "MergeRequest"}, "merge_request": {"iid": 7}})
        ),
        comment
    );

    let merged = What::PullRequest {
        number: 7,
        state: PullRequestState::Merged,
        head: "b".to_owned(),
        tip: Some(commit()),
    };
    let pull = json!({"action": "closed", "pull_request": {"number": 7, "state": "closed", "merged": true, "head": {"ref": "b", "sha": a}}});
    assert_eq!(what(GitHub, "pull_request", pull.clone()), merged);
    assert_eq!(what(Gitea, "pull_request", pull), merged);
    assert_eq!(
        what(
            GitLab,
            "",
            json!({"object_kind": "merge_request", "object_attributes": {"iid": 7, "state": "merged", "action": "merge", "source_branch": "b", "last_commit": {"id": a}}})
        ),
        merged
    );

    let review = What::Review { number: 7, opinion: Some(Opinion::ChangesRequested) };
    assert_eq!(
        what(
            GitHub,
            "pull_request_review",
            json!({"action": "submitted", "review": {"state": "changes_requested"}, "pull_request": {"number": 7}})
        ),
        review
    );
    assert_eq!(
        what(Gitea, "pull_request_rejected", json!({"action": "reviewed", "pull_request": {"number": 7}})),
        review
    );
    assert_eq!(
        what(
            GitLab,
            "",
            json!({"object_kind": "merge_request", "object_attributes": {"iid": 7, "action": "approved"}})
        ),
        What::Review { number: 7, opinion: Some(Opinion::Approved) }
    );
}

#[test]
fn checks_and_pushes_are_read_from_each_forges_words() {
    use ForgeKind::{GitHub, GitLab, Gitea};
    let a = "a".repeat(40);
    let finished = What::CheckFinished { commit: commit() };
    assert_eq!(
        what(GitHub, "check_run", json!({"action": "completed", "check_run": {"head_sha": a}})),
        finished
    );
    assert_eq!(what(GitHub, "status", json!({"state": "failure", "sha": a})), finished);
    assert_eq!(what(GitHub, "status", json!({"state": "pending", "sha": a})), What::Ignored);
    assert_eq!(what(Gitea, "status", json!({"state": "success", "sha": a})), finished);
    assert_eq!(
        what(
            GitLab,
            "",
            json!({"object_kind": "pipeline", "object_attributes": {"status": "failed", "sha": a}})
        ),
        finished
    );
    assert_eq!(
        what(
            GitLab,
            "",
            json!({"object_kind": "pipeline", "object_attributes": {"status": "running", "sha": a}})
        ),
        What::Ignored
    );

    let push = json!({"object_kind": "push", "ref": "refs/heads/b/c", "after": a});
    let gone = json!({"object_kind": "push", "ref": "refs/heads/b/c", "after": "0".repeat(40)});
    for kind in KINDS {
        assert_eq!(
            what(kind, "push", push.clone()),
            What::Push { branch: "b/c".to_owned(), tip: Some(commit()) }
        );
        assert_eq!(what(kind, "push", gone.clone()), What::Push { branch: "b/c".to_owned(), tip: None });
        assert_eq!(
            what(kind, "push", json!({"object_kind": "push", "ref": "refs/tags/v1", "after": a})),
            What::Ignored
        );
        assert_eq!(what(kind, "star", json!({"object_kind": "star"})), What::Ignored);
    }
    assert_eq!(read(GitHub, "ping", &json!({"zen": "x"})).unwrap().what, What::Ping);
}

/// The name of the event is not covered by the signature: a body under another name must not become something else.
#[test]
fn a_genuine_body_under_another_name_and_broken_ones_are_malformed() {
    let push = json!({"ref": "refs/heads/b", "after": "a".repeat(40), "repository": {"full_name": "o/r"}});
    for event in ["pull_request", "check_run", "pull_request_review", "issue_comment", "issues"] {
        let mut body = push.clone();
        for action in ["created", "labeled", "completed", "submitted"] {
            body["action"] = json!(action);
            let read = read(ForgeKind::GitHub, event, &body);
            assert!(read.is_err() || read.is_ok_and(|event| event.what == What::Ignored), "{event} {action}");
        }
    }
    for kind in KINDS {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "<html>",
            "{\"object_kind\":\"push\"}",
            "{\"object_kind\":{}}",
            &"[".repeat(100_000),
        ] {
            let headers = genuine(kind, "push", body.as_bytes());
            let verified = verify(kind, &headers, body.as_bytes(), &secret(SECRET), NOW).unwrap();
            assert!(verified.read().is_err(), "{kind:?} {body:.20}");
        }
    }
}
