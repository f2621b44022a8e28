//! Any number of rows as one value: the engines take them out of a JSON list, so that one text, prepared once, serves a single
//! row and a thousand alike. Stored JSON is not looked into on the way: it is text within the list.

use serde_json::{Map, Value as Json};

use crate::dialect::Engine;
use crate::sql::Value;

/// Name and type of a column.
pub(crate) type Column = (&'static str, &'static str);

/// Rows with these columns, out of the parameter with this number: what may follow a `FROM`.
pub(crate) fn recordset(engine: Engine, parameter: usize, columns: &[Column]) -> String {
    match engine {
        Engine::Sqlite => {
            let columns: Vec<String> =
                columns.iter().map(|(name, _)| format!("value ->> '{name}' AS {name}")).collect();
            format!("(SELECT {} FROM json_each(${parameter})) AS r", columns.join(", "))
        }
        Engine::Postgres => {
            let columns: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
            format!("json_to_recordset(CAST(${parameter} AS JSON)) AS r ({})", columns.join(", "))
        }
    }
}

/// The value of such a parameter. The values of a row stand in the order of the columns.
pub(crate) fn records<'a>(columns: &[Column], rows: impl IntoIterator<Item = &'a [Value]>) -> String {
    let record = |row: &[Value]| {
        let named = columns.iter().zip(row).map(|((name, _), value)| ((*name).to_owned(), json(value)));
        Json::Object(named.collect::<Map<String, Json>>())
    };
    Json::Array(rows.into_iter().map(record).collect()).to_string()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_deref().map_or(Json::Null, Json::from),
        Value::Number(number) => number.map_or(Json::Null, Json::from),
        Value::Flag(flag) => Json::from(*flag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [("id", "TEXT"), ("count", "BIGINT"), ("ended", "BOOLEAN")];

    #[test]
    fn rows_are_named_and_nothing_stays_nothing() {
        let rows: [&[Value]; 2] = [
            &["a\"b".into(), 7.into(), true.into()],
            &[None::<String>.into(), None::<i64>.into(), false.into()],
        ];
        let wanted = r#"[{"count":7,"ended":true,"id":"a\"b"},{"count":null,"ended":false,"id":null}]"#;
        assert_eq!(records(&COLUMNS, rows), wanted);
    }

    #[test]
    fn each_engine_takes_the_rows_out_in_its_own_words() {
        assert_eq!(
            recordset(Engine::Postgres, 2, &COLUMNS),
            "json_to_recordset(CAST($2 AS JSON)) AS r (id TEXT, count BIGINT, ended BOOLEAN)"
        );
        assert_eq!(
            recordset(Engine::Sqlite, 1, &COLUMNS[..2]),
            "(SELECT value ->> 'id' AS id, value ->> 'count' AS count FROM json_each($1)) AS r"
        );
    }
}
