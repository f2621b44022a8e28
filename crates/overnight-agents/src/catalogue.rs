//! What is known of each backend without looking at a machine: what it can do, how its program is found, installed and logged
//! in to, and which versions our drivers were tested with.

use std::cmp::Ordering;
use std::fmt;

use overnight_core::agent::{AgentSettings, BackendId, Capabilities, Effort};
use overnight_core::price::price_of;

use crate::adapter;

/// What a backend can do. For those that take an adapter, what holds with any: [`capabilities_of`] says the rest.
#[must_use]
pub fn capabilities(backend: BackendId) -> Capabilities {
    let none = Capabilities {
        resume: false,
        tokens: false,
        turns: false,
        cost: false,
        model: false,
        effort: false,
        tool_lists: false,
        permission_mode: false,
    };
    match backend {
        BackendId::Claude => Capabilities {
            resume: true,
            tokens: true,
            turns: true,
            cost: true,
            model: true,
            effort: true,
            tool_lists: true,
            permission_mode: true,
        },
        // Tokens are told at the end of the turn only, too late for a limit.
        BackendId::Codex => Capabilities {
            resume: true,
            turns: true,
            model: true,
            effort: true,
            permission_mode: true,
            ..none
        },
        // The same.
        BackendId::Gemini => {
            Capabilities { resume: true, turns: true, model: true, permission_mode: true, ..none }
        }
        BackendId::Qwen => Capabilities {
            resume: true,
            tokens: true,
            turns: true,
            model: true,
            permission_mode: true,
            ..none
        },
        BackendId::Opencode => {
            Capabilities { resume: true, tokens: true, turns: true, cost: true, model: true, ..none }
        }
        // Agents tell their usage each in its own way, most of them at the end only.
        BackendId::Acp => Capabilities { resume: true, turns: true, permission_mode: true, ..none },
        BackendId::Adapter | BackendId::Command => none,
        BackendId::Rehearsal => Capabilities { resume: true, tokens: true, turns: true, cost: true, ..none },
    }
}

/// What an agent with these settings can do: a described one by its description. Tokens that are told while the agent runs are
/// as good as money where the model's price is known.
#[must_use]
pub fn capabilities_of(settings: &AgentSettings) -> Capabilities {
    let base = capabilities(settings.backend);
    let can = match settings.adapter.as_deref() {
        Some(adapter) if adapter.backend() == settings.backend => adapter::capabilities(adapter, base),
        Some(_) | None => base,
    };
    Capabilities { cost: can.cost || (can.tokens && is_priced(settings)), ..can }
}

/// The levels of effort that a backend has, lowest first. For those that take an adapter: [`efforts_of`] says.
#[must_use]
pub fn efforts(backend: BackendId) -> &'static [Effort] {
    match backend {
        BackendId::Claude => &Effort::ALL,
        BackendId::Codex => &[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh],
        BackendId::Gemini
        | BackendId::Qwen
        | BackendId::Opencode
        | BackendId::Acp
        | BackendId::Adapter
        | BackendId::Command
        | BackendId::Rehearsal => &[],
    }
}

/// The levels of effort of an agent with these settings, lowest first. A described program that takes one at all is given
/// whichever was chosen: what it makes of it only it knows.
#[must_use]
pub fn efforts_of(settings: &AgentSettings) -> &'static [Effort] {
    match settings.adapter {
        Some(_) if capabilities_of(settings).effort => &Effort::ALL,
        Some(_) | None => efforts(settings.backend),
    }
}

/// The same at the end of a turn, when every vendor tells what was used.
#[must_use]
pub fn capabilities_at_end(settings: &AgentSettings) -> Capabilities {
    let can = capabilities_of(settings);
    if !settings.backend.is_vendor() {
        return can;
    }
    Capabilities { tokens: true, turns: true, cost: can.cost || is_priced(settings), ..can }
}

/// Whether the CLI itself stops at an amount of money that it is given: it knows prices that we do not.
#[must_use]
pub fn keeps_cost_itself(backend: BackendId) -> bool {
    match backend {
        BackendId::Claude => true,
        BackendId::Codex
        | BackendId::Gemini
        | BackendId::Qwen
        | BackendId::Opencode
        | BackendId::Acp
        | BackendId::Adapter
        | BackendId::Command
        | BackendId::Rehearsal => false,
    }
}

