//! From the text of a configuration file to keys and written values, each with its place. Knows which keys exist, not
//! what they mean.

use std::borrow::Cow;
use std::ops::Range;

use overnight_core::agent::{AccountId, Adapter, BackendId};
use overnight_core::job::JobKind;
use overnight_core::text::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::accounts::{self, ACCOUNT_SETTINGS};
use super::adapters::adapters;
use super::settings::{HOST_SETTINGS, LAYER_SETTINGS, SETTINGS, Section, Written, other_way};

/// A key that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub written: Written,
    /// Bytes of the value in the text.
    pub span: Range<usize>,
}

/// What is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Index into [`SETTINGS`].
    Plain(usize),
    /// Index into [`LAYER_SETTINGS`].
    Layer { section: Section, setting: usize },
    /// Index into [`HOST_SETTINGS`].
    Host { host: String, setting: usize },
    /// Index into [`ACCOUNT_SETTINGS`].
    Account { id: AccountId, setting: usize },
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
    only_once(&found)?;
    Ok(found)
}

/// Refuses a file that says one thing in two ways.
fn only_once(found: &[Entry]) -> Result<(), Mistake> {
    let keys: Vec<String> = found.iter().map(|entry| entry.key.full()).collect();
    for (at, entry) in found.iter().enumerate() {
        let other = other_way(&keys[at]).unwrap_or_else(|| keys[at].clone());
        if keys[..at].contains(&other) {
            let what = format!("`{}` says again what `{other}` says", keys[at]);
            let label = "keep one of the two".to_owned();
            return Err(Mistake { what, label, span: entry.span.clone() });
        }
    }
    Ok(())
}

impl Key {
    /// With its section.
    #[must_use]
    pub fn full(&self) -> String {
        match self {
            Self::Plain(setting) => SETTINGS[*setting].key.to_owned(),
            Self::Layer { section, setting } => {
                format!("{}.{}", section.key(), LAYER_SETTINGS[*setting].key)
            }
            Self::Account { id, setting } => {
                format!("agent.accounts.{}.{}.{}", id.backend, id.name, ACCOUNT_SETTINGS[*setting].key)
            }
            Self::Adapter(adapter) => format!("agent.adapters.{}", adapter.name),
            Self::Host { host, setting } => format!("forge.hosts.{host}.{}", HOST_SETTINGS[*setting].key),
        }
    }
}

/// Goes down the tables; `above` is the dotted key so far, with its dot.
fn walk(table: &DeTable<'_>, above: &str, found: &mut Vec<Entry>) -> Result<(), Mistake> {
    for (name, value) in table {
        let key = format!("{above}{}", name.get_ref());
        if let Some(setting) = SETTINGS.iter().position(|setting| setting.key == key) {
            found.push(Entry { key: Key::Plain(setting), written: written(value)?, span: value.span() });
        } else if key == "forge.hosts" {
            hosts(table_of(value, &key)?, found)?;
        } else if key == "agent.adapters" {
            let read = adapters(table_of(value, &key)?)?;
            found.extend(read.into_iter().map(|(adapter, span)| Entry {
                written: Written::Text(adapter.name.to_string()),
                key: Key::Adapter(Box::new(adapter)),
                span,
            }));
        } else if key == "agent.accounts" {
            accounts(table_of(value, &key)?, found)?;
        } else if key == "kind" || key == "repository" {
            for (name, value) in table_of(value, &key)? {
                let section = section(&key, name)?;
                layer(&section, "", table_of(value, &section.key())?, found)?;
            }
        } else if let Some(section) = Section::of_agents().find(|section| section.key() == key) {
            layer(&section, "", table_of(value, &key)?, found)?;
        } else if is_section(&key) {
            walk(table_of(value, &key)?, &format!("{key}."), found)?;
        } else if above == "agent." && value.get_ref().is_table() {
            return Err(no_agent(&key, name));
        } else {
            return Err(unknown(&key, name.span(), known_keys().iter().map(String::as_str)));
        }
    }
    Ok(())
}

/// Below `[agent]` there are sections of the agents that are built in, and of none that is described.
fn no_agent(key: &str, name: &Spanned<Cow<'_, str>>) -> Mistake {
    let agents = BackendId::ALL.into_iter().filter(|backend| !backend.is_described()).map(BackendId::as_str);
    let label = match nearest(name.get_ref(), agents.chain(["accounts", "adapters", "program"])) {
        Some(nearest) => format!("did you mean `agent.{nearest}`?"),
        None => "only agents that are built in have a section; what is meant for another stands in the section that names it"
            .to_owned(),
    };
    Mistake { what: format!("unknown setting `{key}`"), label, span: name.span() }
}

