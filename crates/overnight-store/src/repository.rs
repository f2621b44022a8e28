//! Registered repositories: one row per remote, under a short name that task keys start with.

use overnight_core::id::RepositoryId;

use crate::error::{StoreError, failed};
use crate::sql::{Row, sql};
use crate::store::Store;

/// Longest name of a repository, in characters: keys must stay easy to type.
const NAME_MAX: usize = 40;

/// A repository as somebody refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRepository {
    /// A wish: what is not a lower-case letter, a digit or `-` is replaced, and a taken name gets a number.
    pub name: String,
    /// Where it is fetched from and pushed to, without credentials. Identifies the repository.
    pub remote: String,
}

impl NewRepository {
    /// The wish as a name. It is the repository's unless another one has it.
    #[must_use]
    pub fn clean_name(&self) -> String {
        clean_name(&self.name)
    }
}

/// A registered repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub id: RepositoryId,
    /// Lower-case letters, digits and `-`; unique.
    pub name: String,
    pub remote: String,
}

impl Store {
    /// The repository of this remote, registered now if it was not. A known one keeps its name.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn repository_ensure(&self, new: &NewRepository) -> Result<Repository, StoreError> {
        loop {
            if let Some(known) = self.repository_of(&new.remote).await? {
                return Ok(known);
            }
            let name = self.free_name(&new.clean_name()).await?;
            let id = uuid::Uuid::now_v7().to_string();
            let text = "INSERT INTO repositories (id, name, remote, last_number, created_at) VALUES ($1, $2, $3, 0, {now}) \
                        ON CONFLICT DO NOTHING";
            // Another process may have taken the name, or registered the same remote, since we looked: then we look again.
            self.run("register the repository", sql(text).bind(id).bind(name).bind(&new.remote)).await?;
        }
    }

    /// Every registered repository, by name.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn repositories(&self) -> Result<Vec<Repository>, StoreError> {
        let operation = "list the repositories";
        let rows =
            self.all(operation, sql("SELECT id, name, remote FROM repositories ORDER BY name")).await?;
        let read = |row: &Row| {
            let text = |column| row.text(column).map_err(failed(operation));
            Ok(Repository { id: repository_id(&text("id")?)?, name: text("name")?, remote: text("remote")? })
        };
        rows.iter().map(read).collect()
    }

    /// What [`Store::repository_ensure`] would call it, without registering anything.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn repository_name(&self, new: &NewRepository) -> Result<String, StoreError> {
        match self.repository_of(&new.remote).await? {
            Some(known) => Ok(known.name),
            None => self.free_name(&new.clean_name()).await,
        }
    }

    async fn repository_of(&self, remote: &str) -> Result<Option<Repository>, StoreError> {
        let operation = "look for the repository";
        let text = "SELECT id, name FROM repositories WHERE remote = $1";
        let Some(row) = self.optional(operation, sql(text).bind(remote)).await? else { return Ok(None) };
        let id = row.text("id").map_err(failed(operation))?;
        let name = row.text("name").map_err(failed(operation))?;
        Ok(Some(Repository { id: repository_id(&id)?, name, remote: remote.to_owned() }))
    }

    async fn free_name(&self, wish: &str) -> Result<String, StoreError> {
        let mut name = wish.to_owned();
        for number in 2_u64.. {
            let query = sql("SELECT name FROM repositories WHERE name = $1").bind(&name);
            if self.optional("look for a free name", query).await?.is_none() {
                break;
            }
            name = format!("{wish}-{number}");
        }
        Ok(name)
    }
}

/// Keeps letters and digits in lower case, and puts one `-` for each run of anything else.
fn clean_name(wish: &str) -> String {
    let mut name = String::new();
    for c in wish.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(NAME_MAX);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "repository".to_owned() } else { name.to_owned() }
}

fn repository_id(text: &str) -> Result<RepositoryId, StoreError> {
    RepositoryId::parse(text).map_err(|error| failed("read a repository")(sqlx::Error::Decode(error.into())))
}

#[cfg(test)]
mod tests {
    use super::clean_name;

    #[test]
    fn names_keep_what_can_be_typed_anywhere() {
        let cleaned = ["My App.git", "über", "--a__b--", "", "日本", &"x".repeat(99)].map(clean_name);
        let long = "x".repeat(40);
        assert_eq!(cleaned, ["my-app-git", "ber", "a-b", "repository", "repository", long.as_str()]);
    }
}
