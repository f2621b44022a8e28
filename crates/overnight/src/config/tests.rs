//! Layers, mistakes and documentation of the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use overnight_core::choose::{Say, Thinking};
use overnight_core::job::{JobKind, Origin as JobOrigin};
use overnight_core::units::MicroDollars;
use overnight_engine::Host;

use super::accounts::ACCOUNT_SETTINGS;
use super::settings::{HOST_SETTINGS, LAYER_SETTINGS, LayerSetting, SETTINGS, Section, Setting, variable};
use super::*;
use crate::choose::{About, Advice};
use crate::cli::Global;
use crate::error::AppError;
use crate::shown;

const NO_VARS: [(&str, &str); 0] = [];

fn from_text(text: &str) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    loaded.apply_files(&[("config.toml".into(), text.to_owned())])?;
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
        ("agent.backup_agent", "codex"),
        ("agent.backup_effort", "low"),
        ("agent.billing", "key"),
        ("agent.tools", "off"),
        ("git.author", "Ada <ada@example.org>"),
        ("ui.color", "never"),
        ("database.url", "/data/overnight.db"),
        ("serve.listen", "127.0.0.1:7"),
        ("forge.call_share", "7"),
        ("questions.policy", "end"),
        ("questions.on_expiry", "end"),
        ("watch.pull_requests", "off"),
        ("watch.needs_approval", "no"),
        ("publish.merge", "when_green"),
        ("publish.merge_method", "rebase"),
        ("publish.delete_branch", "yes"),
    ]
    .into();
    for setting in SETTINGS {
        let fitting = match (special.get(setting.key), setting.kind) {
            (Some(value), _) => value,
            (None, "absolute path") => "/opt/seven",
            (None, "US dollars, or none") => "2.5",
            (None, "list of rules") => "ci-file",
            (None, "time" | "time, or none") => "7m",
            (None, "number" | "number, or none" | "number, or 0" | "number of bytes" | "size") => "7",
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
    let general = &config.layers.general;
    assert_eq!(general.agent, Some(BackendId::Claude.into()));
    assert_eq!(
        general.allowed_tools.as_deref(),
        Some(["Edit".to_owned(), "Bash(git *)".to_owned()].as_slice())
    );
    assert_eq!(general.limits.cost, Some(Say::To(MicroDollars(5_000_000))));
    assert_eq!(general.limits.tokens, Some(Say::To(200_000)));
    assert_eq!(general.limits.time_ms, Some(Say::To(7_200_000)));
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
        "[kind.plam]\nmodel = \"m\"\n",
        "[kind.plan]\nmodle = \"m\"\n",
        "[repository.\"my app\".limits]\nturn = 5\n",
        "[agent.codx]\nmodel = \"m\"\n",
        "[agent.codex]\nagent = \"codex\"\n",
        "[kind.plan]\neffort = \"low\"\nthinking_budget = 5\n",
        "[agent]\ncodex.program = \"/a\"\nprogram.codex = \"/b\"\n",
        "[kind.plan]\nbackup_agent = \"nobody\"\n",
        "kind = 5\n",
    ];
    insta::assert_snapshot!(all.map(refusal).join("\n"));
}

#[test]
fn sections_speak_of_some_jobs() {
    let loaded = from_text(
        "[kind.plan]\nagent = \"codex\"\nlimits.turns = 7\n[repository.\"my.app\"]\nmodel = \"m\"\n\
         [repository.\"my.app\".limits]\ncost = 1\n[agent.gemini]\nmodel = \"pro\"\nprogram = \"/opt/gemini\"\n\
         [agent]\nthinking_budget = \"12k\"\n",
    )
    .unwrap();
    let Layers { general, agents, kinds, repositories } = &loaded.config.layers;
    assert_eq!(general.thinking, Some(Thinking::Budget(12_000)));
    assert_eq!(agents["gemini"].model.as_deref(), Some("pro"));
    assert_eq!(loaded.config.agent.program(BackendId::Gemini), Some(&PathBuf::from("/opt/gemini")));
    let plan = &kinds[&JobKind::Plan];
    assert_eq!((plan.agent.clone(), plan.limits.turns), (Some(BackendId::Codex.into()), Some(Say::To(7))));
    let app = &repositories["my.app"];
    assert_eq!((app.model.as_deref(), app.limits.cost), (Some("m"), Some(Say::To(MicroDollars(1_000_000)))));
    let shown: Vec<(String, String)> = loaded.config.of_sections().collect();
    let keys: Vec<&str> = shown.iter().map(|(key, _)| key.as_str()).collect();
    let wanted = [
        "agent.gemini.model",
        "kind.plan.agent",
        "kind.plan.limits.turns",
        "repository.my.app.model",
        "repository.my.app.limits.cost",
    ];
    assert_eq!(keys, wanted);
    for key in wanted.into_iter().chain(["agent.program.gemini", "agent.thinking_budget"]) {
        assert!(loaded.origins.contains_key(key), "{key}");
    }
}

#[test]
fn every_setting_of_a_section_has_a_variable() {
    let value = |setting: &LayerSetting| match (setting.key, setting.kind) {
        ("agent" | "backup_agent", _) => "codex",
        ("billing", _) => "key",
        ("effort" | "backup_effort", _) => "high",
        (_, "time" | "time, or none") => "7m",
        (_, kind) if kind.contains("number") || kind.contains("dollars") => "7",
        _ => "seven",
    };
    for section in Section::of_variables() {
        for setting in LAYER_SETTINGS.iter().filter(|setting| section.has(setting)) {
            let key = format!("{}.{}", section.key(), setting.key);
            let env = Environment::of([(variable(&key), value(setting))], Path::new("/"));
            let mut loaded = Loaded::default();
            loaded.apply_environment(&env).unwrap();
            let shown: Vec<_> = loaded.config.of_sections().collect();
            assert_eq!(shown, [(key.clone(), value(setting).to_owned())]);
            assert_eq!(loaded.origins.keys().collect::<Vec<_>>(), [&key]);
        }
    }
}

