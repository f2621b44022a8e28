//! People who answer, agree and look over the API and through the tools of their assistant, while real workers do the work.

use serde_json::{Value, json};

use super::client::Client;
use crate::harness::fleet::{Engine, FIX, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, eventually};
use overnight_testkit::forge::Flavour;

const CI: &str = r#"{ write = { path = ".github/workflows/ci.yml", content = "on: push\n" } }, { write = { path = "answer", content = "42\n" } }, { commit = { message = "With a pipeline" } }"#;
const ASK: &str = r#"{ write = { path = "notes", content = "so far\n" } }, { ask = { question = "Left or right?", options = ["left", "right"] } }"#;

fn until_waiting(client: &Client, path: &str) -> Value {
    eventually(path, || client.get(path).expect(200)["data"].as_array().unwrap().first().cloned())
}

#[test]
fn an_answer_over_the_api_goes_on_with_the_parked_job() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "an_answer_over_the_api_goes_on_with_the_parked_job") else {
            continue;
        };
        let script = format!("[[turn]]\nsteps = [{ASK}]\n[[turn]]\nsteps = [{FIX}]\n");
        let script = place.write("turns.toml", &script).display().to_string();
        let args = ["add", "--agent", "rehearsal", "--script", &script, "Make the check pass"];
        place.overnight(&args).expect_code(0);
        let served = place.serve(&["--slots", "1"]);
        let reader = Client::new(&place, &served, "reader", "read");
        let client = Client::new(&place, &served, "person", "operate");
        let question = until_waiting(&reader, "/questions");
        assert_eq!(question["options"], json!(["left", "right"]), "{question:#}");
        let job = eventually("a job without a process", || {
            let job = reader.get("/jobs/repo-1").expect(200)["data"]["job"].clone();
            (job["reason"] == "answer" && job["held_by"].is_null()).then_some(job)
        });
        assert_eq!(job["state"], "parked", "{job:#}");
        let printed = place.overnight(&["questions", "--json"]).expect_code(0).json();
        assert_eq!(printed["data"][0], question, "as the command says it");

        assert_eq!(
            reader.post("/questions/repo-1/answer", &json!({"option": 1})).expect(403)["code"],
            "scope-too-small"
        );
        client.post("/jobs/repo-1/messages", &json!({"text": "Mind the \u{202e}gap"})).expect(201);
        let answered = client.post("/questions/repo-1/answer", &json!({"option": 2})).expect(200);
        assert_eq!(answered["data"]["answer"]["text"], "right", "{answered:#}");
        let late = client.tool("answer_question", &json!({"question": "repo-1/q1", "text": "left"}));
        assert_eq!(late.unwrap_err()["error"], "QUESTION_SETTLED");
        assert_eq!(place.until_ended("repo-1"), "published");
        let prompt = place.log("turn-2.prompt.md");
        assert!(prompt.contains("    right") && prompt.contains("Mind the \\u{202e}gap"), "{prompt}");
        let inbox = reader.get("/jobs/repo-1/messages").expect(200);
        assert_eq!(inbox["data"][0]["delivered"]["turn"], 2, "{inbox:#}");
        assert_eq!(
            client.post("/jobs/repo-1/messages", &json!({"text": "x"})).expect(409)["code"],
            "job-ended"
        );
        read_log(&place, &reader);
        let again = client.tool("retry_job", &json!({"job": "repo-1", "request": "r"})).unwrap();
        assert_eq!(
            client.tool("retry_job", &json!({"job": "repo-1", "request": "r"})).unwrap()["job"],
            again["job"]
        );
        served.worker.stop().expect_code(0);
        place.overnight(&["cancel", again["job"].as_str().unwrap()]).expect_code(0);
    }
}

