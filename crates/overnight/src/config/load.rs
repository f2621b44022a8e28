//! Layers: built-in < system file < user file < environment. Flags come later, with the job's order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::accounts::{self, ACCOUNT_SETTINGS};
use super::file::{self, Entry, Key, Mistake};
use super::settings::{
    HOST_SETTINGS, Input, LAYER_SETTINGS, SETTINGS, Section, Written, other_way, variable,
};
use super::{Config, Environment};
use crate::cli::Global;
use crate::error::{AppError, Place};

/// A configuration file is text for people; more than this is a mistake.
const MAX_FILE: u64 = 1 << 20;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: usize },
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// The configuration and how it came to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Origins of the settings that are not built-in, by key.
    pub origins: BTreeMap<String, Origin>,
    /// The files that were looked for, weakest first, and whether each was there.
    pub files: Vec<(PathBuf, bool)>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("neither HOME nor --data-dir says where to keep data")]
    NoHome,
    #[error("the environment variable {name} is not valid text")]
    NotText { name: String },
    #[error("the configuration file {} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration file {file} cannot be used: {what}", file = place.file)]
    File { what: String, place: Place },
    #[error("the environment variable {name} cannot be used: {why}")]
    Variable { name: String, why: String },
    #[error("{0}")]
    Together(String),
}

/// Reads every layer below the flags.
///
/// # Errors
/// [`ConfigError`] with the place of the first mistake.
pub fn load(global: &Global, env: &Environment) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    let mut texts = Vec::new();
    for (path, required) in files(global, env) {
        let text = read(&path, required)?;
        loaded.files.push((path.clone(), text.is_some()));
        texts.extend(text.map(|text| (path, text)));
    }
    loaded.apply_files(&texts)?;
    loaded.apply_environment(env)?;
    loaded.check()?;
    Ok(loaded)
}

/// The files to read, weakest first, and whether each must be there.
fn files(global: &Global, env: &Environment) -> Vec<(PathBuf, bool)> {
    if global.no_config {
        return Vec::new();
    }
    let given = global.config.as_deref().or_else(|| env.get("OVERNIGHT_CONFIG").map(Path::new));
    match given {
        Some(path) => vec![(env.absolute(path), true)],
        None => env.usual_config_files().into_iter().map(|path| (path, false)).collect(),
    }
}

fn read(path: &Path, required: bool) -> Result<Option<String>, ConfigError> {
    use std::io::Read;
    let slurp = || {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(std::io::Error::other("it is larger than 1 MiB"));
        }
        Ok(text)
    };
    match slurp() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
    }
}

fn refusal(path: &Path, text: &str, Mistake { what, label, span }: Mistake) -> ConfigError {
    let place = Place::of(&path.display().to_string(), text, span, label);
    ConfigError::File { what, place }
}

impl Loaded {
    /// Weakest first. An agent can be named in one file and described in another, so all descriptions are read before any name.
    pub(crate) fn apply_files(&mut self, texts: &[(PathBuf, String)]) -> Result<(), ConfigError> {
        let mut files = Vec::new();
        for (path, text) in texts {
            let entries = file::entries(text).map_err(|mistake| refusal(path, text, mistake))?;
            for entry in &entries {
                if let Key::Adapter(adapter) = &entry.key {
                    self.config.agent.adapters.insert(adapter.name.clone(), (**adapter).clone());
                }
            }
            files.push((path, text, entries));
        }
        files.into_iter().try_for_each(|(path, text, entries)| self.apply(path, text, entries))
    }

    fn apply(&mut self, path: &Path, text: &str, entries: Vec<Entry>) -> Result<(), ConfigError> {
        for entry in entries {
            let line = Place::of(&path.display().to_string(), text, entry.span.clone(), "").line;
            let key = self.set(&entry).map_err(|(key, why)| {
                let what = format!("`{key}` has a value that does not fit");
                refusal(path, text, Mistake { what, label: why, span: entry.span })
            })?;
            self.note(key, Origin::File { path: path.to_owned(), line });
        }
        Ok(())
    }

    /// Whoever sets one of two ways to say the same replaces the other.
    fn note(&mut self, key: String, origin: Origin) {
        if let Some(other) = other_way(&key) {
            self.origins.remove(&other);
        }
        self.origins.insert(key, origin);
    }