/// What the tokens of another program are, and of which model, nobody has tried: no list price is put on them.
fn is_priced(settings: &AgentSettings) -> bool {
    settings.backend.is_vendor() && settings.model.as_deref().is_some_and(|model| price_of(model).is_some())
}

/// How to log in, as one sentence for people. Empty when a backend knows no login.
#[must_use]
pub fn login_hint(backend: BackendId) -> &'static str {
    match backend {
        BackendId::Claude => {
            "run `claude` once and log in, or set CLAUDE_CODE_OAUTH_TOKEN from `claude setup-token`; with key billing set ANTHROPIC_API_KEY"
        }
        BackendId::Codex => "run `codex login`; with key billing set CODEX_API_KEY or OPENAI_API_KEY",
        BackendId::Gemini => "run `gemini` once and log in; with key billing set GEMINI_API_KEY",
        BackendId::Qwen => {
            "run `qwen` once and log in; with key billing set OPENAI_API_KEY and OPENAI_BASE_URL"
        }
        BackendId::Opencode => {
            "run `opencode auth login`; with key billing set the provider's key, as OPENAI_API_KEY"
        }
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => "",
    }
}

/// Where a backend's program comes from.
#[must_use]
pub fn how_to_install(backend: BackendId) -> &'static str {
    match backend {
        BackendId::Claude => "install it: npm install -g @anthropic-ai/claude-code",
        BackendId::Codex => "install it: npm install -g @openai/codex",
        BackendId::Gemini => "install it: npm install -g @google/gemini-cli",
        BackendId::Qwen => "install it: npm install -g @qwen-code/qwen-code",
        BackendId::Opencode => "install it: npm install -g opencode-ai",
        BackendId::Acp => "name an agent's command: --acp 'program argument …'",
        BackendId::Adapter => "describe it in [agent.adapters.NAME] of the configuration",
        BackendId::Command => "name a program: --command 'program argument …'",
        BackendId::Rehearsal => "it is built in",
    }
}

/// The names under which the vendor's program is looked up in `PATH`, best first.
#[must_use]
pub fn usual_programs(backend: BackendId) -> &'static [&'static str] {
    match backend {
        BackendId::Claude => &["claude"],
        BackendId::Codex => &["codex"],
        BackendId::Gemini => &["gemini"],
        BackendId::Qwen => &["qwen"],
        BackendId::Opencode => &["opencode"],
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => &[],
    }
}

/// A file in which a vendor's CLI keeps its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginPlace {
    /// The variable that names another directory than the usual one.
    pub variable: &'static str,
    /// The file below that directory.
    pub within: &'static str,
    /// The file below the home directory when the variable is not set.
    pub at_home: &'static str,
}

/// Where a login of the vendor's own would be kept on Linux. A file that is there may hold a login that has expired; one that
/// is not there may mean a keyring.
#[must_use]
pub fn login_places(backend: BackendId) -> Option<LoginPlace> {
    let (variable, within, at_home) = match backend {
        BackendId::Claude => ("CLAUDE_CONFIG_DIR", ".credentials.json", ".claude/.credentials.json"),
        BackendId::Codex => ("CODEX_HOME", "auth.json", ".codex/auth.json"),
        BackendId::Gemini => ("GEMINI_CLI_HOME", ".gemini/oauth_creds.json", ".gemini/oauth_creds.json"),
        BackendId::Qwen => ("QWEN_HOME", "oauth_creds.json", ".qwen/oauth_creds.json"),
        BackendId::Opencode => ("XDG_DATA_HOME", "opencode/auth.json", ".local/share/opencode/auth.json"),
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => return None,
    };
    Some(LoginPlace { variable, within, at_home })
}

