//! Items as lines of a table, those together that belong together.

use overnight_core::backlog::Item;
use overnight_core::text::one_line;
use overnight_store::Backlog;

use super::TITLE;
use super::view::ItemView;
use crate::output::{BAD, BOLD, DIM, GOOD, WARN, styled};

/// One line for each item.
#[must_use]
pub(super) fn table(rows: &[ItemView]) -> String {
    let rows: Vec<&ItemView> = rows.iter().collect();
    lines(&rows).concat()
}

/// The same with a line above each group, where there is more than one: what the items below it belong to.
#[must_use]
pub(super) fn grouped(rows: &[(ItemView, Option<String>)]) -> String {
    let views: Vec<&ItemView> = rows.iter().map(|(view, _)| view).collect();
    let lines = lines(&views);
    let one = rows.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let mut text = String::new();
    let mut last = None;
    for (at, line) in lines.iter().enumerate() {
        // The first line is the head.
        if let Some((_, group)) = at.checked_sub(1).and_then(|at| rows.get(at))
            && !one
            && last != Some(group)
        {
            let name = group.as_deref().unwrap_or("belongs to nothing");
            text += &styled(DIM, name);
            text.push('\n');
            last = Some(group);
        }
        text += line;
    }
    text
}

/// The names of what an item belongs to, from the top down; `None`: it belongs to nothing.
#[must_use]
pub(super) fn family(backlog: &Backlog, item: &Item) -> Option<String> {
    let up = |item: &Item| item.parent.as_ref().and_then(|parent| backlog.item(parent));
    let name = |item: &Item| format!("{} {}", item.key, one_line(&item.title, TITLE));
    let parent = up(item)?;
    let above = up(parent).map(name);
    Some(above.into_iter().chain([name(parent)]).collect::<Vec<_>>().join(" / "))
}

/// A head, and a line for each.
fn lines(rows: &[&ItemView]) -> Vec<String> {
    let wide = |head: &str, text: &dyn Fn(&ItemView) -> usize| {
        rows.iter().map(|row| text(row)).max().unwrap_or(0).max(head.len())
    };
    let keys = wide("KEY", &|row| row.key.as_str().len());
    let states = wide("STATE", &|row| row.state.len());
    let head = format!("{:<keys$}  {:<states$}  {:>9}  TITLE", "KEY", "STATE", "DONE");
    let line = |row: &&ItemView| {
        let count = match row.kind {
            "epic" | "story" | "sprint" => format!("{}/{}", row.tasks.done, row.tasks.of),
            _ => String::new(),
        };
        format!(
            "{}  {}  {count:>9}  {}\n",
            styled(BOLD, &format!("{:<keys$}", row.key.as_str())),
            coloured(row.state, &format!("{:<states$}", row.state)),
            one_line(&row.title, TITLE),
        )
    };
    std::iter::once(format!("{}\n", styled(DIM, &head))).chain(rows.iter().map(line)).collect()
}

fn coloured(state: &str, text: &str) -> String {
    match state {
        "done" | "planned" | "plan_reviewed" => styled(GOOD, text),
        "failed" | "grill_failed" | "plan_failed" | "plan_review_failed" => styled(BAD, text),
        "review" | "blocked" => styled(WARN, text),
        "excluded" => styled(DIM, text),
        _ => text.to_owned(),
    }
}
