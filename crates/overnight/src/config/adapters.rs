//! The tables `[agent.adapters.NAME]`: agents that are described in the configuration, each checked whole.

use std::ops::Range;

use overnight_core::agent::Adapter;
use overnight_core::agent::adapter::{
    AdapterName, Argv, CliProtocol, Counted, ExitMeaning, FieldPath, Fields, Hole, OutputFormat, PromptWay,
    Protocol,
};
use overnight_core::text::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Mistake, table_of, unknown};

type Found<'t, 'i> = &'t Spanned<DeValue<'i>>;

const KEYS: [&str; 9] =
    ["protocol", "argv", "resume", "prompt", "output", "env", "login_env", "fields", "exits"];
/// What only a program without a protocol needs.
const CLI_KEYS: [&str; 5] = ["resume", "prompt", "output", "fields", "exits"];
const FIELDS: [&str; 11] = [
    "session",
    "model",
    "result",
    "error",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "turns",
    "cost",
    "counted",
];

/// Variables that we set ourselves, and keys that no agent gets.
const KEPT: [&str; 11] = [
    "FORGEJO_TOKEN",
    "GH_TOKEN",
    "GITEA_TOKEN",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
    "HOME",
    "IS_SANDBOX",
    "PATH",
    "SSH_AUTH_SOCK",
    "TERM",
    "TMPDIR",
];

/// Reads all of them.
pub(super) fn adapters(table: &DeTable<'_>) -> Result<Vec<(Adapter, Range<usize>)>, Mistake> {
    let mut adapters = Vec::new();
    for (name, value) in table {
        let key = format!("agent.adapters.{}", name.get_ref());
        let called = AdapterName::parse(name.get_ref()).map_err(|why| Mistake {
            what: format!("`{key}` cannot be the name of an adapter"),
            label: why.to_string(),
            span: name.span(),
        })?;
        let reader = Reader { table: table_of(value, &key)?, key, span: name.span() };
        adapters.push((reader.adapter(called)?, name.span()));
    }
    Ok(adapters)
}

/// One table of settings.
struct Reader<'t, 'i> {
    table: &'t DeTable<'i>,
    key: String,
    /// Where the table is named.
    span: Range<usize>,
}

impl<'t, 'i> Reader<'t, 'i> {
    fn adapter(&self, name: AdapterName) -> Result<Adapter, Mistake> {
        self.check_keys(&KEYS)?;
        let argv = self.argv("argv")?.ok_or_else(|| Mistake {
            what: format!("`{}` does not say how the agent is started", self.key),
            label: "argv = [\"program\", \"argument\"] is missing".to_owned(),
            span: self.span.clone(),
        })?;
        let speaks_acp = self.choice("protocol", &[("cli", false), ("acp", true)])?.unwrap_or(false);
        let protocol = if speaks_acp { self.acp(&argv)? } else { Protocol::Cli(Box::new(self.cli(&argv)?)) };
        let (env, login_env) = (self.variables("env")?, self.variables("login_env")?);
        Ok(Adapter { name, argv, env, login_env, protocol })
    }

    fn acp(&self, argv: &Argv) -> Result<Protocol, Mistake> {
        if let Some(key) = CLI_KEYS.iter().find(|key| self.get(key).is_some()) {
            return Err(self.wrong(key, "the Agent Client Protocol says this: leave it out"));
        }
        let of_turn = [Hole::Session, Hole::Prompt, Hole::PromptFile];
        match argv.holes().find(|hole| of_turn.contains(hole)) {
            Some(hole) => {
                let why = format!("{{{}}} goes by the protocol, not by the command line", hole.as_str());
                Err(self.wrong("argv", &why))
            }
            None => Ok(Protocol::Acp),
        }
    }

    fn cli(&self, argv: &Argv) -> Result<CliProtocol, Mistake> {
        let cli = CliProtocol {
            resume: self.argv("resume")?,
            prompt: self.choice("prompt", &PromptWay::ALL)?.unwrap_or_default(),
            output: self.choice("output", &OutputFormat::ALL)?.unwrap_or_default(),
            fields: self.fields()?,
            exits: self.exits()?,
        };
        self.check_prompt("argv", argv, cli.prompt)?;
        if let Some(resume) = &cli.resume {
            self.check_prompt("resume", resume, cli.prompt)?;
            if !resume.has(Hole::Session) {
                return Err(self.wrong("resume", "no word has {session}: which one would be gone on with?"));
            }
            if cli.fields.session.is_empty() && !argv.has(Hole::Session) {
                let why = "the session is not known: name fields.session, or give {session} in argv";
                return Err(self.wrong("resume", why));
            }
        }
        if cli.output == OutputFormat::Text && self.get("fields").is_some() {
            return Err(self.wrong("fields", "text has no fields: set output = \"jsonl\" or \"json\""));
        }
        Ok(cli)
    }

