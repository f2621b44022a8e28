//! A worker in trouble stays up, says why, and goes on by itself.

use sqlx::{Connection, SqliteConnection};

use super::place;
use crate::harness::Place;
use crate::harness::fleet::{FIX, held_until};

/// A job whose first turn finds no login, and whose second waits for the file and then does its work.
fn logged_out_first(place: &Place, go: &str) -> String {
    let second = held_until(go);
    let text = format!("[[turn]]\nsteps = [{{ fail = \"login_expired\" }}]\n[[turn]]\nsteps = [{second}]\n");
    let script = place.write("scripts/login.toml", &text).display().to_string();
    let args = ["add", "--agent", "rehearsal", "--script", &script, "Make the check pass"];
    place.overnight(&args).expect_code(0);
    "repo-1".to_owned()
}

#[test]
fn an_expired_login_keeps_back_its_jobs_and_is_found_again_without_a_restart() {
    let place = place();
    place.make_repo("other");
    place.configure("[worker]\nlogin_probe = \"1h\"\n");
    let go = place.path("go");
    let first = logged_out_first(&place, go.to_str().unwrap());
    let served = place.serve(&[]);
    let health = served.until_health(503, "login-expired");
    assert_eq!(
        (&health["healthy"], &health["reason"]),
        (&false.into(), &"login-expired".into()),
        "{health:#}"
    );
    assert_eq!(health["credentials"].as_array().unwrap().last().unwrap()["status"], "expired", "{health:#}");
    assert!(health["advice"].as_str().unwrap().contains("login of rehearsal has expired"), "{health:#}");
    served.worker.until_said("a login has expired");
    let second = place.add("other", &[FIX], &[]);
    let told = place.until_status("login-expired");
    assert_eq!(told["health"]["healthy"], false, "{told:#}");
    let shown = place.overnight(&["status", "--check"]).expect_code(1);
    assert!(shown.stdout.contains("is login-expired: The login of rehearsal"), "{}", shown.stdout);

    std::fs::write(go, "").unwrap();
    // Not before all of this was seen.
    place.configure("[worker]\nlogin_probe = \"1s\"\n");
    served.worker.signal("HUP");
    for key in [&first, &second] {
        assert_eq!(place.until_ended(key), "published");
    }
    served.until_health(200, "idle");
    served.worker.until_said("well again");
    assert_eq!(place.shown(&first).job["attempt"], 1);
    served.worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_store_that_takes_nothing_makes_a_worker_unhealthy_until_it_does_again() {
    let mut place = place();
    place.env("OVERNIGHT_WORKER_UNHEALTHY_AFTER", "1").env("OVERNIGHT_WORKER_PROBE", "1s");
    let served = place.serve(&[]);
    served.until_health(200, "idle");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let path = format!("sqlite://{}", place.data().join("overnight.db").display());
    let lock = async |connection: &mut SqliteConnection, text: &'static str| {
        sqlx::query(text).execute(connection).await.unwrap();
    };
    let mut connection = runtime.block_on(SqliteConnection::connect(&path)).unwrap();
    runtime.block_on(lock(&mut connection, "BEGIN IMMEDIATE"));
    let health = served.until_health(503, "unhealthy");
    assert!(health["advice"].as_str().unwrap().contains("goes on by itself"), "{health:#}");
    assert_eq!(served.get("/healthz").code, 200);
    assert_eq!(served.get("/readyz").code, 503);

    runtime.block_on(lock(&mut connection, "ROLLBACK"));
    served.until_health(200, "idle");
    let key = place.add("repo", &[FIX], &[]);
    assert_eq!(place.until_ended(&key), "published");
    served.worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_full_disk_closes_the_intake_and_says_so() {
    let mut place = place();
    place.env("OVERNIGHT_WORKER_DISK_FLOOR", "1000TiB");
    let key = place.add("repo", &[FIX], &[]);
    let served = place.serve(&[]);
    let health = served.until_health(200, "backoff");
    assert_eq!(health["intake"]["reason"], "disk-low", "{health:#}");
    assert!(health["advice"].as_str().unwrap().contains("make room"), "{health:#}");
    assert_eq!(place.shown(&key).state(), "queued");
    served.worker.stop().expect_code(0);
    place.finish();
}
