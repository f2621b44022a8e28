//! An epic as the plan document that would make it again.

use std::collections::{BTreeMap, HashMap};

use overnight_core::backlog::plan::{self, Plan, PlannedStory, PlannedTask};
use overnight_core::backlog::{EpicBody, Item, ItemBody, ItemKind};
use overnight_core::id::ItemId;

use super::read::Backlog;

/// An epic as a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedPlan {
    pub text: String,
    /// How many dependencies lead to tasks of other epics, and are not part of it.
    pub left: usize,
}

impl Backlog {
    /// The plan document of an epic; `None`: it is none.
    #[must_use]
    pub fn export(&self, epic: &Item) -> Option<ExportedPlan> {
        let ItemBody::Epic(body) = &epic.body else { return None };
        let (plan, keys, left) = planned(self, epic, body.clone());
        let text = plan::write(&plan, |place| keys.get(place).cloned().unwrap_or_default());
        Some(ExportedPlan { text, left })
    }
}

/// The plan, the keys of its tasks, and how many dependencies lead out of it.
fn planned(backlog: &Backlog, epic: &Item, body: EpicBody) -> (Plan, Vec<String>, usize) {
    let mut parts: HashMap<&ItemId, Vec<&Item>> = HashMap::new();
    for item in &backlog.items {
        if let Some(parent) = &item.parent {
            parts.entry(parent).or_default().push(item);
        }
    }
    let below = |id: &ItemId, kind: ItemKind| {
        parts.get(id).into_iter().flatten().copied().filter(move |item| item.kind() == kind)
    };
    let stories: Vec<&Item> = below(&epic.id, ItemKind::Story).collect();
    let tasks: Vec<&Item> = stories.iter().flat_map(|story| below(&story.id, ItemKind::Task)).collect();
    let places: BTreeMap<&ItemId, usize> =
        tasks.iter().enumerate().map(|(place, task)| (&task.id, place)).collect();
    let mut left = 0;
    let mut plan = Plan { title: epic.title.clone(), epic: body, stories: Vec::new() };
    for story in stories {
        let ItemBody::Story(body) = &story.body else { continue };
        let mut planned = PlannedStory { title: story.title.clone(), story: body.clone(), tasks: Vec::new() };
        for task in below(&story.id, ItemKind::Task) {
            let ItemBody::Task(body) = &task.body else { continue };
            let needs = backlog.waits.get(&task.id).into_iter().flatten();
            let (mut after, mut outside) = (Vec::new(), 0);
            for need in needs {
                match places.get(need) {
                    Some(place) => after.push(*place),
                    None => outside += 1,
                }
            }
            after.sort_unstable();
            left += outside;
            let title = task.title.clone();
            planned.tasks.push(PlannedTask { title, task: body.as_ref().clone(), after });
        }
        plan.stories.push(planned);
    }
    (plan, tasks.iter().map(|task| task.key.to_string()).collect(), left)
}
