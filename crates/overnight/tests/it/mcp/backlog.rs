//! An assistant that keeps the backlog: from a plan to jobs, each made once.

use serde_json::{Value, json};

use super::assistant::Assistant;
use crate::backlog::PLAN;
use crate::harness::fleet::{Engine, place_on};

#[test]
fn an_assistant_imports_a_plan_and_starts_it_once() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "an_assistant_imports_a_plan_and_starts_it_once") else {
            continue;
        };
        place.configure("[agent]\ndefault = \"claude\"\n[agent.program]\nclaude = \"/bin/true\"\n");
        place.overnight(&["repo", "add", ".", "--strategy", "story"]).expect_code(0);
        let mut assistant = Assistant::start(&place, &[]);
        let known = assistant.call("list_repositories", &json!({}));
        assert_eq!(known["repositories"][0]["settings"]["strategy"], "story", "{known:#}");
        let bad = json!({ "repository": "repo", "plan": PLAN.replace("title: Tell it", "tilte: Tell it") });
        let refused = assistant.call("import_plan", &bad);
        assert_eq!(refused["error"], "PLAN_REFUSED", "{refused:#}");
        assert!(refused["message"].as_str().unwrap().contains("line 19"), "{refused:#}");
        let plan = json!({ "repository": "repo", "plan": PLAN, "request": "plan-1" });
        assert_eq!(assistant.call("import_plan", &plan)["epic"], "repo-1");
        assert_eq!(assistant.call("import_plan", &plan)["new"], false);
        let task = json!({ "kind": "task", "title": "a\u{202e}b", "parent": "repo-2" });
        assert_eq!(assistant.call("create_item", &task)["error"], "REFUSED");
        let waits = assistant.call("start_items", &json!({ "items": ["repo-4"] }));
        assert!(waits["message"].as_str().unwrap().contains("repo-3"), "{waits:#}");
        let wrong = assistant.call("start_items", &json!({ "items": ["repo-3"], "agent": "nobody" }));
        assert_eq!(wrong["error"], "ORDER_REFUSED", "{wrong:#}");

        let start = json!({ "items": ["repo-2"], "request": "start-1" });
        let made = assistant.call("start_items", &start);
        let jobs = |made: &Value| -> Vec<Value> {
            made["jobs"].as_array().unwrap().iter().map(|one| one["job"].clone()).collect()
        };
        assert_eq!(jobs(&made), ["repo-3", "repo-4"], "{made:#}");
        assistant.leave();
        // Also after the program was started anew, and the answer was forgotten.
        let mut assistant = Assistant::start(&place, &[]);
        let again = assistant.call("start_items", &start);
        assert_eq!((jobs(&again), &again["jobs"][0]["new"]), (jobs(&made), &json!(false)), "{again:#}");
        let busy = assistant.call("start_items", &json!({ "items": ["repo-3"], "request": "start-2" }));
        assert_eq!(busy["error"], "ORDER_REFUSED", "{busy:#}");
        assert_eq!(assistant.call("list_jobs", &json!({}))["jobs"].as_array().unwrap().len(), 2);
        let shown = assistant.call("get_item", &json!({ "item": "repo-1" }));
        assert_eq!(
            (&shown["state"], &shown["parts"][0]["key"]),
            (&json!("open"), &json!("repo-2")),
            "{shown:#}"
        );
        assistant.leave();
        let mut reader = Assistant::start(&place, &["--read-only"]);
        assert_eq!(
            reader.call("list_items", &json!({ "kind": "task", "state": ["todo"] }))["items"][0]["key"],
            "repo-6"
        );
        reader.leave();
        place.finish();
    }
}
