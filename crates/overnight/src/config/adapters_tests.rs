use std::path::Path;

use overnight_core::agent::adapter::{Counted, ExitMeaning, Hole, PromptWay, Protocol};
use overnight_core::choose::Say;
use overnight_core::job::JobKind;
use proptest::prelude::*;

use crate::agents;
use crate::config::{Config, ConfigError, Environment, Loaded};
use crate::error::AppError;

fn from_text(text: &str) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    loaded.apply_files(&[("config.toml".into(), text.to_owned())])?;
    Ok(loaded)
}

fn refusal(text: &str) -> String {
    AppError::from(from_text(text).unwrap_err()).render()
}

#[test]
fn a_whole_adapter_is_read() {
    let loaded = from_text(
        "[agent.adapters.aider]\nargv = [\"aider\", \"--yes\", \"--model\", \"{model}\"]\n\
         resume = [\"aider\", \"--resume\", \"{session}\"]\noutput = \"jsonl\"\nenv = [\"OPENAI_API_KEY\"]\nlogin_env = \"AIDER_HOME\"\n\
         [agent.adapters.aider.fields]\nsession = \"session_id\"\nresult = [\"result\", \"answer.0.text\"]\ncounted = \"session\"\n\
         [agent.adapters.aider.exits]\n53 = \"max_turns\"\n\
         [agent.adapters.mine]\nprotocol = \"acp\"\nargv = [\"mine\", \"--acp\"]\n",
    )
    .unwrap();
    let adapters = &loaded.config.agent.adapters;
    let [aider, mine] = adapters.values().collect::<Vec<_>>()[..] else { panic!("not two: {adapters:?}") };
    let Protocol::Cli(cli) = &aider.protocol else { panic!("no CLI: {aider:?}") };
    assert!(
        aider.argv.has(Hole::Model) && cli.resume.as_ref().is_some_and(|resume| resume.has(Hole::Session))
    );
    assert_eq!(
        (aider.env.as_slice(), aider.login_env.as_slice()),
        (["OPENAI_API_KEY".to_owned()].as_slice(), ["AIDER_HOME".to_owned()].as_slice())
    );
    assert_eq!(
        (cli.prompt, cli.fields.counted, cli.fields.result.len()),
        (PromptWay::Stdin, Counted::Session, 2)
    );
    assert_eq!(cli.exits, [(53, ExitMeaning::MaxTurns)]);
    assert_eq!((mine.protocol.clone(), mine.argv.program()), (Protocol::Acp, "mine"));
    assert_eq!(loaded.origins["agent.adapters.mine"].to_string(), "config.toml:13");
}

#[test]
fn a_stronger_file_replaces_an_adapter_whole() {
    let mut loaded = from_text("[agent.adapters.a]\nargv = [\"x\"]\nenv = [\"KEY\"]\n").unwrap();
    let user = "[agent.adapters.a]\nargv = [\"y\"]\n".to_owned();
    loaded.apply_files(&[("user.toml".into(), user)]).unwrap();
    let adapter = loaded.config.agent.adapters.values().next().unwrap();
    assert_eq!((adapter.argv.program(), adapter.env.len()), ("y", 0));
}