/// The pages hold what the command prints, but for its headings.
fn read_log(place: &Place, client: &Client) {
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/jobs/repo-1/log?limit=2{cursor}")).expect(200);
        assert_eq!(page["kept"], true, "{page:#}");
        lines.extend(
            page["data"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let printed = place.overnight_in(&place.home(), &["logs", "repo-1"]).expect_code(0).stdout;
    let wanted: Vec<&str> = printed.lines().filter(|line| !line.starts_with("── ")).collect();
    assert!(!wanted.is_empty() && lines == wanted, "{lines:#?}\n{printed}");
}

#[test]
fn an_approval_through_a_tool_publishes_exactly_that_commit() {
    for engine in Engine::BOTH {
        let Some(mut place) = place_on(engine, "an_approval_through_a_tool_publishes_exactly_that_commit")
        else {
            continue;
        };
        let forge = Forge::beside(&mut place, Flavour::GitHub);
        let key = place.add("repo", &[CI], &["--pr"]);
        let served = place.serve(&["--slots", "1"]);
        let client = Client::new(&place, &served, "person", "operate");
        let asked = until_waiting(&client, "/approvals");
        assert_eq!(asked["inspection"]["findings"][0]["rule"], "ci-file", "{asked:#}");
        assert_eq!(asked["checks"][0]["standing"], "passed", "{asked:#}");
        let commit = asked["commit"].as_str().unwrap().to_owned();
        let listed = client.tool("list_approvals", &json!({})).unwrap();
        assert_eq!(listed["approvals"][0], asked);

        let yes = |commit: &str| json!({"job": key, "commit": commit, "message": "A good pipeline"});
        let stale = client.tool("approve_job", &yes("0123456789")).unwrap_err();
        assert_eq!(stale["error"], "OTHER_COMMIT", "{stale}");
        let body = json!({"commit": "0123456789"});
        assert_eq!(client.post(&format!("/jobs/{key}/approve"), &body).expect(409)["code"], "other-commit");
        assert!(forge.branches(&place).is_empty(), "nothing is pushed before somebody agreed");
        let said = client.tool("approve_job", &yes(&commit[..7])).unwrap();
        assert_eq!(said["commit"], commit.as_str());
        assert_eq!(place.until_ended(&key), "published");
        let pull = forge.expect_one(&place, "approved");
        assert_eq!(pull.head_commit, commit);
        assert!(pull.body.contains("A good pipeline"), "{}", pull.body);
        let approved = place.shown(&key).first("approved").unwrap().clone();
        assert_eq!((&approved["by"], &approved["commit"]), (&json!("token person"), &json!(commit)));
        assert_eq!(client.tool("approve_job", &yes(&commit)).unwrap_err()["error"], "NO_APPROVAL_AWAITED");
        served.worker.stop().expect_code(0);
    }
}

#[test]
fn an_exception_over_the_api_lets_the_next_commit_pass() {
    let Some(mut place) = place_on(Engine::Sqlite, "an_exception_over_the_api") else { return };
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    let first = place.add("repo", &[CI], &["--pr"]);
    let served = place.serve(&["--slots", "1"]);
    let admin = Client::new(&place, &served, "root", "admin");
    until_waiting(&admin, "/approvals");
    let new = json!({"repository": "repo", "rule": "ci-file", "path": ".github/", "message": "We know", "until": "1h"});
    let made = admin.post("/exceptions", &new).expect(201);
    let no = json!({"commit": waiting_commit(&admin), "message": "Again, please", "end": true});
    admin.post(&format!("/jobs/{first}/reject"), &no).expect(200);
    assert_eq!(place.until_ended(&first), "rejected");
    let second = place.add("repo", &[CI], &["--pr"]);
    assert_eq!(place.until_ended(&second), "published");
    let inspected = place.shown(&second).first("inspected").unwrap().clone();
    assert_eq!(inspected["inspection"]["findings"][0]["excused"], made["data"]["id"], "{inspected:#}");
    assert_eq!(forge.pulls().len(), 1);
    served.worker.stop().expect_code(0);
}

fn waiting_commit(client: &Client) -> String {
    client.get("/approvals").expect(200)["data"][0]["commit"].as_str().unwrap().to_owned()
}
