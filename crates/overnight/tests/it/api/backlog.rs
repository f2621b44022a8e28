//! The backlog through the API of the real program: what the command line sees, started once, and refused.

use std::thread;

use serde_json::{Value, json};

use super::client::{Client, Said};
use crate::backlog::PLAN;
use crate::harness::Place;
use crate::harness::fleet::{Engine, place_on};
use crate::harness::worker::Served;

/// A served repository with a plan, and clients that may operate and administer.
fn served(engine: Engine, test: &str) -> Option<(Place, Served, Client, Client)> {
    let place = place_on(engine, test)?;
    place.configure(super::SETTINGS);
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let client = Client::new(&place, &served, "bot", "operate");
    let admin = Client::new(&place, &served, "root", "admin");
    let made = admin.post("/repositories", &json!({ "remote": place.repo() })).expect(201);
    assert_eq!(made["data"]["name"], "repo", "{made:#}");
    let made = client.post("/plans", &json!({ "repository": "repo", "plan": PLAN })).expect(201);
    assert_eq!(
        (&made["data"]["epic"]["key"], &made["data"]["tasks"]),
        (&json!("repo-1"), &json!(3)),
        "{made:#}"
    );
    Some((place, served, client, admin))
}

fn printed(place: &Place, args: &[&str]) -> Value {
    place.overnight(args).expect_code(0).json()["data"].clone()
}

fn sorted(mut items: Value) -> Value {
    items.as_array_mut().unwrap().sort_by_key(|item| item["id"].as_str().unwrap().to_owned());
    items
}

fn named(client: &Client, key: &str, body: &Value) -> Said {
    client.with("POST", "/start", &format!("Idempotency-Key: {key}\r\n"), body)
}

/// Several at once, each in a thread of its own.
fn at_once(count: usize, ask: impl Fn(usize) -> Said + Sync) -> Vec<(u16, Value)> {
    thread::scope(|scope| {
        let asked: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let ask = &ask;
                    move || ask(number)
                })
            })
            .collect();
        asked
            .into_iter()
            .map(|thread| {
                let said = thread.join().unwrap();
                let status = said.status;
                (status, said.expect(status))
            })
            .collect()
    })
}

fn keys(started: &Value) -> Vec<&str> {
    let jobs = started["data"]["jobs"].as_array().unwrap_or_else(|| panic!("{started:#}"));
    jobs.iter().map(|one| one["job"]["key"].as_str().unwrap()).collect()
}

#[test]
fn the_backlog_of_the_api_is_that_of_the_command_line_and_starts_once() {
    for engine in Engine::BOTH {
        let test = "the_backlog_of_the_api_is_that_of_the_command_line_and_starts_once";
        let Some((place, served, client, _)) = served(engine, test) else { continue };
        for kind in ["epic", "story", "task"] {
            let said = client.get(&format!("/items?kind={kind}")).expect(200);
            assert_eq!(sorted(said["data"].clone()), sorted(printed(&place, &[kind, "ls", "--json"])));
        }
        let shown = client.get("/items/repo-1").expect(200);
        assert_eq!(shown["data"], printed(&place, &["epic", "show", "repo-1", "--json"]));
        let plan = client.get("/items/repo-1/plan").expect(200)["data"]["plan"].clone();
        assert_eq!(plan, place.overnight(&["export", "repo-1"]).expect_code(0).stdout);
        let all = client.get("/repositories").expect(200);
        assert_eq!(all["data"], printed(&place, &["repo", "ls", "--json"]));

        // However often and however fast it is sent: one job of each task.
        let start = json!({ "items": ["repo-1"], "priority": 7, "labels": ["night"] });
        let said = at_once(4, |_| named(&client, "s1", &start));
        for (status, body) in &said {
            assert!(matches!(status, 200 | 201), "{body:#}");
            assert_eq!(keys(body), ["repo-3", "repo-4", "repo-6"]);
        }
        assert_eq!(named(&client, "s1", &start).expect(said[0].0)["data"]["jobs"][0]["job"]["priority"], 7);
        let other = json!({ "items": ["repo-3"] });
        assert_eq!(named(&client, "s1", &other).expect(409)["code"], "request-reused");
        assert_eq!(client.get("/jobs").expect(200)["data"].as_array().unwrap().len(), 3);
        assert_eq!(place.shown("repo-4").job["queue"]["waits_for"], json!(["repo-3"]));
        assert_eq!(place.states("task"), ["repo-3 in_progress", "repo-6 in_progress", "repo-4 in_progress"]);
        let busy = client.post("/start", &other).expect(422);
        assert_eq!(busy["code"], "order-refused");
        assert!(busy["detail"].as_str().unwrap().contains("in_progress"), "{busy:#}");
        served.worker.stop().expect_code(0);
        place.finish();
    }
}

