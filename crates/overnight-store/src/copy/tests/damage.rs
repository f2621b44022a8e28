//! Backups that are not what was written: each is refused with what is wrong, and nothing is restored from it.

use std::path::{Path, PathBuf};

use sqlx::{Connection, Executor};

use super::backups::{backed_up, checked, restored};
use super::*;
use crate::ErrorClass;

/// A sound backup, as bytes.
async fn sound(places: &Places) -> Vec<u8> {
    let store = places.store(Engine::Sqlite, "one").await;
    seed::fill(&store, 60).await;
    let path = places.path("sound.db");
    backed_up(store.database(), &path).await.unwrap();
    std::fs::read(path).unwrap()
}

/// It is refused, and what is said contains `said`.
async fn refused(places: &Places, path: &Path, said: &[&str]) {
    let error = checked(path).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt, "{error:?}");
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    assert!(said.iter().any(|said| text.contains(said)), "{text}");
    let to = places.store(Engine::Postgres, "").await;
    assert!(restored(path, &to).await.is_err());
    assert!(is_empty(&to).await);
}

fn written(places: &Places, name: &str, bytes: &[u8]) -> PathBuf {
    let path = places.path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn a_file_that_is_cut_short_or_overwritten_is_refused() {
    let Some(places) = Places::new("a_file_that_is_cut_short_or_overwritten_is_refused") else { return };
    let whole = sound(&places).await;
    let cut = ["damaged", "malformed", "not a database"];
    for length in [10, 4096, 8192, whole.len() / 2, whole.len() - 4096] {
        refused(&places, &written(&places, &format!("cut-{length}"), &whole[..length]), &cut).await;
    }
    for page in 0..whole.len() / 4096 {
        // Every eleventh page, and the first ones, on which everything depends.
        if page > 3 && page % 11 != 0 {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        refused(&places, &written(&places, &format!("page-{page}"), &bytes), &cut).await;
    }
}

#[tokio::test]
async fn a_flipped_bit_that_leaves_a_readable_file_is_found() {
    let Some(places) = Places::new("a_flipped_bit_that_leaves_a_readable_file_is_found") else { return };
    let whole = sound(&places).await;
    let report = checked(&places.path("sound.db")).await.unwrap();
    let (mut said, text) = (String::new(), b"plain 48");
    let found = whole.windows(text.len()).enumerate().filter(|(_, window)| window == text);
    for (place, _) in found {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        match checked(&written(&places, "flipped.db", &bytes)).await {
            Err(error) => said = format!("{said}{error}\n"),
            // What is left of a row that was moved belongs to nothing any more.
            Ok(still) => assert_eq!(still, report),
        }
    }
    // In a row, and in an index, of which the rows know nothing.
    for expected in ["job_specs has other content than when it was backed up", "missing from index"] {
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn missing_rows_are_named() {
    let Some(places) = Places::new("missing_rows_are_named") else { return };
    let whole = sound(&places).await;
    let cases = [
        ("DELETE FROM effects WHERE name = 'push'", "effects has 0 instead of 20 rows"),
        ("DELETE FROM events WHERE number = 2 AND job_id LIKE '%7'", "6 jobs lack events"),
        (
            "UPDATE events SET number = 9 WHERE number = 2 AND job_id LIKE '%7'",
            "jobs whose event numbers have gaps: 6",
        ),
        (
            "DELETE FROM job_dependencies; DELETE FROM lanes; DELETE FROM repositories WHERE id = 'r1'",
            "refer to rows that are not there",
        ),
        ("DELETE FROM overnight_backup WHERE name = 'limits'", "limits is not in the list"),
    ];
    for (number, (text, said)) in cases.into_iter().enumerate() {
        let path = written(&places, &format!("case-{number}"), &whole);
        let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
        connection.execute("PRAGMA foreign_keys = OFF").await.unwrap();
        connection.execute(text).await.unwrap();
        connection.close().await.unwrap();
        refused(&places, &path, &[said]).await;
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_no_backup() {
    let Some(places) = Places::new("a_database_of_another_program_is_no_backup") else { return };
    let path = written(&places, "empty.db", b"");
    refused(&places, &path, &["not one of overnight"]).await;
    refused(&places, &written(&places, "text.db", &b"hello ".repeat(1000)), &["is not a database"]).await;
}