#[test]
fn two_ways_to_say_the_same_replace_each_other_and_do_not_stand_together() {
    let mut loaded = from_text("[kind.plan]\neffort = \"low\"\n").unwrap();
    let env = Environment::of([("OVERNIGHT_KIND_PLAN_THINKING_BUDGET", "5")], Path::new("/"));
    loaded.apply_environment(&env).unwrap();
    assert_eq!(loaded.config.layers.kinds[&JobKind::Plan].thinking, Some(Thinking::Budget(5)));
    assert_eq!(loaded.origins.keys().collect::<Vec<_>>(), ["kind.plan.thinking_budget"]);
    let both = [("OVERNIGHT_AGENT_EFFORT", "low"), ("OVERNIGHT_AGENT_THINKING_BUDGET", "5")];
    let env = Environment::of(both, Path::new("/"));
    assert!(matches!(Loaded::default().apply_environment(&env), Err(ConfigError::Together(_))));
}

#[test]
fn what_is_documented_as_built_in_is_what_a_job_gets() {
    let host =
        Host { env: BTreeMap::new(), home: None, root: false, secrets: Vec::new(), self_exe: "/x".into() };
    let advice = Advice::of(&Config::default(), &host);
    let nothing = Layer::default();
    let sources = advice.sources(&nothing, &nothing, About { repository: "", kind: JobKind::Implement });
    let shown =
        shown::settings(&advice.resolve(&sources, &(BackendId::Claude.into(), JobOrigin::Default)).settings);
    for setting in shown {
        let general = ["agent.", ""].map(|section| format!("{section}{}", setting.key));
        let general = general.iter().find_map(|key| Setting::find(key));
        if let (Some(general), Some(value)) = (general, setting.value) {
            assert_eq!(value, general.default, "{}", setting.key);
        }
    }
}

/// The example of the documentation, and what is said there about it.
#[test]
fn the_documented_sections_come_to_what_is_documented() {
    let docs = include_str!("../../../../docs/configuration.md");
    let sections = docs.split_once("## Settings for some jobs").unwrap().1;
    let example = sections.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let config = from_text(example).unwrap().config;
    let host =
        Host { env: BTreeMap::new(), home: None, root: false, secrets: Vec::new(), self_exe: "/x".into() };
    let advice = Advice::of(&config, &host);
    let nothing = Layer::default();
    let sources = advice.sources(&nothing, &nothing, About { repository: "app", kind: JobKind::Plan });
    let settings = advice.resolve(&sources, &sources.agent().unwrap()).settings;
    let found = |key: &str| {
        let of = shown::settings(&settings).into_iter().find(|setting| setting.key == key).unwrap();
        (of.value.unwrap_or_default(), of.origin.unwrap())
    };
    assert_eq!(found("agent"), ("claude".into(), JobOrigin::Default));
    assert_eq!(found("limits.attempts"), ("2".into(), JobOrigin::Default));
    assert_eq!(found("model"), ("claude-opus-4-5".into(), JobOrigin::Kind));
    assert_eq!(found("limits.turns"), ("20".into(), JobOrigin::Kind));
    assert_eq!(found("effort"), ("high".into(), JobOrigin::Repository));
    assert_eq!(found("backup_agent"), ("codex".into(), JobOrigin::Repository));
    assert_eq!(found("backup_model"), ("gpt-5.5".into(), JobOrigin::Agent));
    assert_eq!(found("backup_patience"), ("1h".into(), JobOrigin::Repository));
    let can = overnight_agents::capabilities(BackendId::Codex);
    assert_eq!(overnight_core::policy::budget::unenforceable(&settings.limits, can), []);
}

#[test]
fn stronger_layers_win() {
    let mut loaded = from_text("[limits]\nattempts = 4\ncost = 1\n").unwrap();
    loaded.apply_files(&[("user.toml".into(), "[limits]\ncost = 2\n".to_owned())]).unwrap();
    let env = Environment::of([("OVERNIGHT_LIMITS_COST", "none")], Path::new("/"));
    loaded.apply_environment(&env).unwrap();
    let limits = &loaded.config.layers.general.limits;
    assert_eq!((limits.attempts, limits.cost), (Some(4), Some(Say::Off)));
    assert_eq!(loaded.origins["limits.cost"], Origin::Variable("OVERNIGHT_LIMITS_COST".to_owned()));
}

#[test]
fn a_named_file_replaces_the_usual_ones_and_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    std::fs::create_dir_all(home.join(".config/overnight")).unwrap();
    std::fs::write(home.join(".config/overnight/config.toml"), "[limits]\nattempts = 9\n").unwrap();
    let env = Environment::of([("HOME", home.as_os_str())], dir.path());
    let attempts = |global: &Global| load(global, &env).unwrap().config.layers.general.limits.attempts;
    assert_eq!(attempts(&Global::default()), Some(9));
    let none = Global { no_config: true, ..Global::default() };
    assert_eq!(attempts(&none), None);
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
    for setting in LAYER_SETTINGS {
        wanted.push(format!("| `<section>.{}` | {} | {} |", setting.key, setting.kind, setting.about));
    }
    for setting in ACCOUNT_SETTINGS {
        wanted.push(format!(
            "| `agent.accounts.<vendor>.<name>.{}` | {} | {} |",
            setting.key, setting.kind, setting.about
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