/// The section of a kind of job, or of a repository; which repositories there are no file knows.
fn section(above: &str, name: &Spanned<Cow<'_, str>>) -> Result<Section, Mistake> {
    let written = name.get_ref().as_ref();
    if above == "repository" {
        return Ok(Section::Repository(written.to_owned()));
    }
    let kinds = JobKind::ALL.map(JobKind::as_str);
    match JobKind::ALL.into_iter().find(|kind| kind.as_str() == written) {
        Some(kind) => Ok(Section::Kind(kind)),
        None => Err(Mistake {
            what: format!("unknown kind of job `{written}`"),
            label: match nearest(written, kinds) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("expected one of {}", kinds.join(", ")),
            },
            span: name.span(),
        }),
    }
}

/// Goes down the table of a section; `above` is the key within the section so far, with its dot.
fn layer(section: &Section, above: &str, table: &DeTable<'_>, found: &mut Vec<Entry>) -> Result<(), Mistake> {
    for (name, value) in table {
        let key = format!("{above}{}", name.get_ref());
        let full = format!("{}.{key}", section.key());
        let known = LAYER_SETTINGS.iter().position(|setting| setting.key == key && section.has(setting));
        if let Some(setting) = known {
            let key = Key::Layer { section: section.clone(), setting };
            found.push(Entry { key, written: written(value)?, span: value.span() });
        } else if let Some(setting) = program(section, &key) {
            found.push(Entry { key: Key::Plain(setting), written: written(value)?, span: value.span() });
        } else if key == "limits" {
            layer(section, "limits.", table_of(value, &full)?, found)?;
        } else {
            let keys = LAYER_SETTINGS.iter().filter(|setting| section.has(setting));
            let keys: Vec<String> =
                keys.map(|setting| format!("{}.{}", section.key(), setting.key)).collect();
            return Err(unknown(&full, name.span(), keys.iter().map(String::as_str)));
        }
    }
    Ok(())
}

/// An agent's program, which has a key of its own outside the section.
fn program(section: &Section, key: &str) -> Option<usize> {
    let Section::Agent(backend) = section else { return None };
    let plain = format!("agent.{key}.{backend}");
    SETTINGS.iter().position(|setting| key == "program" && setting.key == plain)
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
            found.push(Entry { key, written: written(value)?, span: value.span() });
        }
    }
    Ok(())
}

/// In the order in which they stand in the file, which is the one in which they are preferred.
fn accounts(table: &DeTable<'_>, found: &mut Vec<Entry>) -> Result<(), Mistake> {
    let before = found.len();
    for (vendor, named) in table {
        let above = format!("agent.accounts.{}", vendor.get_ref());
        for (name, settings) in table_of(named, &above)? {
            let id = accounts::id(vendor.get_ref(), name.get_ref(), name.span())?;
            for (key, value) in table_of(settings, &format!("{above}.{}", name.get_ref()))? {
                let known = ACCOUNT_SETTINGS.iter().position(|setting| setting.key == key.get_ref().as_ref());
                let Some(setting) = known else {
                    let names = ACCOUNT_SETTINGS.iter().map(|setting| setting.key);
                    return Err(unknown(key.get_ref(), key.span(), names));
                };
                let key = Key::Account { id: id.clone(), setting };
                found.push(Entry { key, written: written(value)?, span: value.span() });
            }
        }
    }
    found[before..].sort_by_key(|entry| entry.span.start);
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

fn written(value: &Spanned<DeValue<'_>>) -> Result<Written, Mistake> {
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
            Ok(Written::List(items.iter().map(item).collect::<Result<_, _>>()?))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => one(value).map(Written::Text).ok_or_else(|| wrong(value.span())),
    }
}

/// For suggestions.
fn known_keys() -> Vec<String> {
    let sections =
        "agent database forge gc git idea kind limits preflight publish questions quota repository retention serve ui verify watch worker forge.hosts agent.accounts \
         agent.adapters"
            .split(' ');
    let agents = Section::of_agents().map(|section| section.key());
    SETTINGS.iter().map(|setting| setting.key).chain(sections).map(str::to_owned).chain(agents).collect()
}

pub(super) fn unknown<'a>(key: &str, span: Range<usize>, known: impl Iterator<Item = &'a str>) -> Mistake {
    let label = match nearest(key, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "there is no such setting".to_owned(),
    };
    Mistake { what: format!("unknown setting `{key}`"), label, span }
}
