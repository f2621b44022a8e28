//! Batches: what a line may say, and how a bad one is shown.

use std::fmt::Write;

use super::*;

fn read(text: &str) -> Result<Batch, AppError> {
    Batch::read("jobs.jsonl".to_owned(), text.to_owned(), &AgentConfig::default())
}

#[test]
fn a_line_says_what_the_command_line_says() {
    let text = r##"{"prompt": "One", "max_cost": 2.5, "attempts": "4", "max_time": "1h", "verify": ["make"], "model": "m"}

{"prompt": "Two", "after": ["#1", "app-7"], "priority": -3, "labels": ["b"], "key": "k", "not_before": "+2h"}
"##;
    let batch = read(text).unwrap();
    assert_eq!(batch.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 3]);
    let wish = batch.entries[0].order.wish(&WishArgs { base: Some("main".into()), ..WishArgs::default() });
    assert_eq!(wish.base.as_deref(), Some("main"));
    assert_eq!(
        (wish.order.limits.max_cost, wish.order.limits.attempts),
        (Some(MicroDollars(2_500_000)), Some(4))
    );
    assert_eq!(
        (wish.order.verify.verify, wish.order.agent.model.as_deref()),
        (vec!["make".to_owned()], Some("m"))
    );
    let label = |text| Label::parse(text).unwrap();
    let common = QueueArgs { label: vec![label("a")], group: Some(label("g")), ..QueueArgs::default() };
    let queue = batch.entries[1].order.queue(&common);
    assert_eq!((queue.label, queue.group), (vec![label("a"), label("b")], Some(label("g"))));
    assert_eq!((queue.priority.unwrap().number(), queue.key.as_deref()), (-3, Some("k")));
    assert_eq!(queue.after, ["#1", "app-7"]);
    assert_eq!(queue.not_before, Some(Moment::After(Duration::from_secs(7200))));
}

#[test]
fn a_line_says_how_its_agent_works_and_who_takes_over() {
    let text =
        r#"{"prompt": "One", "thinking_budget": "12k", "backup_agent": "none", "backup_patience": "1h"}"#;
    let mut common = WishArgs::default();
    common.order.agent.effort = Some(Effort::Low);
    common.order.agent.backup_agent = Some(Say::To("codex".into()));
    common.order.agent.backup_model = Some("m".into());
    let agent = read(text).unwrap().entries[0].order.wish(&common).order.agent;
    assert_eq!((agent.effort, agent.thinking_budget), (None, Some(12_000)));
    assert_eq!((agent.backup_agent, agent.backup_model.as_deref()), (Some(Say::Off), Some("m")));
    assert_eq!(agent.backup_patience, Some(Duration::from_secs(3600)));
}

#[test]
fn a_line_that_cannot_be_used_is_shown() {
    let mut shown = String::new();
    for text in [
        "",
        "{\"prompt\": \"One\"}\nnot json",
        "{\"prompt\": \"One\", \"prio\": 3}",
        "{\"prompt\": \"One\", \"lables\": []}",
        "{\"prompt\": \"One\", \"priority\": 300}",
        "{\"title\": \"One\"}",
        "{\"prompt\": \" \"}",
        "{\"prompt\": \"One\", \"not_before\": \"soon\"}",
        "{\"prompt\": \"One\", \"max_cost\": [1]}",
        "{\"prompt\": \"One\", \"labels\": [\"two words\"]}",
        "{\"prompt\": \"One\", \"verify\": [\"\"]}",
        "{\"prompt\": \"One\", \"effort\": \"low\", \"thinking_budget\": 5}",
        "{\"prompt\": \"One\", \"backup_agent\": \"nobody\"}",
        "{\"prompt\": \"Önë\", \"after\": [\"#1\"]}",
        "{\"prompt\": \"One\", \"key\": \"k\"}\n{\"prompt\": \"Two\", \"key\": \"k\"}",
        "{\"prompt\": \"\u{1b}[2J\", \"prio\": 3}",
    ] {
        writeln!(shown, "{}", read(text).unwrap_err().render()).unwrap();
    }
    insta::assert_snapshot!(shown);
}