/// A CLI's version: three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first `1.2.3` in what a program says of its version, as in `codex-cli 0.169.0` or `2.1.328 (Claude Code)`.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.trim_start_matches('v').splitn(3, '.');
        let mut next = || numbers.next()?.parse().ok();
        let (major, minor) = (next()?, next()?);
        // A mark of a preview may follow: 0.61.0-preview.1.
        let patch = numbers.next()?;
        let digits = patch.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self(major, minor, digits.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The versions of a CLI that our driver was tested with, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownGood {
    pub oldest: Version,
    pub newest: Version,
}

impl KnownGood {
    const fn only(version: Version) -> Self {
        Self { oldest: version, newest: version }
    }

    /// `Less`: older than what was tested; `Greater`: newer.
    #[must_use]
    pub fn compare(&self, version: Version) -> Ordering {
        if version < self.oldest {
            Ordering::Less
        } else if version > self.newest {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

/// The versions whose recordings our decoders are tested with: the folders below `recordings/`. A test compares.
#[must_use]
pub fn known_good(backend: BackendId) -> Option<KnownGood> {
    match backend {
        BackendId::Claude => Some(KnownGood::only(Version(2, 1, 328))),
        BackendId::Codex => Some(KnownGood::only(Version(0, 169, 0))),
        BackendId::Gemini => Some(KnownGood::only(Version(0, 61, 0))),
        BackendId::Qwen => Some(KnownGood::only(Version(0, 24, 4))),
        BackendId::Opencode => Some(KnownGood::only(Version(1, 18, 33))),
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use overnight_core::agent::AgentSettings;

    use super::*;

    #[test]
    fn money_can_be_limited_where_tokens_are_told_and_have_a_price() {
        let on = |backend, model: Option<&str>| {
            let model = model.map(str::to_owned);
            AgentSettings { model, ..AgentSettings::new(backend) }
        };
        let table = [
            (BackendId::Claude, None, true, true),
            (BackendId::Codex, Some("gpt-5.3-codex"), false, true),
            (BackendId::Codex, None, false, false),
            (BackendId::Gemini, Some("gemini-2.5-pro"), false, true),
            (BackendId::Qwen, Some("gpt-5"), true, true),
            (BackendId::Qwen, Some("qwen3-coder-plus"), false, false),
            (BackendId::Command, Some("gpt-5"), false, false),
        ];
        for (backend, model, during, at_end) in table {
            let settings = on(backend, model);
            let told = (capabilities_of(&settings).cost, capabilities_at_end(&settings).cost);
            assert_eq!(told, (during, at_end), "{backend} {model:?}");
        }
        let at_end = capabilities_at_end(&on(BackendId::Codex, None));
        assert!(at_end.tokens && at_end.turns);
    }

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        let cases = [
            ("2.1.328 (Claude Code)", Some(Version(2, 1, 328))),
            ("codex-cli 0.169.0", Some(Version(0, 169, 0))),
            ("v0.61.0-preview.1", Some(Version(0, 61, 0))),
            ("1.18", None),
            ("none", None),
            ("", None),
        ];
        for (text, version) in cases {
            assert_eq!(Version::find(text), version, "{text}");
        }
    }

    #[test]
    fn a_version_is_older_newer_or_tested() {
        let known = KnownGood { oldest: Version(1, 2, 3), newest: Version(1, 10, 0) };
        let compare = |text| known.compare(Version::find(text).expect("a version"));
        assert_eq!(compare("1.2.2"), Ordering::Less);
        assert_eq!(compare("1.9.9"), Ordering::Equal);
        assert_eq!(compare("1.10.1"), Ordering::Greater);
    }

    #[test]
    fn the_versions_that_are_known_as_good_are_those_of_the_recordings() {
        let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
        for backend in BackendId::VENDORS {
            let known = known_good(backend).expect("a vendor's versions");
            let mut recorded: Vec<Version> = fs::read_dir(recordings.join(backend.as_str()))
                .expect("the recordings are there")
                .filter_map(|entry| Version::find(entry.ok()?.file_name().to_str()?))
                .collect();
            recorded.sort();
            assert_eq!(
                (recorded.first(), recorded.last()),
                (Some(&known.oldest), Some(&known.newest)),
                "{backend}"
            );
        }
    }

    #[test]
    fn the_levels_of_effort_are_those_that_a_turn_may_ask_for() {
        for backend in BackendId::VENDORS {
            assert_eq!(capabilities(backend).effort, !efforts(backend).is_empty(), "{backend}");
            for effort in Effort::ALL {
                let settings = AgentSettings { effort: Some(effort), ..AgentSettings::new(backend) };
                let fits = crate::check(&settings, false).is_ok();
                assert_eq!(fits, efforts(backend).contains(&effort), "{backend} {effort:?}");
            }
        }
    }

    #[test]
    fn every_vendor_can_be_found_installed_and_logged_in_to() {
        for backend in BackendId::ALL {
            assert_eq!(backend.is_vendor(), !usual_programs(backend).is_empty(), "{backend}");
            assert_eq!(backend.is_vendor(), !login_hint(backend).is_empty(), "{backend}");
            assert_eq!(backend.is_vendor(), login_places(backend).is_some(), "{backend}");
            assert!(!how_to_install(backend).is_empty());
        }
    }
}
