//! Agents that are described: each speaks its own words, and an order keeps the description it was made with.

use super::*;
use crate::agent::Adapter;
use crate::agent::adapter::{AdapterName, Argv, Protocol};

/// An agent of this name that is started by these words.
fn described(name: &str, words: &[&str]) -> Agent {
    Agent::from(Adapter {
        name: AdapterName::parse(name).unwrap(),
        argv: Argv::parse(words.iter().copied()).unwrap(),
        env: Vec::new(),
        login_env: Vec::new(),
        protocol: Protocol::Cli(Box::default()),
    })
}

#[test]
fn the_words_of_a_layer_fit_only_the_very_adapter_that_it_speaks_of() {
    let (one, other) = (described("one", &["one"]), described("other", &["other"]));
    let again = described("one", &["one", "--new"]);
    for (chosen, applies) in [(&one, true), (&other, false), (&again, false)] {
        for layers in [in_general(of(one.clone(), "m")), in_kind(of(one.clone(), "m"))] {
            let found = Case::with_agent(chosen.clone(), layers).settings();
            assert!(chosen.is_of(&found.agent));
            assert_eq!(found.agent.model.as_deref(), applies.then_some("m"), "{chosen:?}");
        }
    }
    // Both are talked to by the same driver, whose section is no adapter's.
    let driver = in_agent(BackendId::Adapter, model("m"));
    assert_eq!(Case::with_agent(one, driver).settings().agent.model, None);
}

#[test]
fn an_adapter_that_a_layer_names_works_and_takes_over() {
    let one = described("one", &["one"]);
    let layers = Layers { general: backed_up(one.clone(), Some("b")), ..in_kind(of(one.clone(), "m")) };
    let found = Case::new(layers).settings();
    assert_eq!((found.agent.model.as_deref(), found.choice.origin(name::AGENT)), (Some("m"), Origin::Kind));
    let backup = found.choice.backup.unwrap();
    assert!(one.is_of(&found.agent) && one.is_of(&backup.agent));
    assert_eq!(backup.agent.model.as_deref(), Some("b"));
}

#[test]
fn a_worker_keeps_the_description_that_was_ordered() {
    let (ordered, own) = (described("one", &["one"]), described("one", &["one", "--new"]));
    let order = Case::new(in_general(Layer {
        agent: Some(ordered.clone()),
        model: Some("m".into()),
        ..backed_up(ordered.clone(), Some("b"))
    }));
    let worker = Case::new(in_general(Layer {
        agent: Some(own.clone()),
        model: Some("new".into()),
        silence: Some(Duration::from_secs(7)),
        ..backed_up(own, Some("new"))
    }));
    let found = worker.claimed(&order.order());
    let backup = found.choice.backup.unwrap();
    assert!(ordered.is_of(&found.agent) && ordered.is_of(&backup.agent));
    assert_eq!((found.agent.model.as_deref(), backup.agent.model.as_deref()), (Some("m"), Some("b")));
    assert_eq!(found.agent.silence, Duration::from_secs(7), "what is no word of the agent's holds");
}