#[test]
fn of_two_who_start_or_change_the_same_one_is_told_no() {
    for engine in Engine::BOTH {
        let test = "of_two_who_start_or_change_the_same_one_is_told_no";
        let Some((place, served, client, _)) = served(engine, test) else { continue };
        let said =
            at_once(4, |number| named(&client, &format!("k{number}"), &json!({ "items": ["repo-3"] })));
        let mut statuses: Vec<u16> = said.iter().map(|(status, _)| *status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422, 422, 422], "{said:#?}");
        assert_eq!(client.get("/jobs").expect(200)["data"].as_array().unwrap().len(), 1);

        let looked = client.get("/items/repo-6");
        let tag = looked.header("etag").unwrap().to_owned();
        looked.expect(200);
        // That a job of it was made meanwhile is no change of what it says.
        client.post("/start", &json!({ "items": ["repo-6"] })).expect(201);
        let edit = |tag: &str, title: &str| {
            let body = json!({ "title": title, "body": { "settings": { "model": "m" } } });
            client.with("PATCH", "/items/repo-6", &format!("If-Match: {tag}\r\n"), &body)
        };
        assert_eq!(edit(&tag, "First").expect(200)["data"]["body"]["settings"]["cost"], 2_500_000);
        place.overnight(&["task", "edit", "repo-6", "--title", "Second"]).expect_code(0);
        let said = at_once(2, |_| edit(&tag, "Third"));
        assert!(
            said.iter().all(|(status, body)| *status == 412 && body["code"] == "changed-meanwhile"),
            "{said:?}"
        );
        assert_eq!(client.get("/items/repo-6").expect(200)["data"]["item"]["title"], "Second");
        served.worker.stop().expect_code(0);
        place.finish();
    }
}

#[test]
fn what_the_backlog_cannot_take_is_refused_clearly() {
    let test = "what_the_backlog_cannot_take_is_refused_clearly";
    let (place, served, client, admin) = served(Engine::Sqlite, test).unwrap();
    let reader = Client::new(&place, &served, "reader", "read");
    let before = reader.get("/items").expect(200);
    for title in [
        "a\u{202e}b".to_owned(),
        "a\u{1b}[2Jb".to_owned(),
        "a\u{0}b".to_owned(),
        "x".repeat(1 << 20),
        " ".to_owned(),
    ] {
        let item = json!({ "kind": "task", "title": title, "repository": "repo" });
        let said = client.post("/items", &item).expect(422);
        assert_eq!(said["code"], "item-refused");
        assert!(said.to_string().len() < 1_000 && !said.to_string().contains('\u{202e}'), "{said}");
    }
    for (plan, line) in
        [("epic:\n  title: x\nstories:\n  - tilte: y\n", 4), ("epic: &a\n  title: x\n", 1), ("", 1)]
    {
        let said = client.post("/plans", &json!({ "repository": "repo", "plan": plan })).expect(422);
        assert_eq!((&said["code"], &said["line"]), (&json!("plan-refused"), &json!(line)), "{said:#}");
        assert!(!said["hint"].as_str().unwrap().is_empty(), "{said:#}");
    }
    let stranger = PLAN.replace("max_cost: 2.5", "agent: nobody");
    let said = client.post("/plans", &json!({ "repository": "repo", "plan": stranger })).expect(422);
    assert_eq!(said["code"], "order-refused", "{said:#}");
    for start in [
        json!({ "items": [] }),
        json!({ "items": ["repo-99"] }),
        json!({ "items": ["repo-4"] }),
        json!({ "items": ["repo-3"], "prompt": "x" }),
        json!({ "items": ["repo-3"], "key": "x" }),
        json!({ "items": ["repo-3"], "repo": "/" }),
        json!({ "items": ["repo-3"], "agent": "nobody" }),
        json!({ "items": ["repo-3"], "verify": ["a\u{0}b"] }),
        json!({ "items": ["repo-3", "repo-3x"] }),
    ] {
        assert_eq!(client.post("/start", &start).expect(422)["code"], "order-refused", "{start}");
    }
    let repo = json!({ "remote": place.repo() });
    assert_eq!(client.post("/repositories", &repo).expect(403)["code"], "scope-too-small");
    for remote in ["relative/dir", "/nowhere/at/all", "a\u{0}b", ""] {
        let said = admin.post("/repositories", &json!({ "remote": remote })).expect(422);
        assert_eq!(said["code"], "order-refused", "{remote:?}: {said:#}");
    }
    assert_eq!(admin.post("/repositories", &repo).expect(200)["data"]["name"], "repo");
    assert_eq!(reader.get("/items").expect(200), before);
    assert_eq!(reader.get("/jobs").expect(200)["data"], json!([]));
    served.worker.stop().expect_code(0);
    place.finish();
}