    /// Sets one entry and gives its full key; the key and the reason when the value does not fit.
    fn set(&mut self, entry: &Entry) -> Result<String, (String, String)> {
        let agents = self.config.agent.clone();
        let input = Input { written: &entry.written, agents: &agents };
        match &entry.key {
            Key::Plain(index) => {
                let setting = &SETTINGS[*index];
                let key = setting.key.to_owned();
                (setting.set)(&mut self.config, &input).map_err(|why| (key.clone(), why))?;
                Ok(key)
            }
            Key::Layer { section, setting } => {
                let setting = &LAYER_SETTINGS[*setting];
                let key = format!("{}.{}", section.key(), setting.key);
                let layer = self.config.layer(section);
                (setting.set)(layer, &input).map_err(|why| (key.clone(), why))?;
                Ok(key)
            }
            Key::Host { host, setting } => {
                let setting = &HOST_SETTINGS[*setting];
                let key = format!("forge.hosts.{host}.{}", setting.key);
                let place = self.config.hosts.entry(host.clone()).or_default();
                (setting.set)(place, &input).map_err(|why| (key.clone(), why))?;
                Ok(key)
            }
            Key::Adapter(_) => Ok(entry.key.full()),
            Key::Account { id, setting } => {
                let setting = &ACCOUNT_SETTINGS[*setting];
                let key = format!("agent.accounts.{}.{}.{}", id.backend, id.name, setting.key);
                let account = accounts::entry(&mut self.config.accounts, id);
                (setting.set)(account, &input).map_err(|why| (key.clone(), why))?;
                Ok(key)
            }
        }
    }

    pub(super) fn apply_environment(&mut self, env: &Environment) -> Result<(), ConfigError> {
        for setting in SETTINGS {
            self.apply_variable(env, setting.key, |config, input| (setting.set)(config, input))?;
        }
        for section in Section::of_variables() {
            for setting in LAYER_SETTINGS.iter().filter(|setting| section.has(setting)) {
                let key = format!("{}.{}", section.key(), setting.key);
                self.apply_variable(env, &key, |config, input| (setting.set)(config.layer(&section), input))?;
            }
        }
        Ok(())
    }

    fn apply_variable(
        &mut self,
        env: &Environment,
        key: &str,
        set: impl Fn(&mut Config, &Input<'_>) -> Result<(), String>,
    ) -> Result<(), ConfigError> {
        let name = variable(key);
        let Some(text) = env.text(&name)? else { return Ok(()) };
        let twice = other_way(key).and_then(|other| self.origins.get(&other));
        if let Some(Origin::Variable(other)) = twice {
            let text = format!("{other} and {name} say the same thing in two ways: set one of them");
            return Err(ConfigError::Together(text));
        }
        let (written, agents) = (Written::Text(text.to_owned()), self.config.agent.clone());
        set(&mut self.config, &Input { written: &written, agents: &agents })
            .map_err(|why| ConfigError::Variable { name: name.clone(), why })?;
        self.note(key.to_owned(), Origin::Variable(name));
        Ok(())
    }

    /// What no setting can see alone.
    fn check(&self) -> Result<(), ConfigError> {
        let worker = &self.config.worker;
        if worker.heartbeat * 3 > worker.lease {
            let text = "worker.heartbeat must be at most a third of worker.lease: one lost heartbeat must not cost a job";
            return Err(ConfigError::Together(text.to_owned()));
        }
        accounts::check(&self.config.accounts).map_err(ConfigError::Together)
    }
}

impl From<ConfigError> for AppError {
    fn from(error: ConfigError) -> Self {
        let plain = AppError::usage(error.to_string());
        match error {
            ConfigError::NoHome => plain.help("pass --data-dir DIR or set OVERNIGHT_DATA_DIR"),
            ConfigError::NotText { .. } => plain.help("set it to UTF-8 text or unset it"),
            ConfigError::Read { source, .. } => {
                plain.because(&source).help("pass --no-config to go on without it")
            }
            ConfigError::File { place, .. } => {
                plain.at(place).help("overnight help config lists every setting")
            }
            ConfigError::Variable { .. } | ConfigError::Together(_) => {
                plain.help("overnight help config lists every setting")
            }
        }
    }
}
