//! Orders from arguments and configuration.

use std::collections::BTreeMap;

use overnight_core::agent::Billing;
use overnight_core::git::CommitId;
use overnight_core::job::{Base, Choice, JobKind, JobLimits, Publication};
use overnight_core::units::MicroDollars;
use overnight_engine::Host;

use super::*;
use crate::choose::{About, Advice};
use crate::cli::run_args::LimitArgs;
use crate::config::Loaded;

fn order(backend: BackendId) -> JobSpec {
    JobSpec {
        title: "t".into(),
        prompt: "p".into(),
        source: "/r".into(),
        ordered_in: None,
        base: Base::Commit { commit: CommitId::parse(&"a".repeat(40)).unwrap(), branch: None },
        publication: Publication::LocalBranch { repository: "/r".into() },
        verify: VerifyRequest::FromRepository { timeout: Duration::from_secs(1800) },
        accept_base_failures: false,
        agent: AgentSettings { command: vec!["true".into()], ..AgentSettings::new(backend) },
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: Default::default(),
        author: "A <a@b.c>".into(),
    }
}

#[test]
fn a_title_is_the_first_line_that_says_something() {
    assert_eq!(title(None, "\n---\n## Fix the door\n\nIt squeaks"), "Fix the door");
    assert_eq!(title(Some("Mine"), "x"), "Mine");
    assert!(title(None, &"x".repeat(500)).chars().count() <= MAX_TITLE);
}

#[test]
fn prompts_that_say_nothing_are_refused() {
    for bad in ["", "  \n", "---", "a\0b", &"x".repeat(MAX_PROMPT + 1)] {
        assert!(check_prompt(bad).is_err());
    }
    assert!(check_prompt(&"x".repeat(1 << 20)).is_ok());
}

#[test]
fn a_command_or_a_script_names_its_agent() {
    let command = AgentArgs { command: Some("x".into()), ..AgentArgs::default() };
    let config = Config::default();
    assert_eq!(named_agent(&command, &config.agent).unwrap(), Some(BackendId::Command.into()));
    let same = AgentArgs { agent: Some("command".into()), ..command.clone() };
    assert_eq!(named_agent(&same, &config.agent).unwrap(), Some(BackendId::Command.into()));
    let acp = AgentArgs { acp: Some("gemini --acp".into()), ..AgentArgs::default() };
    let spoken = named_agent(&acp, &config.agent).unwrap().unwrap();
    let both = AgentArgs { agent: Some("acp".into()), ..acp };
    assert_eq!(named_agent(&both, &config.agent).unwrap(), Some(spoken.clone()));
    assert_eq!((spoken.backend, spoken.name()), (BackendId::Acp, "acp-gemini"));
    let bare = resolved(&agent_args("acp"), &config, None);
    assert_eq!(bare.unwrap_err().what, "the acp agent needs a command");
    let wrong = AgentArgs { agent: Some("claude".into()), ..command };
    let error = named_agent(&wrong, &config.agent).unwrap_err();
    assert_eq!(error.what, "--command belongs to the command agent, but --agent names claude");
}

/// What these arguments come to with this configuration, on a machine where nothing is installed.
fn resolved(args: &OrderArgs, config: &Config, earlier: Option<&JobSpec>) -> Result<Configured, AppError> {
    let host = Host {
        env: BTreeMap::new(),
        home: None,
        root: false,
        secrets: Vec::new(),
        self_exe: "/bin/true".into(),
    };
    let advice = Advice::of(config, &host);
    let asked = match earlier {
        Some(earlier) => asked_again(earlier, args, &config.agent)?,
        None => asked(args, &config.agent)?,
    };
    let task = Layer::default();
    let sources = advice.sources(&task, &asked, About { repository: "app", kind: JobKind::Implement });
    let settings = advice.resolve(&sources, &sources.agent().expect("an agent")).settings;
    completed(settings, &args.agent, earlier.map(|earlier| &earlier.agent), Path::new("/"))
}

