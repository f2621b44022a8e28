//! A task as the wish of a job: everything that whoever does it has to know, and nothing that the runner knows better.

use std::fmt::Write as _;

use super::item::{EpicBody, Item, ItemBody, StoryBody, TaskBody};
use crate::text::cut_chars;

/// Characters of a description of what a task belongs to: it is there for orientation.
const AROUND_MAX: usize = 4_000;

/// What a task belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    pub story: Option<&'a Item>,
    pub epic: Option<&'a Item>,
}

/// The wish for a job of this task.
#[must_use]
pub fn prompt(task: &Item, body: &TaskBody, context: Context<'_>) -> String {
    let mut text = format!("{}\n", task.title);
    paragraph(&mut text, &body.description);
    list(&mut text, "Acceptance criteria", &body.acceptance);
    if let Some(plan) = &body.plan {
        section(&mut text, "Plan", plan);
    }
    if body.verify_only {
        let only = "This task only looks at something. Where everything is as it should be, change nothing and say so.";
        paragraph(&mut text, only);
    }
    around(&mut text, context);
    text
}

fn around(text: &mut String, context: Context<'_>) {
    if let Some(Item { title, key, body: ItemBody::Story(StoryBody { description, acceptance }), .. }) =
        context.story
    {
        section(
            text,
            &format!("The story that this task belongs to: {title} ({key})"),
            &shortened(description),
        );
        list(text, "What the story as a whole is to come to (other tasks do their part of it)", acceptance);
    }
    if let Some(Item { title, key, body: ItemBody::Epic(EpicBody { description, .. }), .. }) = context.epic {
        section(text, &format!("The epic that it belongs to: {title} ({key})"), &shortened(description));
    }
    if context.story.is_some() || context.epic.is_some() {
        paragraph(text, "Do this task only; the rest of the story and of the epic is done by others.");
    }
}

fn shortened(description: &str) -> String {
    cut_chars(description, AROUND_MAX)
}

// Writing to a String cannot fail.
fn section(text: &mut String, head: &str, body: &str) {
    let _ = write!(text, "\n## {head}\n");
    paragraph(text, body);
}

fn paragraph(text: &mut String, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{body}\n");
    }
}

fn list(text: &mut String, head: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "\n## {head}\n\n");
    for entry in entries {
        let _ = writeln!(text, "- {entry}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ItemId, RepositoryId, TaskKey};
    use crate::units::Timestamp;

    fn item(number: u32, title: &str, body: ItemBody) -> Item {
        Item {
            id: ItemId::parse("i").unwrap(),
            repository: RepositoryId::parse("r").unwrap(),
            key: TaskKey::parse(&format!("app-{number}")).unwrap(),
            title: title.to_owned(),
            body,
            parent: None,
            position: 0,
            version: 1,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn a_task_is_told_whole_and_where_it_belongs() {
        let body = TaskBody {
            description: "Rows are sorted by name.".into(),
            acceptance: vec!["two rows of one name keep their order".into()],
            plan: Some("Change src/rows.rs".into()),
            ..TaskBody::default()
        };
        let task = item(3, "Sort the rows", ItemBody::Task(Box::new(body.clone())));
        let story =
            StoryBody { description: "People look for names.".into(), acceptance: vec!["fast".into()] };
        let story = item(2, "A sorted table", ItemBody::Story(story));
        let epic = item(1, "Tables", ItemBody::Epic(EpicBody::default()));
        let context = Context { story: Some(&story), epic: Some(&epic) };
        insta::assert_snapshot!(prompt(&task, &body, context), @r"
        Sort the rows

        Rows are sorted by name.

        ## Acceptance criteria

        - two rows of one name keep their order

        ## Plan

        Change src/rows.rs

        ## The story that this task belongs to: A sorted table (app-2)

        People look for names.

        ## What the story as a whole is to come to (other tasks do their part of it)

        - fast

        ## The epic that it belongs to: Tables (app-1)

        Do this task only; the rest of the story and of the epic is done by others.
        ");
        assert_eq!(prompt(&task, &TaskBody::default(), Context::default()), "Sort the rows\n");
    }
}
