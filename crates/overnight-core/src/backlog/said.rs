//! What a program says about an item, put into what the item says already: a JSON Merge Patch (RFC 7396) of its body. What is not
//! named stays, and `null` takes a value away.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::item::{EpicBody, IdeaBody, ItemBody, ItemKind, SprintBody, StoryBody, TaskBody};

/// Fields of a task's settings.
const SETTINGS: &[&str] = &["agent", "model", "effort", "attempts", "cost", "tokens", "turns", "time_ms"];
/// Those of them that are numbers above zero, with the most that each may be: what fits its type, what JSON carries exactly
/// (2^53), and ten years, as for times that are written with a unit.
const COUNTS: [(&str, u64); 5] = [
    ("attempts", u32::MAX as u64),
    ("cost", 1 << 53),
    ("tokens", 1 << 53),
    ("turns", u32::MAX as u64),
    ("time_ms", 10 * 366 * 24 * 60 * 60 * 1000),
];

/// Why a field cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    #[error("{kind} items have no field {field:?}; they have {}", .kind.fields().join(", "))]
    Unknown { kind: ItemKind, field: String },
    #[error("a task's settings have no field {field:?}; they have {}", SETTINGS.join(", "))]
    UnknownSetting { field: String },
    #[error("{field} cannot be used: {why}")]
    Wrong { field: String, why: String },
}

impl ItemKind {
    /// The fields of its body that people may set.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Epic => &["description", "cascade"],
            Self::Story => &["description", "acceptance"],
            Self::Task => &[
                "description",
                "acceptance",
                "plan",
                "verify_required",
                "verify_only",
                "repository",
                "settings",
            ],
            Self::Sprint => &["goal", "strategy"],
            Self::Idea => &["wish", "notes", "plan"],
        }
    }
}

/// The body that an item of this kind has then; its texts are not judged here. What is repeated as it is, counts as not said.
///
/// # Errors
/// [`BadField`], for the first field that cannot be used.
pub fn merged(
    kind: ItemKind,
    before: Option<&ItemBody>,
    said: &Map<String, Value>,
) -> Result<ItemBody, BadField> {
    match (kind, before) {
        (ItemKind::Epic, Some(ItemBody::Epic(body))) => Ok(ItemBody::Epic(merge(kind, body, said)?)),
        (ItemKind::Epic, _) => Ok(ItemBody::Epic(merge(kind, &EpicBody::default(), said)?)),
        (ItemKind::Story, Some(ItemBody::Story(body))) => Ok(ItemBody::Story(merge(kind, body, said)?)),
        (ItemKind::Story, _) => Ok(ItemBody::Story(merge(kind, &StoryBody::default(), said)?)),
        (ItemKind::Task, Some(ItemBody::Task(body))) => {
            Ok(ItemBody::Task(Box::new(merge(kind, body.as_ref(), said)?)))
        }
        (ItemKind::Task, _) => Ok(ItemBody::Task(Box::new(merge(kind, &TaskBody::default(), said)?))),
        (ItemKind::Sprint, Some(ItemBody::Sprint(body))) => Ok(ItemBody::Sprint(merge(kind, body, said)?)),
        (ItemKind::Sprint, _) => Ok(ItemBody::Sprint(merge(kind, &SprintBody::default(), said)?)),
        (ItemKind::Idea, Some(ItemBody::Idea(body))) => Ok(ItemBody::Idea(merge(kind, body, said)?)),
        (ItemKind::Idea, _) => Ok(ItemBody::Idea(merge(kind, &IdeaBody::default(), said)?)),
    }
}

fn merge<T>(kind: ItemKind, before: &T, said: &Map<String, Value>) -> Result<T, BadField>
where
    T: DeserializeOwned + serde::Serialize,
{
    let mut all = match serde_json::to_value(before) {
        Ok(Value::Object(all)) => all,
        Ok(_) | Err(_) => Map::new(),
    };
    for (field, value) in said {
        // The kind stands in a body that is shown.
        let repeated = all.get(field) == Some(value) || (field == "kind" && *value == kind.as_str());
        if repeated {
            continue;
        }
        if !kind.fields().contains(&field.as_str()) {
            return Err(BadField::Unknown { kind, field: shown(field) });
        }
        if field == "settings" {
            settings(&mut all, value)?;
        } else {
            put(&mut all, field, value);
        }
        serde_json::from_value::<T>(Value::Object(all.clone())).map_err(|why| wrong(field, &why))?;
    }
    serde_json::from_value(Value::Object(all)).map_err(|why| wrong("body", &why))
}