fn agent_args(agent: &str) -> OrderArgs {
    OrderArgs {
        agent: AgentArgs { agent: Some(agent.to_owned()), ..AgentArgs::default() },
        ..OrderArgs::default()
    }
}

#[test]
fn a_configured_model_is_no_hindrance_to_another_agent() {
    let mut config = Config::default();
    config.layers.general.agent = Some(BackendId::Claude.into());
    config.layers.general.model = Some("m".into());
    config.layers.general.billing = Some(Billing::Key);
    let mut args = agent_args("command");
    args.agent.command = Some("sed -i 's/a b/c/' f".into());
    let settings = resolved(&args, &config, None).unwrap().agent;
    assert_eq!((settings.model, settings.command.len(), settings.billing), (None, 4, Billing::Key));
    let codex = resolved(&agent_args("codex"), &config, None).unwrap().agent;
    assert_eq!(codex.model, None);
    let settings = resolved(&OrderArgs::default(), &config, None).unwrap().agent;
    assert_eq!((settings.backend, settings.model.as_deref()), (BackendId::Claude, Some("m")));
    assert!(resolved(&agent_args("rehearsal"), &config, None).is_err(), "without a script");
}

#[test]
fn a_flag_the_agent_has_no_use_for_is_refused() {
    let mut args = agent_args("command");
    args.agent.command = Some("true".into());
    args.agent.model = Some("m".into());
    let settings = resolved(&args, &Config::default(), None).unwrap();
    assert!(check_enforceable(&order(BackendId::Command).with_settings(settings), false).is_err());
}

#[test]
fn who_takes_over_is_checked_like_who_begins() {
    let mut args = agent_args("claude");
    args.agent.backup_model = Some("m".into());
    let error = resolved(&args, &Config::default(), None).unwrap_err();
    assert_eq!(error.what, "--backup-model means nothing: no agent is to take over");
    args.agent.backup_agent = Some(Say::To("codex".into()));
    args.limits.max_cost = Some(MicroDollars(1));
    let settings = resolved(&args, &Config::default(), None).unwrap();
    let spec = order(BackendId::Claude).with_settings(settings);
    let error = check_enforceable(&spec, false).unwrap_err();
    assert_eq!(error.what, "the codex agent gives no way to keep --max-cost");
    args.agent.backup_agent = Some(Say::To("command".into()));
    args.agent.backup_model = None;
    assert!(resolved(&args, &Config::default(), None).is_err(), "without a command");
}

/// A configuration that describes an agent called `worker`, which takes a model and tells its tokens, and one called `plain`.
fn with_adapters() -> Config {
    let text = "[agent.adapters.worker]\nargv = ['worker', '--model', '{model}']\noutput = 'jsonl'\n\
                fields.input_tokens = 'input'\n[agent.adapters.plain]\nargv = ['plain']\n";
    let mut loaded = Loaded::default();
    loaded.apply_files(&[("config.toml".into(), text.to_owned())]).unwrap();
    loaded.config
}

#[test]
fn a_described_agent_is_chosen_and_checked_by_its_own_description() {
    let mut config = with_adapters();
    config.layers.general.agent = agents::find("worker", &config.agent);
    config.layers.general.model = Some("m".into());
    let mut args = OrderArgs::default();
    args.limits.max_tokens = Some(5);
    let settings = resolved(&args, &config, None).unwrap();
    assert_eq!((settings.agent.name(), settings.agent.model.as_deref()), ("worker", Some("m")));
    let spec = |settings: Configured| order(BackendId::Command).with_settings(settings);
    assert!(check_enforceable(&spec(settings), false).is_ok());
    args.agent.backup_agent = Some(Say::To("plain".into()));
    let error = check_enforceable(&spec(resolved(&args, &config, None).unwrap()), false).unwrap_err();
    assert_eq!(error.what, "the plain agent gives no way to keep --max-tokens");
    args.limits.max_tokens = None;
    let settings = resolved(&args, &config, None).unwrap();
    let backup = settings.choice.backup.clone().unwrap().agent;
    assert_eq!((backup.name(), backup.model.as_deref()), ("plain", None), "the model is the worker's");
    assert!(check_enforceable(&spec(settings), false).is_ok());
    args.agent.backup_model = Some("m".into());
    assert!(check_enforceable(&spec(resolved(&args, &config, None).unwrap()), false).is_err());
    args.agent.backup_agent = Some(Say::To("plian".into()));
    let error = resolved(&args, &config, None).unwrap_err().render();
    assert!(error.contains("did you mean plain?"), "{error}");
}

