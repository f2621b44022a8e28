//! What is looked at before a change goes out: what is refused, what a person has to agree to, and a plan that is kept or not.

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use crate::harness::fleet::FIX;
use crate::harness::forge::{Forge, args};
use crate::harness::{Outcome, Place, with_prompt};
use overnight_testkit::forge::Flavour;

/// Put together here, so that no scanner takes this file for a leak.
fn secret() -> String {
    format!("ghp_{}", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx")
}

const CI: &str = r#"{ write = { path = ".github/workflows/ci.yml", content = "on: push\n" } }, { write = { path = "answer", content = "42\n" } }, { commit = { message = "With a pipeline" } }"#;

fn run(place: &Place, attempts: &[&str], more: &[&str]) -> Outcome {
    place.rehearse(attempts, more)
}

/// Rules of the findings of each inspection, in their order.
fn found(place: &Place) -> Vec<Vec<String>> {
    let rules = |event: &Value| {
        let findings = event["inspection"]["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
    };
    place.events_of("inspected").iter().map(rules).collect()
}

fn waiting_commit(place: &Place) -> String {
    place.expect_reason("parked", "approval");
    place.events_of("inspected").last().unwrap()["commit"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_is_refused_and_the_agent_mends_it() {
    let place = Place::new();
    let leak =
        format!("{{ write = {{ path = \"config.py\", content = \"token = '{}'\\n\" }} }}, {FIX}", secret());
    let clean = "{ write = { path = \"config.py\", content = \"token = os.environ['T']\\n\" } }, { commit = { message = \"No token\" } }";
    run(&place, &[&leak, clean], &[]).expect_code(0);
    assert_eq!(found(&place), [vec!["secret".to_owned()], vec![]]);
    let failed = &place.events_of("attempt_failed")[0];
    assert!(failed["reason"].as_str().unwrap().contains("config.py:1"), "{failed:#}");
    // The checks of the refused commit were not run: the tip was measured once.
    assert_eq!(place.events_of("checked").iter().filter(|event| event["on_base"] == false).count(), 1);
    let branch = place.branches()[0].clone();
    assert_eq!(
        (place.show(&branch, "answer").as_str(), place.show(&branch, "config.py").as_str()),
        ("42", "token = os.environ['T']")
    );
    // Nor does it stand anywhere in what the branch brings.
    let log = place.git(&["log", "--patch", &format!("main..{branch}")]);
    assert!(!log.contains(&secret()), "{log}");
    assert_eq!(place.git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
    let told = place.overnight(&["show", "repo-1", "--json"]).expect_code(0);
    told.expect_silent_about(&secret());
    place.finish();
}

#[test]
fn a_secret_that_was_committed_and_taken_away_does_not_go_out_with_the_history() {
    let place = Place::new();
    let steps = format!(
        "{{ write = {{ path = \"c.py\", content = \"t = '{}'\\n\" }} }}, {{ commit = {{ message = \"Oops\" }} }}, \
         {{ write = {{ path = \"c.py\", content = \"t = env()\\n\" }} }}, {FIX}",
        secret()
    );
    run(&place, &[&steps], &[]).expect_code(0);
    let log = place.git(&["log", "--patch", &format!("main..{}", place.branches()[0])]);
    assert!(!log.contains(&secret()) && log.contains("t = env()"), "{log}");
    place.finish();
}

#[test]
fn a_secret_in_a_commit_s_message_is_refused_and_goes_nowhere() {
    let place = Place::new();
    let commit = |message: &str| {
        format!(
            "{{ write = {{ path = \"answer\", content = \"42\\n\" }} }}, {{ commit = {{ message = \"{message}\" }} }}"
        )
    };
    let leak = commit(&format!("Answer\\n\\nAs {} says", secret()));
    let anew =
        "{ write = { path = \"more\", content = \"1\\n\" } }, { commit = { message = \"The answer\" } }";
    run(&place, &[&leak, anew], &[]).expect_code(0);
    assert_eq!(found(&place), [vec!["secret".to_owned()], vec![]]);
    let failed = &place.events_of("attempt_failed")[0];
    assert!(failed["reason"].as_str().unwrap().contains("in the message of commit"), "{failed:#}");
    let branch = place.branches()[0].clone();
    let log = place.git(&["log", "--patch", &format!("main..{branch}")]);
    assert!(!log.contains(&secret()) && log.contains("The answer"), "{log}");
    place.overnight(&["show", "repo-1", "--json"]).expect_code(0).expect_silent_about(&secret());
    place.finish();

    // In a commit that another one covers up: the agent need not hear of it.
    let place = Place::new();
    run(&place, &[&format!("{leak}, {anew}")], &[]).expect_code(0);
    assert!(place.events_of("attempt_failed").is_empty());
    let log = place.git(&["log", "--patch", &format!("main..{}", place.branches()[0])]);
    assert!(!log.contains(&secret()) && log.contains("The answer"), "{log}");
    place.finish();
}

#[test]
fn a_secret_that_stays_ends_the_job_and_nothing_is_published() {
    let place = Place::new();
    let leak = format!("{{ write = {{ path = \".env\", content = \"T={}\\n\" }} }}, {FIX}", secret());
    run(&place, &[&leak], &["--attempts", "2"]).expect_code(5);
    place.expect_reason("ended", "gate_refused");
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn a_pipeline_waits_for_a_person_and_goes_out_as_it_was_looked_at() {
    let mut place = Place::new();
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    let script = place.script(&[CI]);
    place.overnight(&args(&script, &[])).expect_code(8);
    let commit = waiting_commit(&place);
    assert!(forge.branches(&place).is_empty(), "nothing is pushed before somebody agreed");

    // Waking it does not let it out, and waking all leaves it where it is.
    place.overnight(&["resume", "repo-1"]).expect_code(8);
    waiting_commit(&place);
    let parked = place.events_of("parked").len();
    let all = place.overnight(&["resume", "--all"]).expect_code(0);
    all.expect_said(&["left alone: 1 job that waits for approval (repo-1)", "overnight approve repo-1"]);
    assert_eq!(place.events_of("parked").len(), parked, "it was not even looked at");
    place
        .overnight(&["approve", "repo-1", "--commit", "0123456789"])
        .expect_code(2)
        .expect_said(&["another commit"]);
    assert!(forge.branches(&place).is_empty());
    let listed = place.overnight(&["show", "repo-1"]).expect_code(0);
    let exact = format!("overnight approve repo-1 --commit {}", &commit[..10]);
    assert!(listed.stdout.contains(&exact), "{exact}: {}", listed.stdout);

    place
        .overnight(&["approve", "repo-1", "--commit", &commit[..12], "-m", "A good pipeline"])
        .expect_code(0);
    place.expect_reason("ended", "published");
    let pull = forge.expect_one(&place, "approved");
    assert_eq!(pull.head_commit, commit);
    for part in [".github/workflows/ci.yml", "ci-file", "A good pipeline"] {
        assert!(pull.body.contains(part), "{part:?} is not in:\n{}", pull.body);
    }
    let approved = &place.events_of("approved")[0];
    assert_eq!((&approved["commit"], &approved["message"]), (&json!(commit), &json!("A good pipeline")));
    place.overnight(&["approve", "repo-1"]).expect_code(2).expect_said(&["does not wait for approval"]);
    place.finish();
}

#[test]
fn a_no_goes_to_the_agent_or_ends_the_job() {
    let place = Place::new();
    let without =
        "{ delete = { path = \".github/workflows/ci.yml\" } }, { commit = { message = \"Without\" } }";
    run(&place, &[CI, without], &[]).expect_code(8);
    place.overnight(&["reject", "repo-1", "-m", " "]).expect_code(2);
    place.overnight(&["reject", "repo-1", "-m", "No pipelines, please"]).expect_code(0);
    place.expect_reason("ended", "published");
    assert_eq!(place.events_of("rejected")[0]["message"], "No pipelines, please");
    let branch = place.branches()[0].clone();
    assert!(
        !place
            .try_git(&place.repo(), &["show", &format!("{branch}:.github/workflows/ci.yml")])
            .status
            .success()
    );
    place.finish();

    let place = Place::new();
    run(&place, &[CI], &[]).expect_code(8);
    place.overnight(&["reject", "repo-1", "--end", "-m", "Not wanted"]).expect_code(3);
    place.expect_reason("ended", "rejected");
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn a_test_that_goes_away_is_shown_to_a_person() {
    let place = Place::new();
    let test = "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 2);\n}\n";
    place.write_in(&place.repo(), "tests/adds.rs", test);
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "A test"]);
    let steps = format!("{{ delete = {{ path = \"tests/adds.rs\" }} }}, {FIX}");
    run(&place, &[&steps], &[]).expect_code(8);
    waiting_commit(&place);
    assert_eq!(found(&place), [["test-removed"]]);
    let finding = &place.events_of("inspected")[0]["inspection"]["findings"][0];
    assert_eq!((&finding["file"], &finding["before"]), (&json!("tests/adds.rs"), &json!("fn adds() {")));
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    place.overnight(&["approve", "repo-1"]).expect_code(2);
    place.expect_reason("ended", "cancelled");
    place.finish();
}

#[test]
fn an_exception_holds_for_its_rule_and_its_files_and_is_told() {
    let place = Place::new();
    run(&place, &[CI], &[]).expect_code(8);
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    let add = [
        "exception",
        "add",
        "--repository",
        "repo",
        "--rule",
        "ci-file",
        "--path",
        ".github/",
        "-m",
        "We know",
    ];
    place.overnight(&[&add[..], &["--until", "91d"]].concat()).expect_code(2);
    place.overnight(&add).expect_code(0);
    let listed = place.overnight(&["exception", "ls", "--json"]).expect_code(0).json();
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&listed["data"][0]["rule"], &listed["data"][0]["message"]),
        (&json!("ci-file"), &json!("We know"))
    );
    run(&place, &[CI], &[]).expect_code(0);
    let used = place.shown("repo-2").events;
    let used = used.iter().find(|event| event["type"] == "inspected").unwrap();
    assert_eq!(used["inspection"]["findings"][0]["excused"], id.as_str());
    place.overnight(&["exception", "rm", &id]).expect_code(0);
    place.overnight(&["exception", "rm", &id]).expect_code(2);
    run(&place, &[CI], &[]).expect_code(8);
    place.overnight(&["cancel", "repo-3"]).expect_code(0);
    place.finish();
}

#[test]
fn a_repository_may_only_be_stricter_and_only_its_base_counts() {
    let place = Place::new();
    let text =
        "[verify]\nchecks = [\"sh check.sh\"]\n[preflight]\nblock = [\"ci-file\"]\nprotect = [\"answer\"]\n";
    place.write_in(&place.repo(), "overnight.toml", text);
    place.git(&["commit", "-qam", "Stricter"]);
    let loosens = "{ write = { path = \"overnight.toml\", content = \"[verify]\\nchecks = [\\\"true\\\"]\\n\" } }, { commit = { message = \"Looser\" } }";
    run(&place, &[CI, &format!("{{ delete = {{ path = \".github/workflows/ci.yml\" }} }}, {loosens}")], &[])
        .expect_code(8);
    let found = found(&place);
    assert!(
        found[0].contains(&"ci-file".to_owned()) && place.events_of("attempt_failed").len() == 1,
        "{found:?}"
    );
    assert!(
        found[1].contains(&"protected-path".to_owned()) && found[1].contains(&"runner-file".to_owned()),
        "{found:?}"
    );
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    place.finish();

    let place = Place::new();
    place.write_in(&place.repo(), "overnight.toml", "[preflight]\noff = [\"secret\"]\n");
    place.git(&["commit", "-qam", "Looser"]);
    run(&place, &[FIX], &[]).expect_code(2);
    place.finish();
}

/// What the plan of [`task`] names, and the repository does not have.
const PLAN: &str = "1. Change `src/door.rs`.\n2. Correct `answer.txt`.";

/// Puts a job into the queue that carries out a task with this plan.
fn task(place: &Place, script: &str, plan: &str, required: &str) {
    let mut add = with_prompt(script, &[]);
    add[0] = "add";
    place.overnight(&add).expect_code(0);
    let task = json!({
        "item": "0190c0de-0000-7000-8000-000000000001", "key": "repo-100", "story": null, "epic": null,
        "plan": plan, "verify_required": required, "verify_only": false,
    });
    let path = place.data().join("overnight.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut store = SqliteConnection::connect_with(&options).await.unwrap();
        let row = sqlx::query("SELECT spec FROM job_specs").fetch_one(&mut store).await.unwrap();
        let mut spec: Value = serde_json::from_str(row.get("spec")).unwrap();
        spec["task"] = task;
        let write = sqlx::query("UPDATE job_specs SET spec = $1").bind(spec.to_string());
        assert_eq!(write.execute(&mut store).await.unwrap().rows_affected(), 1);
    });
}

#[test]
fn a_change_beside_its_plan_goes_out_only_with_a_word_of_the_agent() {
    let place = Place::new();
    let explained =
        format!("{FIX}, {{ say = \"The plan names files that this repository does not have.\" }}");
    let script = place.script(&[&format!("{FIX}, {{ say = \"Done.\" }}"), &explained]);
    task(&place, &script, PLAN, "aligned_or_partial");
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    place.expect_reason("ended", "published");
    let reports = place.events_of("inspected");
    assert_eq!(reports[0]["inspection"]["alignment"]["alignment"], "partial");
    assert!(place.events_of("attempt_failed")[0]["reason"].as_str().unwrap().contains("partial to its plan"));
    place.finish();

    let place = Place::new();
    let script = place.script(&[&explained]);
    task(&place, &script, PLAN, "aligned");
    place.overnight(&["resume", "repo-1"]).expect_code(5);
    place.expect_reason("ended", "gate_refused");
    place.finish();
}

#[test]
fn where_only_the_plan_s_files_may_be_changed_the_agent_takes_the_others_back() {
    let mut place = Place::new();
    place.env("OVERNIGHT_PREFLIGHT_BLOCK", "outside-plan");
    place.env("OVERNIGHT_PREFLIGHT_BESIDE_PLAN", "answer");
    let more = "{ write = { path = \"door.txt\", content = \"open\\n\" } }";
    let beyond = format!("{more}, {{ write = {{ path = \"extra.txt\", content = \"1\\n\" }} }}, {FIX}");
    let back = "{ delete = { path = \"extra.txt\" } }, { commit = { message = \"Only what was planned\" } }";
    let script = place.script(&[&beyond, back]);
    task(&place, &script, "Write `door.txt`.", "any");
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    assert_eq!(found(&place), [vec!["outside-plan".to_owned()], vec![]]);
    let failed = &place.events_of("attempt_failed")[0];
    assert!(failed["reason"].as_str().unwrap().contains("extra.txt"), "{failed:#}");
    assert!(place.events_of("parked").is_empty(), "the agent is told, and nobody is asked");
    let branch = place.branches()[0].clone();
    assert_eq!(place.show(&branch, "door.txt"), "open");
    assert!(!place.git(&["ls-tree", "--name-only", &branch]).contains("extra.txt"));
    place.finish();
}

#[test]
fn killed_after_every_event_a_job_waits_for_one_word_and_goes_out_once() {
    let leak = format!("{{ write = {{ path = \".env\", content = \"A=1\\n\" }} }}, {FIX}");
    let mend = format!("{{ delete = {{ path = \".env\" }} }}, {CI}");
    let whole = Place::new();
    let events = run(&whole, &[&leak, &mend], &["--events"]).expect_code(8).stdout.lines().count();
    for nth in 1..events {
        let place = Place::new();
        let script = place.script(&[&leak, &mend]);
        let mut live = place.start(&with_prompt(&script, &["--events"]));
        for _ in 0..nth {
            let _ = live.next_event();
        }
        live.kill();
        // Where it waits already there is nothing to go on with.
        place.overnight(&["resume", "--all"]);
        let commit = waiting_commit(&place);
        assert_eq!(place.events_of("inspected").len(), 2, "killed after event {nth}");
        place.overnight(&["approve", "repo-1", "--commit", &commit[..12]]).expect_code(0);
        assert_eq!(place.git(&["rev-parse", &place.branches()[0]]), commit);
        place.finish();
    }
}
