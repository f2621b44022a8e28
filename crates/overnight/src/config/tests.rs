//! Layers, mistakes and documentation of the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::settings::{HOST_SETTINGS, SETTINGS, Setting};
use super::*;
use crate::cli::Global;
use crate::error::AppError;

const NO_VARS: [(&str, &str); 0] = [];

fn from_text(text: &str) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    loaded.apply_file(Path::new("config.toml"), text)?;
    Ok(loaded)
}

fn refusal(text: &str) -> String {
    AppError::from(from_text(text).unwrap_err()).render()
}

#[test]
fn the_documented_defaults_are_the_built_in_ones() {
    let config = Config::default();
    for setting in SETTINGS {
        match (setting.get)(&config) {
            Some(value) => assert_eq!(value, setting.default, "{}", setting.key),
            None => assert!(Setting::find(setting.key).is_some()),
        }
    }
}

#[test]
fn every_setting_can_be_set_and_is_shown_as_it_was_set() {
    let special: BTreeMap<&str, &str> = [
        ("agent.default", "command"),
        ("agent.effort", "high"),
        ("agent.billing", "key"),
        ("limits.cost", "2.5"),
        ("git.author", "Ada <ada@example.org>"),
        ("ui.color", "never"),
        ("database.url", "/data/overnight.db"),
        ("serve.listen", "127.0.0.1:7"),
    ]
    .into();
    for setting in SETTINGS {
        let fitting = match (special.get(setting.key), setting.kind) {
            (Some(value), _) => value,
            (None, "absolute path") => "/opt/seven",
            (None, "time" | "time, or none") => "7m",
            (None, "number" | "number, or none" | "number of bytes" | "size") => "7",
            (None, _) => "seven",
        };
        let env = Environment::of([(setting.env(), fitting)], Path::new("/"));
        let mut loaded = Loaded::default();
        loaded.apply_environment(&env).unwrap();
        assert_eq!((setting.get)(&loaded.config).as_deref(), Some(fitting), "{}", setting.key);
        assert_eq!(loaded.origins.keys().collect::<Vec<_>>(), [setting.key]);
    }
}

#[test]
fn a_whole_file_is_read() {
    let loaded = from_text(
        "[agent]\ndefault = \"claude\"\nallowed_tools = [\"Edit\", \"Bash(git *)\"]\nprogram.claude = \"/opt/claude\"\n\
         [limits]\ncost = 5.00\ntokens = 200_000\ntime = \"2h\"\n\
         [forge.hosts.\"git.example.org:3000\"]\nkind = \"forgejo\"\ntoken_command = [\"pass\", \"show\", \"forge\"]\n",
    )
    .unwrap();
    let config = &loaded.config;
    assert_eq!(config.agent.default.as_deref(), Some("claude"));
    assert_eq!(config.agent.allowed_tools, ["Edit", "Bash(git *)"]);
    assert_eq!(config.limits.cost.map(|cost| cost.0), Some(5_000_000));
    assert_eq!(config.limits.tokens, Some(200_000));
    assert_eq!(config.limits.time_ms, Some(7_200_000));
    let host = &config.hosts["git.example.org:3000"];
    assert_eq!((host.kind, host.token_command.len()), (Some(ForgeKind::Gitea), 3));
    assert_eq!(loaded.origins["limits.cost"].to_string(), "config.toml:6");
    assert!(loaded.origins.contains_key("forge.hosts.git.example.org:3000.kind"));
}

#[test]
fn mistakes_are_shown_with_their_line() {
    let all = [
        "[limits]\ncots = 5\n",
        "[limts]\ncost = 5\n",
        "[agent]\neffort = \"huge\"\n",
        "limits = 5\n",
        "[limits]\ncost = true\n",
        "[limits\n",
        "[forge.hosts.\"x\"]\ntoken_fil = \"/x\"\n",
        "[agent.program]\nclaude = \"claude\"\n",
    ];
    insta::assert_snapshot!(all.map(refusal).join("\n"));
}

#[test]
fn stronger_layers_win() {
    let mut loaded = from_text("[limits]\nattempts = 4\ncost = 1\n").unwrap();
    loaded.apply_file(Path::new("user.toml"), "[limits]\ncost = 2\n").unwrap();
    let env = Environment::of([("OVERNIGHT_LIMITS_COST", "none")], Path::new("/"));
    loaded.apply_environment(&env).unwrap();
    assert_eq!((loaded.config.limits.attempts, loaded.config.limits.cost), (4, None));
    assert_eq!(loaded.origins["limits.cost"], Origin::Variable("OVERNIGHT_LIMITS_COST".to_owned()));
}

#[test]
fn a_named_file_replaces_the_usual_ones_and_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    std::fs::create_dir_all(home.join(".config/overnight")).unwrap();
    std::fs::write(home.join(".config/overnight/config.toml"), "[limits]\nattempts = 9\n").unwrap();
    let env = Environment::of([("HOME", home.as_os_str())], dir.path());
    assert_eq!(load(&Global::default(), &env).unwrap().config.limits.attempts, 9);
    let none = Global { no_config: true, ..Global::default() };
    assert_eq!(load(&none, &env).unwrap().config.limits.attempts, 3);
    let missing = Global { config: Some("missing.toml".into()), ..Global::default() };
    assert!(matches!(load(&missing, &env), Err(ConfigError::Read { .. })));
}

#[test]
fn a_heartbeat_that_cannot_keep_a_lease_is_refused() {
    let env = Environment::of([("OVERNIGHT_WORKER_LEASE", "10s")], Path::new("/"));
    let none = Global { no_config: true, ..Global::default() };
    assert!(matches!(load(&none, &env), Err(ConfigError::Together(_))));
    assert!(load(&none, &Environment::of(NO_VARS, Path::new("/"))).is_ok());
}

/// The documentation's tables, exactly as the code would write them.
#[test]
fn the_documentation_lists_every_setting() {
    let docs = include_str!("../../../../docs/configuration.md");
    let mut wanted = Vec::new();
    for setting in SETTINGS {
        wanted.push(format!(
            "| `{}` | {} | {} | {} | `{}` |",
            setting.key,
            setting.kind,
            setting.default,
            setting.about,
            setting.env()
        ));
    }
    for setting in HOST_SETTINGS {
        wanted
            .push(format!("| `forge.hosts.<host>.{}` | {} | {} |", setting.key, setting.kind, setting.about));
    }
    let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, wanted, "docs/configuration.md should have these rows:\n{}", wanted.join("\n"));
}

proptest! {
    /// Whatever stands in a file: an error or a value, never a panic.
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}", key in "[a-z.]{0,20}", value in "[ -~é]{0,20}") {
        let _ = from_text(&text);
        let _ = from_text(&format!("{key} = {value}\n")).map_err(|error| AppError::from(error).render());
        let _ = from_text(&format!("[limits]\ncost = \"{value}\"\n")).map_err(|error| AppError::from(error).render());
    }
}
