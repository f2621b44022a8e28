//! From a [`Plan`] to the text that is read as the same plan again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::settings::TaskSettings;
use super::{Plan, PlannedTask};
use crate::policy::alignment::VerifyRequired;
use crate::units::MicroDollars;

/// The document of a plan. `name` says what the task at a place is called in it; every place needs a name of its own.
#[must_use]
pub fn write(plan: &Plan, name: impl Fn(usize) -> String) -> String {
    let mut page = Page { text: "---\n".to_owned() };
    page.head(0, "epic");
    page.field(1, "title", &plan.title);
    page.given(1, "description", &plan.epic.description);
    if let Some(cascade) = plan.epic.cascade {
        page.bare(1, "cascade", cascade);
    }
    if !plan.stories.is_empty() {
        page.head(0, "stories");
    }
    let waited_for: BTreeSet<usize> = plan.tasks().flat_map(|task| task.after.iter().copied()).collect();
    let mut place = 0;
    for story in &plan.stories {
        page.entry(1, "title", &story.title);
        page.given(2, "description", &story.story.description);
        page.list(2, "acceptance", &story.story.acceptance);
        if !story.tasks.is_empty() {
            page.head(2, "tasks");
        }
        for task in &story.tasks {
            page.task(task, waited_for.contains(&place).then(|| name(place)), &name);
            place += 1;
        }
    }
    page.text.push_str("---\n");
    page.text
}

struct Page {
    text: String,
}

// Writing to a String cannot fail.
impl Page {
    fn indent(&mut self, depth: usize) {
        let _ = write!(self.text, "{:width$}", "", width = 2 * depth);
    }

    fn head(&mut self, depth: usize, name: &str) {
        self.indent(depth);
        let _ = writeln!(self.text, "{name}:");
    }

    fn bare(&mut self, depth: usize, name: &str, value: impl std::fmt::Display) {
        self.indent(depth);
        let _ = writeln!(self.text, "{name}: {value}");
    }

    fn field(&mut self, depth: usize, name: &str, text: &str) {
        self.indent(depth);
        let _ = write!(self.text, "{name}: ");
        self.value(depth, text);
    }

    fn given(&mut self, depth: usize, name: &str, text: &str) {
        if !text.is_empty() {
            self.field(depth, name, text);
        }
    }

    /// The first field of an entry of a list, whose others stand at `depth + 1`.
    fn entry(&mut self, depth: usize, name: &str, text: &str) {
        self.indent(depth);
        let _ = write!(self.text, "- {name}: ");
        self.value(depth + 1, text);
    }

    fn list(&mut self, depth: usize, name: &str, entries: &[String]) {
        if entries.is_empty() {
            return;
        }
        self.head(depth, name);
        for entry in entries {
            self.indent(depth + 1);
            let _ = writeln!(self.text, "- {}", quoted(entry));
        }
    }

    /// Several lines stand below `|`, as people write them; they begin with no blank and end with no line break.
    fn value(&mut self, depth: usize, text: &str) {
        if !text.contains('\n') || text.starts_with([' ', '\t', '\n']) || text.ends_with([' ', '\t', '\n']) {
            let _ = writeln!(self.text, "{}", quoted(text));
            return;
        }
        self.text.push_str("|-\n");
        for line in text.split('\n') {
            if !line.is_empty() {
                self.indent(depth + 1);
            }
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    fn task(&mut self, task: &PlannedTask, id: Option<String>, name: &impl Fn(usize) -> String) {
        const DEPTH: usize = 4;
        let PlannedTask { title, task, after } = task;
        self.entry(DEPTH - 1, "title", title);
        if let Some(id) = id {
            self.field(DEPTH, "id", &id);
        }
        let after: Vec<String> = after.iter().map(|place| name(*place)).collect();
        self.list(DEPTH, "after", &after);
        self.given(DEPTH, "description", &task.description);
        self.list(DEPTH, "acceptance", &task.acceptance);
        self.given(DEPTH, "plan", task.plan.as_deref().unwrap_or_default());
        match task.verify_required {
            VerifyRequired::Aligned => self.bare(DEPTH, "verify_required", "aligned"),
            VerifyRequired::Any => self.bare(DEPTH, "verify_required", "any"),
            VerifyRequired::AlignedOrPartial => {}
        }
        if task.verify_only {
            self.bare(DEPTH, "verify_only", true);
        }
        self.given(DEPTH, "repository", task.repository.as_deref().unwrap_or_default());
        self.settings(DEPTH, &task.settings);
    }

    fn settings(&mut self, depth: usize, settings: &TaskSettings) {
        let TaskSettings { agent, model, effort, attempts, cost, tokens, turns, time_ms } = settings;
        self.given(depth, "agent", agent.as_deref().unwrap_or_default());
        self.given(depth, "model", model.as_deref().unwrap_or_default());
        let numbers = [
            ("effort", effort.map(|effort| effort.as_str().to_owned())),
            ("attempts", attempts.map(|number| number.to_string())),
            ("max_cost", cost.map(dollars)),
            ("max_tokens", tokens.map(|number| number.to_string())),
            ("max_turns", turns.map(|number| number.to_string())),
            // Times are whole seconds wherever they are read.
            ("max_time", time_ms.map(|millis| format!("{}s", millis.div_ceil(1000)))),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                self.bare(depth, name, value);
            }
        }
    }
}

/// A text in double quotes, as JSON has it, which is YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn dollars(amount: MicroDollars) -> String {
    let text = format!("{}.{:06}", amount.0 / 1_000_000, amount.0 % 1_000_000);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}
