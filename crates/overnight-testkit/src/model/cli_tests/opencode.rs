//! The real opencode CLI.

use super::{
    Stored, does_the_work, first_text, resumed_after_a_kill, signalled, terminated_while_the_model_hangs,
};
use crate::model::cli::{Cli, Run, Start, Vendor};
use crate::model::{ModelServer, RequestKind, Scenario};
use serde_json::{Value, json};

/// The parts of the lines of one kind.
fn parts(run: &Run, kind: &str) -> Vec<Value> {
    let of_kind = run.events().into_iter().filter(|event| event["type"] == kind);
    of_kind.map(|event| event["part"].clone()).collect()
}

#[tokio::test]
async fn writes_edits_and_commits() {
    let Some(cli) = Cli::or_skip(Vendor::Opencode, "opencode::writes_edits_and_commits").await else {
        return;
    };
    let steps = parts(&does_the_work(&cli, Start::default()).await, "step_finish");
    assert_eq!(steps.len(), 4);
    assert_eq!(steps[3]["reason"], "stop");
    assert_eq!(
        (&steps[3]["tokens"]["input"], &steps[3]["tokens"]["cache"]["read"]),
        (&json!(100), &json!(7))
    );
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_a_refused_key_ends_it() {
    let test = "opencode::a_rate_limit_is_waited_for_and_a_refused_key_ends_it";
    let Some(cli) = Cli::or_skip(Vendor::Opencode, test).await else { return };
    let server = ModelServer::start(Scenario::new().rate_limited(1).http(401)).await.unwrap();
    let run = cli.run(&Start { base_url: server.base_url(), ..Start::default() }).await;
    let end = run.events().pop().unwrap();
    assert_eq!((run.exit, end["type"].as_str()), (Some(1), Some("error")), "{}", run.stdout);
    assert_eq!(end["error"]["data"]["statusCode"], 401);
    let kinds: Vec<RequestKind> = server.requests().iter().map(|request| request.kind).collect();
    assert_eq!(server.main_requests(), 2, "{kinds:?}");
    assert!(kinds.contains(&RequestKind::Side), "the title of the session takes no step: {kinds:?}");
}

#[tokio::test]
async fn a_killed_session_can_be_resumed() {
    let Some(cli) = Cli::or_skip(Vendor::Opencode, "opencode::a_killed_session_can_be_resumed").await else {
        return;
    };
    let run = resumed_after_a_kill(&cli, |run| first_text(run, "sessionID"), Stored::AtOnce).await;
    assert_eq!(parts(&run, "step_finish").pop().unwrap()["reason"], "stop");
}

#[tokio::test]
async fn a_signal_ends_it_at_once_and_leaves_its_commands() {
    if Cli::is_missing(Vendor::Opencode, "opencode::a_signal_ends_it_at_once_and_leaves_its_commands") {
        return;
    }
    assert_eq!(signalled(Vendor::Opencode, "TERM").await, (None, true));
    let run = terminated_while_the_model_hangs(Vendor::Opencode).await;
    assert_eq!((run.exit, run.events().len()), (None, 0));
}
