//! Where a store's database is, as a person names it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A SQLite file, or a PostgreSQL database by its URL.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a database: {why}")]
pub struct InvalidDatabase {
    shown: String,
    why: &'static str,
}

impl Database {
    /// `postgres://…` and `postgresql://…` are PostgreSQL; `sqlite:PATH` and an absolute path are a file.
    ///
    /// # Errors
    /// [`InvalidDatabase`]; the text is not repeated beyond its scheme, because it may hold a password.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabase> {
        let wrong = |why| InvalidDatabase { shown: scheme(text), why };
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return match text.parse::<sqlx::postgres::PgConnectOptions>() {
                Ok(_) => Ok(Self::Postgres(text.to_owned())),
                Err(_) => Err(wrong("expected postgres://user:password@host:port/database")),
            };
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
        if text.contains("://") && path == text {
            return Err(wrong("expected postgres://…, sqlite:PATH or an absolute path"));
        }
        if !Path::new(path).is_absolute() {
            return Err(wrong("the path of a file must be absolute"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

fn scheme(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…"),
        None => text.chars().take(120).collect(),
    }
}

/// As it can be shown and logged: without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => {
                let options = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap_or_default();
                let place = options.get_socket().map_or_else(
                    || format!("{}:{}", options.get_host(), options.get_port()),
                    |socket| socket.display().to_string(),
                );
                write!(
                    f,
                    "postgres://{}@{place}/{}",
                    options.get_username(),
                    options.get_database().unwrap_or_default()
                )
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_named_by_url_or_path() {
        let path = |path: &str| Ok(Database::Sqlite(PathBuf::from(path)));
        assert_eq!(Database::parse("/data/overnight.db"), path("/data/overnight.db"));
        assert_eq!(Database::parse("sqlite:/data/o.db"), path("/data/o.db"));
        assert_eq!(Database::parse("sqlite:///data/o.db"), path("/data/o.db"));
        assert!(matches!(Database::parse("postgres://u:p@h/d"), Ok(Database::Postgres(_))));
        for wrong in ["", "o.db", "mysql://h/d", "sqlite:o.db"] {
            assert!(Database::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let database = Database::parse("postgres://u:secret@h:5433/d").unwrap();
        assert_eq!(database.to_string(), "postgres://u@h:5433/d");
        assert_eq!(format!("{database:?}"), "Database(postgres://u@h:5433/d)");
        let error = Database::parse("mysql://u:secret@h/d").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
