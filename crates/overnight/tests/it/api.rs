//! The API of the real program: the same answers as the command line, events over a killed server, and whatever a fuzzer finds.

mod backlog;
pub(crate) mod client;
mod fuzz;
mod people;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::Place;
use crate::harness::fleet::{Engine, FIX, hasten, place_on};
use client::{Client, Stream};

/// Orders through the API are for a program that is there and that nobody starts.
const SETTINGS: &str = "[agent]\ndefault = \"claude\"\n[agent.program]\nclaude = \"/bin/true\"\n";

fn place() -> Place {
    let mut place = Place::new();
    hasten(&mut place);
    place.configure(SETTINGS);
    place
}

/// A job's events as the program streams them.
fn recorded(place: &Place, key: &str) -> Vec<Value> {
    let shown = place.overnight_in(&place.home(), &["show", key, "--events", "--json"]).expect_code(0);
    shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn printed(place: &Place, args: &[&str]) -> Value {
    place.overnight_in(&place.home(), args).expect_code(0).json()
}

#[test]
fn the_api_says_what_the_command_line_says() {
    let place = place();
    let key = place.add("repo", &[FIX], &["--label", "night"]);
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let client = Client::new(&place, &served, "reader", "read");
    for (path, args) in [
        ("/jobs", vec!["ls", "--json"]),
        ("/jobs?label=night&state=queued", vec!["ls", "--json", "--label", "night", "--state", "queued"]),
        (&format!("/jobs/{key}"), vec!["show", &key, "--json"]),
        ("/budget", vec!["budget", "--json"]),
        ("/cost?by=model", vec!["cost", "--by", "model", "--json"]),
        ("/limits", vec!["limit", "ls", "--json"]),
    ] {
        let (said, printed) = (client.get(path).expect(200), printed(&place, &args));
        assert_eq!((&said["kind"], &said["data"]), (&printed["kind"], &printed["data"]), "{path}");
    }
    let (said, status) = (client.get("/status").expect(200), place.status());
    for part in ["by_state", "ready", "held", "ended"] {
        assert_eq!(said["data"]["queue"][part], status["queue"][part], "{said:#}");
    }
    assert_eq!(client.get("/workers").expect(200)["data"][0]["id"], place.workers()[0]["id"]);
    let events = client.get(&format!("/jobs/{key}/events")).expect(200);
    assert_eq!(events["data"].as_array().unwrap(), &recorded(&place, &key));
    let described = printed(&place, &["api", "openapi"]);
    assert_eq!(client.get("/openapi.json").expect(200), described);
    served.worker.stop().expect_code(0);
    place.finish();
}

#[test]
fn an_order_through_the_api_is_one_of_the_command_line() {
    let place = place();
    place.add("repo", &[FIX], &[]);
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let client = Client::new(&place, &served, "bot", "operate");
    let admin = Client::new(&place, &served, "root", "admin");
    let name = client.get("/repositories").expect(200)["data"][0]["name"].as_str().unwrap().to_owned();

    let order = json!({
        "repository": name, "prompt": "Fix the \u{202e}door\nplease", "priority": 7, "labels": ["night"],
        "verify": ["true"], "max_cost": "2.50", "attempts": 2,
    });
    let placed = client.post("/jobs", &order).expect(201);
    assert_eq!(
        (&placed["data"]["new"], &placed["data"]["job"]["priority"]),
        (&true.into(), &7.into()),
        "{placed:#}"
    );
    let key = placed["data"]["job"]["key"].as_str().unwrap().to_owned();
    let shown = place.shown(&key);
    assert_eq!((shown.state(), &shown.job["attempts"]), ("queued", &2.into()));
    assert!(!shown.job["title"].as_str().unwrap().contains('\u{202e}'));

    let later = json!({ "repository": name, "prompt": "x", "after": [key] });
    let waits = client.post("/jobs", &later).expect(201);
    assert_eq!(waits["data"]["job"]["queue"]["waits_for"], json!([key]), "{waits:#}");

    // The name of an order makes it one job, whoever sends it.
    let named = json!({ "repository": name, "prompt": "x", "key": "mine" });
    assert_eq!(client.post("/jobs", &named).expect(201)["data"]["new"], true);
    assert_eq!(admin.post("/jobs", &named).expect(200)["data"]["new"], false);

    let directory = json!({ "repository": place.make_repo("other"), "prompt": "x" });
    assert_eq!(client.post("/jobs", &directory).expect(403)["code"], "scope-too-small");
    assert_eq!(admin.post("/jobs", &directory).expect(201)["data"]["job"]["repository"], "other");
    for (field, value) in [
        ("repository", json!("nowhere")),
        ("repository", json!("../repo")),
        ("repository", json!(7)),
        ("prompt", json!("")),
        ("prompt", json!("a\u{0}b")),
        ("agent", json!("nobody")),
        ("base", json!("--upload-pack=x")),
        ("priority", json!(101)),
        ("after", json!(["repo-99"])),
        ("labels", json!(["a b"])),
        ("max_cost", json!("free")),
        ("unknown", json!(1)),
        ("pr", json!(true)),
    ] {
        let mut order = json!({ "repository": name, "prompt": "x" });
        order[field] = value;
        let said = client.post("/jobs", &order).expect(422);
        assert_eq!(said["code"], "order-refused", "{field}: {said:#}");
    }
    let long = json!({ "repository": name, "prompt": "x", "title": "t\u{202e}".repeat(500_000) });
    let title = client.post("/jobs", &long).expect(201)["data"]["job"]["title"].as_str().unwrap().to_owned();
    assert!(title.chars().count() <= 120 && !title.contains('\u{202e}'), "{title}");

    client.post(&format!("/jobs/{key}/cancel"), &json!({})).expect(200);
    let again = client.post(&format!("/jobs/{key}/retry"), &json!({})).expect(201);
    assert_eq!(again["data"]["job"]["priority"], 7, "{again:#}");
    let limits =
        admin.put("/limits", &json!({ "key": format!("repository:{name}"), "slots": 3 })).expect(200);
    assert_eq!(limits["data"][0]["slots"], 3, "{limits:#}");
    let worker = client.get("/workers").expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    admin.post(&format!("/workers/{worker}/drain"), &json!({})).expect(200);
    served.worker.wait().expect_code(0);
    place.finish();
}

#[test]
fn tokens_are_shown_once_listed_and_revoked() {
    let place = place();
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let client = Client::new(&place, &served, "mine", "read");
    assert_eq!(client.get("/token").expect(200)["data"]["scope"], "read");
    place
        .overnight(&["token", "add", "mine", "--scope", "read"])
        .expect_code(2)
        .expect_said(&["already", "revoke"]);
    place.overnight(&["token", "add", "x", "--scope", "all"]).expect_code(2);
    let made = printed(&place, &["token", "add", "short", "--scope", "admin", "--expires", "90d", "--json"]);
    let secret = made["data"]["token"].as_str().unwrap();
    let listed = place.overnight_in(&place.home(), &["token", "ls", "--json"]).expect_code(0);
    assert!(!listed.stdout.contains(&secret[4..]) && !listed.stdout.contains("token\""), "{}", listed.stdout);
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 2);
    assert!(crate::harness::job::files_with(&place.data(), secret.as_bytes()).is_empty());
    place.overnight(&["token", "revoke", "mine"]).expect_code(0);
    assert_eq!(client.get("/jobs").expect(401)["code"], "token-revoked");
    place.overnight(&["token", "revoke", "mine"]).expect_code(2).expect_said(&["token ls"]);
    served.worker.stop().expect_code(0);
}

