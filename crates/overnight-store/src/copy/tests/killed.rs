//! Copies that are killed in the middle: this test binary runs itself again and kills itself there.

use std::process::Stdio;

use super::*;
use seed::fill;

const FROM: &str = "OVERNIGHT_COPY_TEST_FROM";
const TO: &str = "OVERNIGHT_COPY_TEST_TO";
const PAGES: &str = "OVERNIGHT_COPY_TEST_PAGES";

fn text(database: &Database) -> &str {
    match database {
        Database::Sqlite(path) => path.to_str().unwrap(),
        Database::Postgres(url) => url,
    }
}

/// Copies in another process, which is killed by itself after so many pages. Whether it came that far.
#[expect(clippy::disallowed_methods, reason = "tests start themselves again as other processes")]
fn copy_and_die(from: &Database, to: &Database, pages: u32) -> bool {
    // By this name it is there even when a build has just put another file in its place.
    let status = std::process::Command::new("/proc/self/exe")
        .args([
            "copy::tests::killed::other_process",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .envs([(FROM, text(from)), (TO, text(to))])
        .env(PAGES, pages.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success() || std::os::unix::process::ExitStatusExt::signal(&status) == Some(9),
        "{status}"
    );
    !status.success()
}

#[tokio::test]
#[ignore = "other tests start it as a process of its own"]
#[expect(
    clippy::disallowed_methods,
    reason = "its part comes from the test that started it, and it has to kill itself"
)]
async fn other_process() {
    let (Ok(from), Ok(to), Ok(pages)) = (std::env::var(FROM), std::env::var(TO), std::env::var(PAGES)) else {
        return println!("skipped: other_process: no test started it");
    };
    let mut left: u32 = pages.parse().unwrap();
    let from = Store::connect(&Database::parse(&from).unwrap()).await.unwrap();
    let to = Store::connect(&Database::parse(&to).unwrap()).await.unwrap();
    copy(&from, &to, false, &mut |_| {
        left -= 1;
        if left == 0 {
            let kill = ["-KILL", &std::process::id().to_string()].map(str::to_owned);
            std::process::Command::new("kill").args(kill).status().unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_copy_that_was_killed_goes_on_where_it_stopped_and_ends_the_same() {
    let Some(places) = Places::new("a_copy_that_was_killed_goes_on_where_it_stopped_and_ends_the_same")
    else {
        return;
    };
    for (there, back) in BOTH_WAYS {
        let from = places.store(there, "from").await;
        fill(&from, 1_050).await;
        let all = sums_of(&from).await;
        let rows: u64 = all.iter().map(|table| table.rows).sum();
        let mut written_before = Vec::new();
        // Every kind of moment: within the small tables, jobs, orders, events, and while it compares.
        for pages in [1, 5, 20, 46, 60] {
            let to = places.database(back, &format!("to-{pages}"));
            assert!(copy_and_die(from.database(), &to, pages), "it was not killed after {pages} pages");
            let to = Store::connect(&to).await.unwrap();
            let report = copied(&from, &to).await.unwrap();
            assert_eq!(report.tables, all);
            assert_eq!(sums_of(&to).await, all);
            to.check().await.unwrap();
            assert!(report.written < rows, "it began again from the start after {pages} pages");
            written_before.push(rows - report.written);
        }
        assert!(written_before.is_sorted(), "{written_before:?}");
    }
}

#[tokio::test]
async fn a_copy_that_is_killed_again_and_again_comes_to_its_end() {
    let Some(places) = Places::new("a_copy_that_is_killed_again_and_again_comes_to_its_end") else { return };
    let from = places.store(Engine::Sqlite, "from").await;
    fill(&from, 1_050).await;
    let to = places.database(Engine::Postgres, "to");
    // Each run passes over what is there, page by page, and gets a little further.
    let mut kills = 0;
    while copy_and_die(from.database(), &to, 7 + 20 * kills) {
        kills += 1;
    }
    assert!(kills > 3, "{kills}");
    let to = Store::connect(&to).await.unwrap();
    assert_eq!(sums_of(&to).await, sums_of(&from).await);
}
