//! Plan documents, in and out.

use std::collections::BTreeSet;

use overnight_core::backlog::plan::{self, DOCUMENT_MAX};
use overnight_store::{ExportedPlan, PlanView};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reach, Refused};

/// A plan, as it came.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanSaid {
    repository: String,
    /// The document.
    plan: String,
    /// The sender's own name for this plan, whoever sends it.
    #[serde(default)]
    pub(crate) key: Option<String>,
}

impl Reach<'_> {
    /// What came of it, and whether that is new; without the items, of which there may be thousands.
    pub(crate) async fn import(
        self,
        said: PlanSaid,
        dry_run: bool,
        request: Option<&str>,
    ) -> Result<PlanView, Refused> {
        if said.plan.len() > DOCUMENT_MAX {
            let what = format!("the plan is longer than {} MiB", DOCUMENT_MAX >> 20);
            return Err(Refused::bad(what, "divide it into several epics"));
        }
        let repository = self.repository(&said.repository).await.map_err(Refused::in_words)?;
        let plan = plan::read(&said.plan).map_err(Refused::Plan)?;
        let agents = plan.tasks().filter_map(|task| task.task.settings.agent.clone());
        let agents: Vec<String> = agents.collect::<BTreeSet<_>>().into_iter().collect();
        if !agents.is_empty() {
            self.desk()?.agents(agents).await?;
        }
        let all = self.store.repositories().await?;
        for name in plan.tasks().filter_map(|task| task.task.repository.as_deref()) {
            // A task never falls back on another repository than the one that it names.
            if !all.iter().any(|repository| repository.name == name) {
                return Err(Refused::no_repository(name, &all).in_words());
            }
        }
        let view = PlanView::of(&plan, &repository.name, dry_run);
        if dry_run {
            return Ok(view);
        }
        let made = self.store.plan_import(&repository.id, &plan, request).await?;
        let backlog = self.store.backlog(&repository.id).await?;
        Ok(PlanView { items: Vec::new(), ..view.made(&backlog, &made) })
    }

    /// An epic as a document that would make it again.
    pub(crate) async fn export(self, key: &str) -> Result<Value, Refused> {
        let epic = self.item(key).await?;
        let backlog = self.store.backlog(&epic.repository).await?;
        let Some(ExportedPlan { text, left }) = backlog.export(&epic) else {
            let what = format!("{} is no epic: it is one of kind {}", epic.key, epic.kind());
            return Err(Refused::bad(what, "only epics are written as plans"));
        };
        Ok(json!({ "epic": epic.key, "plan": text, "left": left }))
    }
}