#[test]
fn a_stream_over_a_killed_worker_has_every_event_once() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "a_stream_over_a_killed_worker_has_every_event_once") else {
            continue;
        };
        let mut served = place.serve(&["--slots", "2"]);
        served.until_health(200, "idle");
        let client = Client::new(&place, &served, "watch", "read");
        let mut one = Stream::open(&client, "/events?since=start", None);
        let mut other = Stream::open(&client, "/events?since=start", None);
        let keys: Vec<String> = (0..3).map(|_| place.add("repo", &[FIX], &[])).collect();
        let (mut first, mut second) = (one.some(7), other.some(12));
        served.worker.kill();
        first.extend(one.rest());
        second.extend(other.rest());
        let served = place.serve(&["--slots", "2"]);
        let client = client.at(&served);
        for key in &keys {
            assert_eq!(place.until_ended(key), "published");
        }
        let wanted: BTreeSet<(String, i64)> = keys
            .iter()
            .flat_map(|key| recorded(&place, key))
            .map(|event| (event["job"].as_str().unwrap().to_owned(), event["number"].as_i64().unwrap()))
            .collect();
        for (mut seen, stream) in [(first, &one), (second, &other)] {
            let mut stream = Stream::open(&client, "/events", stream.last.as_deref());
            seen.extend(stream.some(wanted.len() - seen.len()));
            let unique: BTreeSet<(String, i64)> = seen.iter().cloned().collect();
            assert_eq!(seen.len(), unique.len(), "an event came twice");
            assert_eq!(unique, wanted);
        }
        served.worker.stop().expect_code(0);
        place.check_fleet();
        place.finish();
    }
}
