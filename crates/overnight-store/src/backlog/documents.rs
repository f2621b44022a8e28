//! What was written about ideas: revisions that are added and never changed.

use std::collections::HashMap;

use overnight_core::backlog::idea::{DocumentFact, DocumentFacts, DocumentPart, NewDocument};
use overnight_core::backlog::{Item, ItemBody};
use overnight_core::id::{ItemId, JobId};
use overnight_core::units::Timestamp;
use serde::Serialize;

use super::rows::item_id;
use crate::error::{CorruptRow, StoreError};
use crate::row::{self, to_json};
use crate::sql::{Row, sql};
use crate::store::{Store, WriteTx};

/// A document with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    #[serde(flatten)]
    pub fact: DocumentFact,
    pub text: String,
}

const FACTS: &str = "SELECT d.item_id, d.revision, d.facts, d.job_id, d.at FROM documents d ";

/// Keeps what a step brought. What was written about an idea that is gone by now is of no use to anybody.
pub(crate) async fn write_documents(
    tx: &mut WriteTx,
    job: &JobId,
    at: Timestamp,
    documents: &[NewDocument],
) -> Result<(), StoreError> {
    for new in documents {
        add(tx, new, Some(job), at).await?;
    }
    Ok(())
}

/// A plan that a person gave is a revision like others, so that the newest one is always the one that counts.
pub(super) async fn plan_given(
    tx: &mut WriteTx,
    after: &Item,
    before: Option<&Item>,
) -> Result<(), StoreError> {
    let plan = |item: &Item| match &item.body {
        ItemBody::Idea(idea) => idea.plan.clone(),
        ItemBody::Epic(_) | ItemBody::Story(_) | ItemBody::Task(_) | ItemBody::Sprint(_) => None,
    };
    let Some(text) = plan(after).filter(|text| before.and_then(plan).as_ref() != Some(text)) else {
        return Ok(());
    };
    let facts = DocumentFacts::of_plan(&text);
    let new = NewDocument { item: after.id.clone(), text, facts };
    let now = tx.optional(sql("SELECT {now} AS now")).await?;
    let now = now.map(|now| row::number(&now, "?", "now")).transpose()?.unwrap_or(after.updated_at.0);
    add(tx, &new, None, Timestamp(now)).await
}

async fn add(
    tx: &mut WriteTx,
    new: &NewDocument,
    job: Option<&JobId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    // The idea's row is the referee of two who write at the same time.
    let lock = "UPDATE items SET runs = runs WHERE id = $1 AND kind = 'idea'";
    if tx.run(sql(lock).bind(new.item.as_str())).await? == 0 {
        return Ok(());
    }
    let text = "INSERT INTO documents (item_id, part, revision, text, facts, job_id, at) \
         SELECT $1, $2, CAST(COALESCE(MAX(d.revision), 0) + 1 AS BIGINT), $3, $4, CAST($5 AS TEXT), CAST($6 AS BIGINT) \
         FROM documents d WHERE d.item_id = $1 AND d.part = $2";
    let insert = sql(text)
        .bind(new.item.as_str())
        .bind(new.facts.part().as_str())
        .bind(&new.text)
        .bind(to_json("facts", &new.facts)?)
        .bind(job.map(JobId::as_str))
        .bind(at.0);
    tx.run(insert).await.map(drop)
}

impl Store {
    /// What is known of the documents of all ideas in this part of the backlog (a condition on `i`, with its `$1`).
    pub(super) async fn documents_in(
        &self,
        part: &str,
        id: &str,
    ) -> Result<HashMap<ItemId, Vec<DocumentFact>>, StoreError> {
        let text = format!(
            "{FACTS} JOIN items i ON i.id = d.item_id WHERE {part} ORDER BY d.item_id, d.part, d.revision"
        );
        let mut all: HashMap<ItemId, Vec<DocumentFact>> = HashMap::new();
        for found in self.all("read the documents", sql(text).bind(id)).await? {
            all.entry(item_id(&found, "item_id")?).or_default().push(fact(&found)?);
        }
        Ok(all)
    }

    /// What is known of the documents of an idea.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn documents(&self, idea: &ItemId) -> Result<Vec<DocumentFact>, StoreError> {
        let text = format!("{FACTS} WHERE d.item_id = $1 ORDER BY d.part, d.revision");
        let found = self.all("read the documents", sql(text).bind(idea.as_str())).await?;
        Ok(found.iter().map(fact).collect::<Result<_, _>>()?)
    }

    /// A document with its text; without a revision the newest one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn document(
        &self,
        idea: &ItemId,
        part: DocumentPart,
        revision: Option<u32>,
    ) -> Result<Option<Document>, StoreError> {
        let found = self.optional("read the document", one(idea, part, revision)).await?;
        Ok(found.map(|found| document(&found)).transpose()?)
    }
}

/// The same within a transaction.
pub(super) async fn in_tx(
    tx: &mut WriteTx,
    idea: &ItemId,
    part: DocumentPart,
    revision: Option<u32>,
) -> Result<Option<Document>, StoreError> {
    let found = tx.optional(one(idea, part, revision)).await?;
    Ok(found.map(|found| document(&found)).transpose()?)
}

fn one(idea: &ItemId, part: DocumentPart, revision: Option<u32>) -> crate::sql::Sql {
    let facts = FACTS.replacen("SELECT ", "SELECT d.text, ", 1);
    let text = format!(
        "{facts} WHERE d.item_id = $1 AND d.part = $2 AND ($3 = 0 OR d.revision = $3) ORDER BY d.revision DESC LIMIT 1"
    );
    sql(text).bind(idea.as_str()).bind(part.as_str()).bind(i64::from(revision.unwrap_or(0)))
}

fn document(found: &Row) -> Result<Document, CorruptRow> {
    Ok(Document { fact: fact(found)?, text: row::text(found, "?", "text")? })
}

fn fact(found: &Row) -> Result<DocumentFact, CorruptRow> {
    let item = row::text(found, "?", "item_id")?;
    let revision = row::number(found, &item, "revision")?;
    let job = row::optional_text(found, &item, "job_id")?;
    let job = job.map(|job| JobId::parse(&job)).transpose();
    Ok(DocumentFact {
        revision: u32::try_from(revision).map_err(|why| CorruptRow::new(&item, "revision", why))?,
        facts: row::json(&item, "facts", &row::text(found, &item, "facts")?)?,
        job: job.map_err(|why| CorruptRow::new(&item, "job_id", why))?,
        at: Timestamp(row::number(found, &item, "at")?),
    })
}