fn settings(all: &mut Map<String, Value>, said: &Value) -> Result<(), BadField> {
    let said = match said {
        Value::Null => {
            all.remove("settings");
            return Ok(());
        }
        Value::Object(said) => said,
        _ => return Err(BadField::Wrong { field: "settings".to_owned(), why: "it is no object".to_owned() }),
    };
    let mut settings = all.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    for (field, value) in said {
        if !SETTINGS.contains(&field.as_str()) {
            return Err(BadField::UnknownSetting { field: shown(field) });
        }
        let most = COUNTS.iter().find(|(name, _)| name == field).map(|(_, most)| *most);
        if let Some(most) = most.filter(|_| !value.is_null())
            && !value.as_u64().is_some_and(|number| (1..=most).contains(&number))
        {
            let why = format!("it has to be a whole number from 1 to {most}");
            return Err(BadField::Wrong { field: format!("settings.{field}"), why });
        }
        put(&mut settings, field, value);
        let read = serde_json::from_value::<super::TaskSettings>(Value::Object(settings.clone()));
        read.map_err(|why| wrong(&format!("settings.{field}"), &why))?;
    }
    all.insert("settings".to_owned(), Value::Object(settings));
    Ok(())
}

fn put(all: &mut Map<String, Value>, field: &str, value: &Value) {
    if value.is_null() {
        all.remove(field);
    } else {
        all.insert(field.to_owned(), value.clone());
    }
}

fn wrong(field: &str, why: &serde_json::Error) -> BadField {
    BadField::Wrong { field: field.to_owned(), why: crate::text::one_line(&why.to_string(), 200) }
}

fn shown(field: &str) -> String {
    crate::text::one_line(field, 60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::Effort;
    use crate::backlog::{PullStrategy, TaskSettings};
    use crate::units::MicroDollars;

    fn said(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value}") };
        map
    }

    fn task(value: Value) -> Result<TaskBody, BadField> {
        match merged(ItemKind::Task, None, &said(value))? {
            ItemBody::Task(body) => Ok(*body),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_field_that_a_body_has_can_be_set_or_is_known_not_to_be() {
        let settings = TaskSettings {
            agent: Some("a".into()),
            model: Some("m".into()),
            effort: Some(Effort::High),
            attempts: Some(1),
            cost: Some(MicroDollars(1)),
            tokens: Some(1),
            turns: Some(1),
            time_ms: Some(1),
        };
        let names = |value: Value| said(value).keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let wanted: std::collections::BTreeSet<String> = SETTINGS.iter().map(|name| (*name).into()).collect();
        assert_eq!(names(serde_json::to_value(settings).unwrap()), wanted);
        for kind in ItemKind::ALL {
            let body = merged(kind, None, &Map::new()).unwrap();
            let mut has = names(serde_json::to_value(&body).unwrap());
            has.remove("kind");
            // Only the runner says what an idea became.
            has.remove("epic");
            let wanted: std::collections::BTreeSet<String> =
                kind.fields().iter().map(|name| (*name).into()).collect();
            assert_eq!(has, wanted, "{kind}");
        }
    }

    #[test]
    fn what_is_not_named_stays_and_null_takes_away() {
        let before = merged(
            ItemKind::Task,
            None,
            &said(json!({"description": "d", "plan": "p", "settings": {"model": "m", "attempts": 2}})),
        )
        .unwrap();
        let change = json!({"plan": null, "settings": {"model": null, "turns": 3}, "acceptance": ["a"]});
        let ItemBody::Task(after) = merged(ItemKind::Task, Some(&before), &said(change)).unwrap() else {
            panic!("no task")
        };
        assert_eq!((after.description.as_str(), &after.plan), ("d", &None));
        let settings = &after.settings;
        assert_eq!((&settings.model, settings.attempts, settings.turns), (&None, Some(2), Some(3)));
        assert_eq!(after.acceptance, ["a"]);
        let whole = serde_json::to_value(&before).unwrap();
        assert_eq!(merged(ItemKind::Task, Some(&before), &said(whole)).unwrap(), before);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        for (bad, field) in [
            (json!({"descripton": "x"}), "descripton"),
            (json!({"kind": "epic"}), "kind"),
            (json!({"description": 7}), "description"),
            (json!({"acceptance": "x"}), "acceptance"),
            (json!({"verify_required": "never"}), "verify_required"),
            (json!({"settings": 7}), "settings"),
            (json!({"settings": {"attempts": 0}}), "settings.attempts"),
            (json!({"settings": {"attempts": -1}}), "settings.attempts"),
            (json!({"settings": {"cost": -1}}), "settings.cost"),
            (json!({"settings": {"cost": i64::MAX}}), "settings.cost"),
            (json!({"settings": {"cost": "2.50"}}), "settings.cost"),
            (json!({"settings": {"effort": "much"}}), "settings.effort"),
            (json!({"settings": {"colour": "red"}}), "colour"),
        ] {
            let why = task(bad.clone()).unwrap_err().to_string();
            assert!(why.contains(field), "{bad}: {why}");
        }
        assert!(merged(ItemKind::Idea, None, &said(json!({"epic": "app-1"}))).is_err());
        let ItemBody::Sprint(sprint) =
            merged(ItemKind::Sprint, None, &said(json!({"strategy": "story"}))).unwrap()
        else {
            panic!("no sprint")
        };
        assert_eq!(sprint.strategy, Some(PullStrategy::Story));
    }
}