#[test]
fn a_retry_with_another_description_of_the_name_is_a_retry_with_another_agent() {
    let mut config = with_adapters();
    let mut args = agent_args("worker");
    args.agent.model = Some("m".into());
    let before = order(BackendId::Command).with_settings(resolved(&args, &config, None).unwrap());
    for adapter in config.agent.adapters.values_mut() {
        adapter.env.push("KEY".to_owned());
    }
    let same = resolved(&OrderArgs::default(), &config, Some(&before)).unwrap();
    assert_eq!(same.agent, before.agent, "nobody asks for another");
    let named = resolved(&agent_args("worker"), &config, Some(&before)).unwrap().agent;
    assert_eq!((named.name(), named.model.as_deref()), ("worker", None));
    assert_ne!(named.adapter, before.agent.adapter);
}

#[test]
fn a_limit_that_cannot_be_kept_is_refused_by_its_flag() {
    let mut spec = order(BackendId::Command);
    assert!(check_enforceable(&spec, false).is_ok());
    spec.limits.cost = Some(MicroDollars(1));
    spec.limits.tokens = Some(1);
    let error = check_enforceable(&spec, false).unwrap_err();
    assert_eq!(error.what, "the command agent gives no way to keep --max-cost and --max-tokens");
}

#[test]
fn a_retry_changes_what_it_names_and_nothing_else() {
    let args = VerifyArgs { check_timeout: Some(Duration::from_secs(5)), ..VerifyArgs::default() };
    let before = order(BackendId::Command);
    let after = changed(&before, &args, &Config::default()).unwrap();
    assert_eq!(after.verify, VerifyRequest::FromRepository { timeout: Duration::from_secs(5) });
    assert_eq!(JobSpec { verify: before.verify.clone(), ..after }, before);
    let args =
        OrderArgs { limits: LimitArgs { attempts: Some(7), ..LimitArgs::default() }, ..OrderArgs::default() };
    let settings = resolved(&args, &Config::default(), Some(&before)).unwrap();
    assert_eq!(settings.agent, before.agent);
    assert_eq!(settings.limits, JobLimits { attempts: 7, ..before.limits });
}

#[test]
fn a_retry_keeps_what_was_asked_for_and_resolves_the_rest_anew() {
    let mut config = Config::default();
    config.layers.general.agent = Some(BackendId::Claude.into());
    config.layers.general.model = Some("old".into());
    config.layers.general.limits.attempts = Some(5);
    let mut args = OrderArgs::default();
    args.agent.effort = Some(Effort::High);
    let before = order(BackendId::Claude).with_settings(resolved(&args, &config, None).unwrap());
    config.layers.general.model = Some("new".into());
    config.layers.general.thinking = Some(Thinking::Level(Effort::Low));
    let again = resolved(&OrderArgs::default(), &config, Some(&before)).unwrap();
    assert_eq!((again.agent.model.as_deref(), again.agent.effort), (Some("new"), Some(Effort::High)));
    // Another agent does not know the words of the first one.
    let codex = resolved(&agent_args("codex"), &config, Some(&before)).unwrap();
    assert_eq!((codex.agent.model, codex.agent.effort), (None, None));
    assert_eq!(codex.limits.attempts, 5);
}
