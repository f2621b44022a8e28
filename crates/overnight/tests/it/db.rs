//! `overnight db`: what a person sees of copies, backups and restores, in the real program.

use std::os::unix::fs::PermissionsExt;

use overnight_testkit::postgres::Postgres;
use serde_json::Value;

use crate::harness::{Outcome, Place, skipped, with_prompt};

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;

/// A place in which one job was done, in the SQLite file of its data directory.
fn with_a_job() -> Place {
    let place = Place::new();
    let script = place.script(&[FIX]);
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    place
}

fn database(place: &Place) -> String {
    place.overnight(&["db", "status", "--json"]).expect_code(0).json()["data"]["database"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Table, rows and hash of each table.
fn tables(outcome: &Outcome) -> Vec<(String, u64, String)> {
    let table = |table: &Value| {
        let text = |name: &str| table[name].as_str().unwrap().to_owned();
        (text("table"), table["rows"].as_u64().unwrap(), text("hash"))
    };
    outcome.json()["data"]["tables"].as_array().unwrap().iter().map(table).collect()
}

#[test]
fn status_says_where_and_how_the_jobs_are_kept() {
    let place = Place::new();
    let nothing = place.overnight(&["db", "status"]).expect_code(0);
    assert!(nothing.stdout.contains("nothing is there yet"), "{nothing:?}");
    assert!(!place.data().exists(), "looking made a database");
    let plan = place.overnight(&["db", "migrate", "--plan"]).expect_code(0);
    assert!(plan.stdout.contains("would be brought to schema"), "{plan:?}");
    assert!(!place.data().exists(), "planning made a database");
    let made = place.overnight(&["db", "migrate"]).expect_code(0);
    assert!(made.stdout.contains("was brought to schema"), "{made:?}");
    let again = place.overnight(&["db", "migrate"]).expect_code(0);
    assert!(again.stdout.contains("nothing is to be done"), "{again:?}");
    let script = place.script(&[FIX]);
    place.overnight(&with_prompt(&script, &[])).expect_code(0);
    let shown = place.overnight(&["db", "status"]).expect_code(0).expect_plain();
    for word in ["SQLite 3.", "journal_mode wal", "synchronous full", "jobs 1", "round trip"] {
        assert!(shown.stdout.contains(word), "{word}: {shown:?}");
    }
    let facts = place.overnight(&["db", "status", "--json"]).json();
    assert_eq!(facts["kind"], "db-status");
    assert_eq!(
        (&facts["data"]["engine"], &facts["data"]["facts"]["rows"]["jobs"]),
        (&"sqlite".into(), &1.into())
    );
    assert_eq!(facts["data"]["facts"]["warnings"], serde_json::json!([]));
    place.finish();
}

#[test]
fn a_backup_is_made_looked_at_and_restored() {
    let mut place = with_a_job();
    let made = place.overnight(&["db", "backup", "nightly.db", "--json"]).expect_code(0);
    let file = place.repo().join("nightly.db");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let checked = place.overnight(&["db", "restore", "nightly.db", "--check", "--json"]).expect_code(0);
    assert_eq!(tables(&checked), tables(&made));
    assert_eq!(checked.json()["data"]["sealed"], true);
    place.overnight(&["db", "restore", "nightly.db", "--check"]).expect_code(0).expect_plain();
    assert_eq!(place.only_job().reason(), "published");
    // The same file again, and the database that it came from.
    place
        .overnight(&["db", "backup", "nightly.db"])
        .expect_code(2)
        .expect_said(&["is there already", "help: "]);
    let elsewhere = place.path("elsewhere.db").display().to_string();
    place.env("OVERNIGHT_DATABASE_URL", elsewhere);
    let restored = place.overnight(&["db", "restore", "nightly.db", "--json"]).expect_code(0);
    assert_eq!(tables(&restored), tables(&made));
    assert_eq!(place.only_job().reason(), "published");
    place.overnight(&["logs", "repo-1"]).expect_code(0);
    place.finish();
}

#[test]
fn a_damaged_backup_is_refused_and_nothing_is_made_of_it() {
    let mut place = with_a_job();
    place.overnight(&["db", "backup", "b.db"]).expect_code(0);
    let file = place.repo().join("b.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 2048].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let target = place.path("target.db").display().to_string();
    place.env("OVERNIGHT_DATABASE_URL", &target);
    for args in [&["db", "restore", "b.db", "--check"][..], &["db", "restore", "b.db"]] {
        place.overnight(args).expect_code(9).expect_said(&["b.db", "damaged", "help: "]).expect_plain();
    }
    place
        .overnight(&["db", "restore", "missing.db", "--check"])
        .expect_code(2)
        .expect_said(&["missing.db", "help: "]);
    place.overnight(&["db", "restore", "missing.db"]).expect_code(2).expect_said(&["missing.db", "help: "]);
    assert_eq!(place.overnight(&["ls", "--json"]).json()["data"], serde_json::json!([]));
}

#[test]
fn a_copy_is_refused_where_it_would_not_be_one() {
    let place = with_a_job();
    let from = database(&place);
    place
        .overnight(&["db", "copy", "nowhere.db", "to.db"])
        .expect_code(2)
        .expect_said(&["nowhere.db", "help: "]);
    assert!(!place.repo().join("nowhere.db").exists());
    place.overnight(&["db", "copy", &from, &from]).expect_code(2).expect_said(&["the same database"]);
    let other = with_a_job();
    other
        .overnight(&["db", "copy", &from, &database(&other)])
        .expect_code(2)
        .expect_said(&["is not empty", "help: "]);
    place.overnight(&["db", "copy", "mysql://u:secret@h/d", "to.db"]).expect_code(2);
    place.finish();
}

#[test]
fn work_goes_on_in_postgresql_after_a_copy_and_comes_back_with_another() {
    let postgres = match Postgres::shared() {
        Ok(postgres) => postgres,
        Err(reason) => return skipped("copy to PostgreSQL", &reason),
    };
    let mut place = with_a_job();
    let (file, url) = (database(&place), postgres.database());
    let there = place.overnight(&["db", "copy", &file, &url, "--json"]).expect_code(0);
    assert!(
        !there.stdout.contains("secret") && there.json()["data"]["written"].as_u64() > Some(5),
        "{there:?}"
    );
    place.env("OVERNIGHT_DATABASE_URL", &url);
    assert_eq!(place.only_job().reason(), "published");
    let shown = place.overnight(&["db", "status"]).expect_code(0);
    // As the tests' server is started.
    assert!(shown.stdout.contains("PostgreSQL ") && shown.stdout.contains("! fsync is off"), "{shown:?}");
    let script = place.script(&[FIX]);
    place.overnight(&with_prompt(&script, &["--base", "HEAD"])).expect_code(0);
    place.overnight(&["db", "copy", &file, &url]).expect_code(2).expect_said(&["not empty", "help: "]);
    let back = place.overnight(&["db", "copy", &url, "back.db", "--json"]).expect_code(0);
    place.env("OVERNIGHT_DATABASE_URL", place.repo().join("back.db"));
    assert_eq!(place.overnight(&["ls", "--all", "--json"]).json()["data"].as_array().unwrap().len(), 2);
    let again = place.overnight(&["db", "copy", &url, "back.db", "--json"]).expect_code(0);
    assert_eq!((tables(&again), &again.json()["data"]["written"]), (tables(&back), &0.into()));
    place.overnight(&["db", "copy", &url, "back.db"]).expect_code(0).expect_plain();
}
