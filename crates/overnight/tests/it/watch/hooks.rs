//! Webhooks: word of a forge that something may have changed. Forged ones are refused, known ones do nothing, and none of them is the truth.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use overnight_testkit::forge::{FakeResult, Flavour};
use ring::hmac;
use serde_json::json;

use super::{check, head, jobs, published, shown};
use crate::harness::forge::{Forge, REPOSITORY};
use crate::harness::worker::Served;
use crate::harness::{Place, eventually};

const SECRET: &str = "hook-canary-secret-5f2a";

/// A place whose worker answers deliveries and looks at nothing by itself for an hour.
fn listening() -> (Place, Forge, u64, Served) {
    let (mut place, forge, pull) = published(Flavour::GitHub);
    place.env("OVERNIGHT_WATCH_INTERVAL", "1h");
    let file = place.write("hook-secret", &format!("{SECRET}\n"));
    let token = format!("token_env = \"FORGE_CANARY\"\nwebhook_secret_file = {file:?}");
    forge.configure(&place, Flavour::GitHub, &token);
    // The first look, so that only a delivery brings the next one.
    super::look(&place, pull.number);
    let served = place.serve(&[]);
    (place, forge, pull.number, served)
}

fn signature(body: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let hex: Vec<String> =
        hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X-Hub-Signature-256: sha256={}\r\n", hex.concat())
}

/// Delivers an event; gives the answer's status.
fn deliver(address: &str, path: &str, fields: &str, event: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-GitHub-Event: {event}\r\n{fields}Content-Length: {length}\r\n\r\n"
    );
    // A server that refuses may not read to the end.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn path(forge: &Forge) -> String {
    format!("/hooks/{}", forge.web_base().trim_start_matches("http://"))
}

fn check_event(forge: &Forge) -> String {
    json!({
        "action": "completed", "repository": {"full_name": REPOSITORY}, "sender": {"login": "robot", "type": "User"},
        "check_run": {"head_sha": head(forge)},
    })
    .to_string()
}

#[test]
fn a_delivery_that_comes_a_hundred_times_at_once_makes_one_job() {
    let (place, forge, number, served) = listening();
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
    let body = check_event(&forge);
    let fields = format!("{}X-GitHub-Delivery: d-1\r\n", signature(&body, SECRET));
    let path = path(&forge);
    let address = served.address().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let one = || scope.spawn(|| deliver(&address, &path, &fields, "check_run", &body));
        let all: Vec<_> = (0..100).map(|_| one()).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [202, 204].contains(status)), "{statuses:?}");
    eventually("the job has ended", || {
        (jobs(&place) == 2 && place.shown("repo-2").state() == "ended").then_some(())
    });
    // A copy under another name is none either.
    let copied = format!("{}X-GitHub-Delivery: d-2\r\n", signature(&body, SECRET));
    assert_eq!(deliver(&address, &path, &copied, "check_run", &body), 204);
    assert_eq!((jobs(&place), &shown(&place, number)["rounds"]["ci"]), (2, &1.into()));
    drop(served);
    place.expect_not_stored(SECRET);
    place.finish();
}

#[test]
fn what_is_not_signed_by_the_forge_changes_nothing() {
    let (place, forge, number, served) = listening();
    let before = shown(&place, number);
    let body = check_event(&forge);
    let (address, path) = (served.address(), path(&forge));
    let id = "X-GitHub-Delivery: d-1\r\n";
    let good = signature(&body, SECRET);
    let altered = body.replace("robot", "rob0t");
    let send = |fields: &str, body: &str| deliver(address, &path, fields, "check_run", body);
    assert_eq!(send(id, &body), 401, "no signature");
    assert_eq!(send(&format!("{id}{}", signature(&body, "wrong")), &body), 401);
    assert_eq!(send(&format!("{id}{}", signature(&body, "")), &body), 401);
    assert_eq!(send(&format!("{id}{good}"), &altered), 401, "one byte");
    assert_eq!(send(&format!("{id}{}", good.replace("-256: sha256", ": sha1")), &body), 401);
    assert_eq!(send(&good, &body), 401, "no id");
    let garbage = "{".repeat(1000);
    assert_eq!(send(&format!("{id}{}", signature(&garbage, SECRET)), &garbage), 400);
    let huge = "x".repeat((5 << 20) + 1);
    assert!([413, 0].contains(&send(&format!("{id}{}", signature(&huge, SECRET)), &huge)));
    assert_eq!(deliver(address, "/hooks/github.com", &format!("{id}{good}"), "check_run", &body), 404);
    assert_eq!(served.get(&path).code, 405);
    // Signed, and about something that is not ours.
    for other in [
        json!({"zen": "x"}),
        json!({"action": "completed", "repository": {"full_name": "acme/other"}, "check_run": {"head_sha": head(&forge)}}),
        json!({"action": "completed", "repository": {"full_name": REPOSITORY}, "check_run": {"head_sha": "f".repeat(40)}}),
    ] {
        let text = other.to_string();
        let fields = format!("X-GitHub-Delivery: {}\r\n{}", text.len(), signature(&text, SECRET));
        let event = if text.contains("zen") { "ping" } else { "check_run" };
        assert_eq!(deliver(address, &path, &fields, event, &text), 204, "{text}");
    }
    assert_eq!((shown(&place, number), jobs(&place)), (before, 1));
    drop(served);
    place.finish();
}