#[test]
fn every_section_can_name_an_adapter_whichever_file_describes_it() {
    let weak = "[agent]\ndefault = \"a\"\nbackup_agent = \"b\"\n[kind.plan]\nagent = \"b\"\n\
                [agent.adapters.a]\nargv = [\"old\"]\n";
    let strong = "[agent.adapters.a]\nargv = [\"a\"]\n[agent.adapters.b]\nprotocol = \"acp\"\nargv = [\"b\"]\n\
                  [repository.app]\nbackup_agent = \"a\"\n";
    let mut loaded = Loaded::default();
    loaded
        .apply_files(&[("weak.toml".into(), weak.to_owned()), ("user.toml".into(), strong.to_owned())])
        .unwrap();
    let variable = [("OVERNIGHT_KIND_REVIEW_AGENT", "b"), ("OVERNIGHT_KIND_REVIEW_BACKUP_AGENT", "none")];
    loaded.apply_environment(&Environment::of(variable, Path::new("/"))).unwrap();
    let Config { layers, agent, .. } = &loaded.config;
    let program = |name: &str| agents::find(name, agent).unwrap().adapter.unwrap().argv.program().to_owned();
    assert_eq!((program("a"), program("b")), ("a".to_owned(), "b".to_owned()), "the stronger file counts");
    let (a, b) = (agents::find("a", agent), agents::find("b", agent));
    assert_eq!((&layers.general.agent, &layers.kinds[&JobKind::Plan].agent), (&a, &b));
    assert_eq!(layers.general.backup.agent, b.clone().map(Say::To));
    assert_eq!(layers.repositories["app"].backup.agent, a.map(Say::To));
    let review = &layers.kinds[&JobKind::Review];
    assert_eq!((&review.agent, &review.backup.agent), (&b, &Some(Say::Off)));
    let shown: Vec<(String, String)> = loaded.config.of_sections().collect();
    assert!(shown.contains(&("kind.plan.agent".to_owned(), "b".to_owned())), "{shown:?}");
    let unknown = Environment::of([("OVERNIGHT_AGENT_DEFAULT", "c")], Path::new("/"));
    assert!(matches!(loaded.apply_environment(&unknown), Err(ConfigError::Variable { .. })));
}

#[test]
fn mistakes_are_shown_with_their_line() {
    let in_a = |lines: &str| format!("[agent.adapters.a]\n{lines}\n");
    let cli = |lines: &str| in_a(&format!("argv = [\"x\"]\n{lines}"));
    let all = [
        "[agent.adapters.claude]\nargv = [\"x\"]\n".to_owned(),
        "[agent.adapters.A]\nargv = [\"x\"]\n".to_owned(),
        "[agent]\nadapters = 1\n".to_owned(),
        "[agent.adapters]\na = 1\n".to_owned(),
        in_a("output = \"text\""),
        cli("promt = \"stdin\""),
        cli("prompt = \"stdn\""),
        cli("output = 1"),
        in_a("argv = \"x --yes\""),
        in_a("argv = [\"x\", \"{modle}\"]"),
        in_a("argv = []"),
        in_a("argv = [\"x\", 1]"),
        cli("prompt = \"file\""),
        in_a("argv = [\"x\", \"{prompt}\"]"),
        cli("resume = [\"x\", \"--continue\"]"),
        cli("resume = [\"x\", \"{session}\"]"),
        cli("env = [\"GITHUB_TOKEN\"]"),
        cli("login_env = [\"A B\"]"),
        cli("fields.session = \"id\""),
        cli("output = \"json\"\nfields.sesion = \"id\""),
        cli("output = \"json\"\nfields.session = \"a..b\""),
        cli("exits.256 = \"crashed\""),
        cli("exits.1 = \"overload\""),
        cli("protocol = \"acp\"\noutput = \"json\""),
        in_a("protocol = \"acp\"\nargv = [\"x\", \"{session}\"]"),
        "[agent.adapters.none]\nargv = [\"x\"]\n".to_owned(),
        cli("[agent]\ndefault = \"b\""),
        "[agent.adapters.worker]\nargv = [\"x\"]\n[kind.plan]\nbackup_agent = \"wroker\"\n".to_owned(),
        "[agent.acp]\nmodel = \"m\"\n".to_owned(),
        cli("[agent.a]\nmodel = \"m\""),
    ];
    insta::assert_snapshot!(all.map(|text| refusal(&text)).join("\n"));
}

proptest! {
    /// Whatever stands in such a table: an error or an adapter, never a panic.
    #[test]
    fn no_table_breaks_the_reader(key in "[a-z_.]{0,16}", value in "[ -~é]{0,30}") {
        let _ = from_text(&format!("[agent.adapters.a]\nargv = [\"x\"]\n{key} = {value}\n")).map_err(|error| AppError::from(error).render());
        let _ = from_text(&format!("[agent.adapters.a]\nargv = [\"x\", '''{value}''']\n")).map_err(|error| AppError::from(error).render());
    }
}
