//! Orders from arguments and configuration.

use overnight_core::agent::Billing;
use overnight_core::git::CommitId;
use overnight_core::job::{Base, Choice, Publication};
use overnight_core::units::MicroDollars;

use super::*;

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
        limits: JobLimits::default(),
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
    assert_eq!(named_agent(&command, &config).unwrap(), Some(BackendId::Command.into()));
    let same = AgentArgs { agent: Some("command".into()), ..command.clone() };
    assert_eq!(named_agent(&same, &config).unwrap(), Some(BackendId::Command.into()));
    let acp = AgentArgs { acp: Some("gemini --acp".into()), ..AgentArgs::default() };
    let spoken = named_agent(&acp, &config).unwrap().unwrap();
    let both = AgentArgs { agent: Some("acp".into()), ..acp };
    assert_eq!(named_agent(&both, &config).unwrap(), Some(spoken.clone()));
    assert_eq!((spoken.backend, spoken.name()), (BackendId::Acp, "acp-gemini"));
    let bare = agent(&BackendId::Acp.into(), &AgentArgs::default(), &config, Path::new("/"));
    assert_eq!(bare.unwrap_err().what, "the acp agent needs a command");
    let wrong = AgentArgs { agent: Some("claude".into()), ..command };
    let error = named_agent(&wrong, &config).unwrap_err();
    assert_eq!(error.what, "--command belongs to the command agent, but --agent names claude");
}

#[test]
fn configured_settings_go_only_to_agents_that_have_them() {
    let mut config = Config::default();
    config.agent.model = Some("m".into());
    config.agent.billing = Billing::Key;
    let args = AgentArgs { command: Some("sed -i 's/a b/c/' f".into()), ..AgentArgs::default() };
    let settings = agent(&BackendId::Command.into(), &args, &config, Path::new("/")).unwrap();
    assert_eq!((settings.model, settings.command.len()), (None, 4));
    let settings = agent(&BackendId::Claude.into(), &AgentArgs::default(), &config, Path::new("/")).unwrap();
    assert_eq!(settings.model.as_deref(), Some("m"));
    assert!(agent(&BackendId::Rehearsal.into(), &AgentArgs::default(), &config, Path::new("/")).is_err());
}

#[test]
fn a_flag_the_agent_has_no_use_for_is_refused() {
    let args = OrderArgs {
        agent: AgentArgs { model: Some("m".into()), ..AgentArgs::default() },
        ..OrderArgs::default()
    };
    let spec = changed(&order(BackendId::Command), &args, &Config::default(), Path::new("/")).unwrap();
    assert!(check_enforceable(&spec, false).is_err());
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
    let args = OrderArgs {
        verify: VerifyArgs { check_timeout: Some(Duration::from_secs(5)), ..VerifyArgs::default() },
        limits: LimitArgs { attempts: Some(7), ..LimitArgs::default() },
        ..OrderArgs::default()
    };
    let before = order(BackendId::Command);
    let after = changed(&before, &args, &Config::default(), Path::new("/")).unwrap();
    assert_eq!(after.verify, VerifyRequest::FromRepository { timeout: Duration::from_secs(5) });
    let undone = JobSpec { verify: before.verify.clone(), limits: before.limits.clone(), ..after };
    assert_eq!(undone, before);
}