    fn check_prompt(&self, key: &str, argv: &Argv, way: PromptWay) -> Result<(), Mistake> {
        let (file, argument) = (argv.has(Hole::PromptFile), argv.has(Hole::Prompt));
        let why = match way {
            PromptWay::File if !file => "prompt = \"file\", but no word has {prompt_file}",
            PromptWay::Argument if !argument => "prompt = \"argument\", but no word has {prompt}",
            PromptWay::Stdin | PromptWay::Argument if file => "{prompt_file} needs prompt = \"file\"",
            PromptWay::Stdin | PromptWay::File if argument => "{prompt} needs prompt = \"argument\"",
            PromptWay::Stdin | PromptWay::File | PromptWay::Argument => return Ok(()),
        };
        Err(self.wrong(key, why))
    }

    fn fields(&self) -> Result<Fields, Mistake> {
        let Some(value) = self.get("fields") else { return Ok(Fields::default()) };
        let key = format!("{}.fields", self.key);
        let reader = Reader { table: table_of(value, &key)?, key, span: value.span() };
        reader.check_keys(&FIELDS)?;
        Ok(Fields {
            session: reader.paths("session")?,
            model: reader.paths("model")?,
            result: reader.paths("result")?,
            error: reader.paths("error")?,
            input_tokens: reader.paths("input_tokens")?,
            output_tokens: reader.paths("output_tokens")?,
            cache_read_tokens: reader.paths("cache_read_tokens")?,
            cache_write_tokens: reader.paths("cache_write_tokens")?,
            turns: reader.paths("turns")?,
            cost: reader.paths("cost")?,
            counted: reader.choice("counted", &Counted::ALL)?.unwrap_or_default(),
        })
    }

    fn exits(&self) -> Result<Vec<(i32, ExitMeaning)>, Mistake> {
        let Some(value) = self.get("exits") else { return Ok(Vec::new()) };
        let key = format!("{}.exits", self.key);
        let reader = Reader { table: table_of(value, &key)?, key, span: value.span() };
        let mut exits = Vec::new();
        for (name, _) in reader.table {
            let status = name.get_ref().parse::<u8>().map_err(|_| Mistake {
                what: format!("`{}.{}` is no exit status", reader.key, name.get_ref()),
                label: "expected a number from 0 to 255".to_owned(),
                span: name.span(),
            })?;
            let meaning = reader.choice(name.get_ref(), &ExitMeaning::ALL)?;
            exits.extend(meaning.map(|meaning| (i32::from(status), meaning)));
        }
        Ok(exits)
    }

    fn get(&self, key: &str) -> Option<Found<'t, 'i>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn wrong(&self, key: &str, why: &str) -> Mistake {
        Mistake {
            what: format!("`{}.{key}` has a value that does not fit", self.key),
            label: why.to_owned(),
            span: self.get(key).map_or(self.span.clone(), Spanned::span),
        }
    }

    fn check_keys(&self, known: &[&'static str]) -> Result<(), Mistake> {
        match self.table.iter().find(|(name, _)| !known.contains(&name.get_ref().as_ref())) {
            Some((name, _)) => {
                let unknown = unknown(name.get_ref(), name.span(), known.iter().copied());
                Err(Mistake { what: format!("unknown setting `{}.{}`", self.key, name.get_ref()), ..unknown })
            }
            None => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&'t str>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| self.wrong(key, "expected a text that is not empty"))
    }

    /// Texts; one alone need not stand in a list.
    fn texts(&self, key: &str) -> Result<Option<Vec<&'t str>>, Mistake> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let texts = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str()).collect(),
            DeValue::String(text) => Some(vec![text.as_ref()]),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => None,
        };
        texts.map(Some).ok_or_else(|| self.wrong(key, "expected a list of texts"))
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&'static str, T)]) -> Result<Option<T>, Mistake> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        chosen.map(Some).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let near = nearest(text, names.iter().copied());
            let meant = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            self.wrong(key, &format!("expected one of {}{meant}", names.join(", ")))
        })
    }

    fn argv(&self, key: &str) -> Result<Option<Argv>, Mistake> {
        let listed = self.get(key).is_none_or(|value| value.get_ref().is_array());
        if !listed {
            return Err(self.wrong(key, "expected a list of words, the program first"));
        }
        let Some(words) = self.texts(key)? else { return Ok(None) };
        Argv::parse(words).map(Some).map_err(|why| self.wrong(key, &why.to_string()))
    }

    fn paths(&self, key: &str) -> Result<Vec<FieldPath>, Mistake> {
        let paths = self.texts(key)?.unwrap_or_default();
        let parsed: Result<_, _> = paths.into_iter().map(FieldPath::parse).collect();
        parsed.map_err(|why| self.wrong(key, &why.to_string()))
    }

    fn variables(&self, key: &str) -> Result<Vec<String>, Mistake> {
        let names = self.texts(key)?.unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for name in &names {
            if name.is_empty() || !name.chars().all(fits) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(self.wrong(key, &format!("{name:?} is no name of a variable")));
            }
            if KEPT.contains(name) || name.starts_with("OVERNIGHT_") || name.starts_with("LD_") {
                return Err(self.wrong(key, &format!("{name} is not passed to an agent")));
            }
        }
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
#[path = "adapters_tests.rs"]
mod tests;
