//! What the first worker makes of an order, and when two orders are the same one.

use super::*;

#[test]
fn a_worker_with_the_same_layers_changes_nothing() {
    let layers = Layers {
        general: Layer { model: Some("g".into()), ..backed_up(CODEX, Some("b")) },
        kinds: in_kind(Layer { thinking: Some(Thinking::Budget(12_000)), ..Layer::default() }).kinds,
        ..in_repository(Layer {
            limits: LimitLayer { cost: Some(Say::To(MicroDollars(5))), ..LimitLayer::default() },
            ..Layer::default()
        })
    };
    for kind in JobKind::ALL {
        let case = Case { kind, job: model("asked"), ..Case::new(layers.clone()) };
        assert_eq!(case.claimed(&case.order()), case.settings(), "{kind}");
    }
}

#[test]
fn a_worker_changes_what_it_says_something_about_and_nobody_asked_for() {
    let orderer = Layers {
        agents: in_agent(CLAUDE, Layer { permission_mode: Some("dontAsk".into()), ..Layer::default() })
            .agents,
        ..in_repository(Layer { thinking: Some(Thinking::Level(Effort::High)), ..model("theirs") })
    };
    let order = Case { job: Layer { billing: Some(Billing::Key), ..Layer::default() }, ..Case::new(orderer) };
    let worker = Layer { billing: Some(Billing::Subscription), ..model("ours") };
    let found = Case::new(in_general(worker)).claimed(&order.order());
    assert_eq!(found.agent.model.as_deref(), Some("ours"));
    assert_eq!(found.choice.origin(name::MODEL), Origin::Default);
    assert_eq!(found.agent.billing, Billing::Key, "asked for");
    assert_eq!(found.agent.effort, Some(Effort::High), "the worker says nothing");
    assert_eq!(found.choice.origin(name::EFFORT), Origin::Repository);
    assert_eq!(found.agent.permission_mode.as_deref(), Some("dontAsk"));
}

#[test]
fn a_worker_never_changes_the_backend() {
    let order = Case::new(in_general(of(CLAUDE, "m"))).order();
    let worker = Case { usual: Some(CODEX.into()), ..Case::new(in_general(of(CODEX, "gpt"))) };
    let found = worker.claimed(&order);
    assert_eq!((found.agent.backend, found.agent.model.as_deref()), (CLAUDE, Some("m")));
}

#[test]
fn a_worker_tightens_limits_and_never_loosens_them() {
    let limits = |cost: i64, tokens: Option<u64>, attempts| LimitLayer {
        attempts: Some(attempts),
        cost: Some(Say::To(MicroDollars(cost))),
        tokens: Some(Say::of(tokens)),
        ..LimitLayer::default()
    };
    let with = |limits| in_general(Layer { limits, ..Layer::default() });
    let order = Case::new(in_kind(Layer { limits: limits(5, Some(100), 2), ..Layer::default() })).order();
    let found = Case::new(with(limits(9, None, 9))).claimed(&order);
    assert_eq!(found.limits, order.limits);
    assert_eq!(found.choice.origin(name::COST), Origin::Kind);
    let found =
        Case::new(with(LimitLayer { turns: Some(Say::To(7)), ..limits(1, Some(10), 1) })).claimed(&order);
    let wanted = JobLimits {
        attempts: 1,
        cost: Some(MicroDollars(1)),
        tokens: Some(10),
        turns: Some(7),
        time_ms: None,
    };
    assert_eq!(found.limits, wanted);
    assert_eq!(found.choice.origin(name::COST), Origin::Default);
}

#[test]
fn limits_that_were_asked_for_stay_whatever_the_worker_says() {
    let asked = LimitLayer { cost: Some(Say::To(MicroDollars(5))), ..LimitLayer::default() };
    let order = Case { job: Layer { limits: asked, ..Layer::default() }, ..Case::new(Layers::default()) };
    let worker = LimitLayer { cost: Some(Say::To(MicroDollars(1))), ..LimitLayer::default() };
    let worker = Case::new(in_general(Layer { limits: worker, ..Layer::default() }));
    assert_eq!(worker.claimed(&order.order()).limits.cost, Some(MicroDollars(5)));
}

#[test]
fn a_workers_backup_replaces_one_that_nobody_asked_for() {
    let order = Case::new(in_general(backed_up(CODEX, Some("gpt")))).order();
    let worker = Case::new(in_kind(backed_up(BackendId::Gemini, Some("pro"))));
    let backup = worker.claimed(&order).choice.backup.unwrap();
    assert_eq!((backup.agent.backend, backup.agent.model.as_deref()), (BackendId::Gemini, Some("pro")));
    let silent = Case::new(Layers::default());
    assert_eq!(silent.claimed(&order).choice, order.choice);
    let asked = Case { job: backed_up(CODEX, Some("gpt")), ..silent };
    let backup = worker.claimed(&asked.order()).choice.backup.unwrap();
    assert_eq!((backup.agent.backend, backup.agent.model.as_deref()), (CODEX, Some("gpt")));
}

#[test]
fn two_orders_ask_the_same_whatever_a_configuration_made_of_them() {
    let asked = |name: &str, layers| Case { job: model(name), ..Case::new(layers) }.order();
    let one = asked("m", Layers::default());
    let other_configuration = Layer {
        limits: LimitLayer { attempts: Some(9), ..LimitLayer::default() },
        silence: Some(Duration::from_secs(1)),
        ..backed_up(CODEX, None)
    };
    let same = asked("m", in_general(other_configuration));
    assert!(one.asks_the_same(&same) && same.asks_the_same(&one));
    assert!(!one.asks_the_same(&asked("other", Layers::default())));
    let other_prompt = JobSpec { prompt: "another".to_owned(), ..one.clone() };
    assert!(!one.asks_the_same(&other_prompt));
    // An order of a version that kept no origins is what it is.
    let old = one.clone().with_settings(Configured { choice: Default::default(), ..one.settings() });
    assert!(old.asks_the_same(&one) && one.asks_the_same(&old));
    assert!(!old.asks_the_same(&same));
}
