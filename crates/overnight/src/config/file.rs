//! From the text of a configuration file to keys and written values, each with its place. Knows which keys exist, not
//! what they mean.

use std::ops::Range;

use overnight_core::agent::Adapter;
use overnight_core::text::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::adapters::adapters;
use super::settings::{HOST_SETTINGS, Input, SETTINGS};

/// A key that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub input: Input,
    /// Bytes of the value in the text.
    pub span: Range<usize>,
}

/// What is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Index into [`SETTINGS`].
    Plain(usize),
    /// Index into [`HOST_SETTINGS`].
    Host { host: String, setting: usize },
    /// A whole `agent.adapters.<name>`.
    Adapter(Box<Adapter>),
}

/// A mistake and the bytes it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub what: String,
    /// Said at the place.
    pub label: String,
    pub span: Range<usize>,
}

/// Reads a file's text.
///
/// # Errors
/// [`Mistake`] for text that is not TOML, an unknown key, or a kind of value that no setting has.
pub fn entries(text: &str) -> Result<Vec<Entry>, Mistake> {
    let document = DeTable::parse(text).map_err(|error| Mistake {
        what: "it is not valid TOML".to_owned(),
        label: error.message().lines().next().unwrap_or_default().to_owned(),
        span: error.span().unwrap_or(0..0),
    })?;
    let mut found = Vec::new();
    walk(document.get_ref(), "", &mut found)?;
    Ok(found)
}

/// Goes down the tables; `above` is the dotted key so far, with its dot.
fn walk(table: &DeTable<'_>, above: &str, found: &mut Vec<Entry>) -> Result<(), Mistake> {
    for (name, value) in table {
        let key = format!("{above}{}", name.get_ref());
        if let Some(setting) = SETTINGS.iter().position(|setting| setting.key == key) {
            found.push(Entry { key: Key::Plain(setting), input: input(value)?, span: value.span() });
        } else if key == "forge.hosts" {
            hosts(table_of(value, &key)?, found)?;
        } else if key == "agent.adapters" {
            let read = adapters(table_of(value, &key)?)?;
            found.extend(read.into_iter().map(|(adapter, span)| Entry {
                input: Input::Text(adapter.name.to_string()),
                key: Key::Adapter(Box::new(adapter)),
                span,
            }));
        } else if is_section(&key) {
            walk(table_of(value, &key)?, &format!("{key}."), found)?;
        } else {
            return Err(unknown(&key, name.span(), known_keys()));
        }
    }
    Ok(())
}

fn is_section(key: &str) -> bool {
    let inside = |known: &str| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    key == "forge" || SETTINGS.iter().any(|setting| inside(setting.key))
}

fn hosts(table: &DeTable<'_>, found: &mut Vec<Entry>) -> Result<(), Mistake> {
    for (host, settings) in table {
        let full = format!("forge.hosts.{}", host.get_ref());
        for (name, value) in table_of(settings, &full)? {
            let known = HOST_SETTINGS.iter().position(|setting| setting.key == name.get_ref().as_ref());
            let Some(setting) = known else {
                let names = HOST_SETTINGS.iter().map(|setting| setting.key);
                return Err(unknown(name.get_ref(), name.span(), names));
            };
            let key = Key::Host { host: host.get_ref().to_string(), setting };
            found.push(Entry { key, input: input(value)?, span: value.span() });
        }
    }
    Ok(())
}

pub(super) fn table_of<'t, 'i>(
    value: &'t Spanned<DeValue<'i>>,
    key: &str,
) -> Result<&'t DeTable<'i>, Mistake> {
    value.get_ref().as_table().ok_or_else(|| Mistake {
        what: format!("`{key}` is a section, not a value"),
        label: format!("write [{key}] and settings below it"),
        span: value.span(),
    })
}

fn input(value: &Spanned<DeValue<'_>>) -> Result<Input, Mistake> {
    let wrong = |span| Mistake {
        what: "a setting has a kind of value that no setting has".to_owned(),
        label: "expected a text, a number or a list of texts".to_owned(),
        span,
    };
    let one = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    };
    match value.get_ref() {
        DeValue::Array(items) => {
            let item = |item: &Spanned<DeValue<'_>>| one(item).ok_or_else(|| wrong(item.span()));
            Ok(Input::List(items.iter().map(item).collect::<Result<_, _>>()?))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => one(value).map(Input::Text).ok_or_else(|| wrong(value.span())),
    }
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    let sections =
        "agent database forge gc git limits retention serve ui verify worker forge.hosts agent.adapters"
            .split(' ');
    SETTINGS.iter().map(|setting| setting.key).chain(sections)
}

pub(super) fn unknown<'a>(key: &str, span: Range<usize>, known: impl Iterator<Item = &'a str>) -> Mistake {
    let label = match nearest(key, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "there is no such setting".to_owned(),
    };
    Mistake { what: format!("unknown setting `{key}`"), label, span }
}
