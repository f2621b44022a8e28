//! The list of what is copied against the real schemas, and looking at databases without changing them.

use std::collections::BTreeSet;

use super::*;
use crate::OpenError;
use crate::copy::tables::{COLUMNS_LEFT_OUT, TABLES, TABLES_LEFT_OUT};
use crate::migrate::{SCHEMA_VERSION, Schema};

/// Table, column, type, place in the primary key (0: none).
type Column = (String, String, String, i64);

async fn real(store: &Store) -> BTreeSet<Column> {
    let text = match store.engine() {
        Engine::Sqlite => {
            "SELECT m.name AS t, c.name AS c, UPPER(c.type) AS kind, c.pk AS pk FROM sqlite_schema m \
             JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        }
        Engine::Postgres => {
            "SELECT c.table_name::text AS t, c.column_name::text AS c, UPPER(c.data_type::text) AS kind, \
             COALESCE((SELECT k.ordinal_position::bigint FROM information_schema.key_column_usage k \
               JOIN information_schema.table_constraints p USING (constraint_schema, constraint_name) \
               WHERE p.constraint_type = 'PRIMARY KEY' AND k.table_name = c.table_name AND k.column_name = c.column_name \
             ), 0) AS pk FROM information_schema.columns c WHERE c.table_schema = current_schema()"
        }
    };
    let rows = store.all("read the schema in a test", sql(text)).await.unwrap();
    let column = |row: &crate::sql::Row| {
        let text = |name| row.text(name).unwrap();
        (text("t"), text("c"), text("kind"), row.number("pk").unwrap())
    };
    rows.iter().map(column).filter(|(table, ..)| !TABLES_LEFT_OUT.contains(&table.as_str())).collect()
}

fn listed() -> BTreeSet<Column> {
    let mut all = BTreeSet::new();
    for table in &TABLES {
        for (column, kind) in table.into.columns {
            let place = table.key.iter().position(|key| key == column).map_or(0, |place| place as i64 + 1);
            all.insert((table.name().to_owned(), (*column).to_owned(), (*kind).to_owned(), place));
        }
    }
    all
}

#[tokio::test]
async fn every_column_of_every_table_is_copied_or_named_as_left_out() {
    let Some(places) = Places::new("every_column_of_every_table_is_copied_or_named_as_left_out") else {
        return;
    };
    for engine in ENGINES {
        let store = places.store(engine, "one").await;
        let real = real(&store).await;
        let left_out =
            |(table, column, ..): &&Column| COLUMNS_LEFT_OUT.contains(&(table.as_str(), column.as_str()));
        assert_eq!(real.iter().filter(left_out).count(), COLUMNS_LEFT_OUT.len(), "{engine:?}");
        let copied: BTreeSet<Column> = real.iter().filter(|column| !left_out(column)).cloned().collect();
        assert_eq!(copied, listed(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_schema_is_told_without_changing_anything() {
    let Some(places) = Places::new("a_schema_is_told_without_changing_anything") else { return };
    let missing = Database::Sqlite(places.path("missing"));
    assert!(matches!(Store::schema_of(&missing).await.unwrap_err(), OpenError::Missing { .. }));
    assert!(!places.path("missing").exists());
    let empty = places.database(Engine::Postgres, "");
    assert_eq!(Store::schema_of(&empty).await.unwrap(), Schema::Empty);
    assert_eq!(Schema::Empty.steps().len(), usize::try_from(SCHEMA_VERSION).unwrap());
    for engine in ENGINES {
        let store = places.store(engine, "there").await;
        assert_eq!(Store::schema_of(store.database()).await.unwrap(), Schema::Version(SCHEMA_VERSION));
        change(&store, "UPDATE overnight_schema SET version = 1").await;
        let old = Store::schema_of(store.database()).await.unwrap();
        let steps = vec![
            "queue",
            "circuits",
            "spend",
            "backlog",
            "exceptions",
            "api",
            "talk",
            "lean",
            "watch",
            "documents",
        ];
        assert_eq!((old, old.steps()), (Schema::Version(1), steps));
        assert_eq!(number(&store, "SELECT version FROM overnight_schema").await, 1);
    }
    let Database::Postgres(url) = &empty else { panic!() };
    places.postgres.psql(url, "CREATE TABLE jobs (x TEXT)");
    assert_eq!(Store::schema_of(&empty).await.unwrap(), Schema::Foreign);
}

#[tokio::test]
async fn a_database_tells_what_it_is_like() {
    let Some(places) = Places::new("a_database_tells_what_it_is_like") else { return };
    for engine in ENGINES {
        let store = places.store(engine, "one").await;
        seed::fill(&store, 20).await;
        let facts = store.facts().await.unwrap();
        assert!(facts.rows.contains(&("jobs", 20)) && facts.rows.contains(&("workers", 1)), "{facts:?}");
        assert!(facts.bytes > 50_000 && !facts.round_trip.is_zero(), "{facts:?}");
        let setting =
            |name| facts.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        match engine {
            Engine::Sqlite => {
                assert!(facts.engine.starts_with("SQLite 3."), "{facts:?}");
                assert!(facts.log_bytes.unwrap() > 0);
                assert_eq!((setting("journal_mode"), setting("synchronous")), (Some("wal"), Some("full")));
            }
            Engine::Postgres => {
                assert!(facts.engine.starts_with("PostgreSQL "), "{facts:?}");
                assert_eq!(facts.log_bytes, None);
                // As the testkit starts its server.
                assert_eq!((setting("fsync"), setting("synchronous_commit")), (Some("off"), Some("on")));
            }
        }
    }
}
