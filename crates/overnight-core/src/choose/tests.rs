//! Layers in, settings and origins out.

mod adapters;
mod claims;

use std::time::Duration;

use super::*;
use crate::agent::{Agent, AgentSettings, BackendId, Billing, Capabilities, Effort};
use crate::job::tests_support;
use crate::job::{Configured, JobKind, JobLimits, JobSpec, Origin};
use crate::units::MicroDollars;

const CLAUDE: BackendId = BackendId::Claude;
const CODEX: BackendId = BackendId::Codex;
const NO_MAX: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh];

/// Claude can do everything, codex lacks one level of effort, the command can do nothing.
fn known(agent: &Agent) -> Known {
    let backend = agent.backend;
    let all = backend != BackendId::Command;
    let can = Capabilities {
        resume: all,
        tokens: all,
        turns: all,
        cost: all,
        model: all,
        effort: all,
        tool_lists: all,
        permission_mode: all,
    };
    let efforts: &'static [Effort] = match backend {
        BackendId::Claude => &Effort::ALL,
        BackendId::Command => &[],
        _ => NO_MAX,
    };
    Known { can, efforts, program: None }
}

fn model(name: &str) -> Layer {
    Layer { model: Some(name.to_owned()), ..Layer::default() }
}

fn of(agent: impl Into<Agent>, name: &str) -> Layer {
    Layer { agent: Some(agent.into()), ..model(name) }
}

/// What somebody who orders a job says, and where it is.
#[derive(Clone)]
struct Case {
    task: Layer,
    job: Layer,
    kind: JobKind,
    layers: Layers,
    usual: Option<Agent>,
}

impl Case {
    fn new(layers: Layers) -> Self {
        let nothing = Layer::default();
        Self {
            task: nothing.clone(),
            job: nothing,
            kind: JobKind::Implement,
            layers,
            usual: Some(CLAUDE.into()),
        }
    }

    fn with_agent(agent: impl Into<Agent>, layers: Layers) -> Self {
        let job = Layer { agent: Some(agent.into()), ..Layer::default() };
        Self { job, ..Self::new(layers) }
    }

    fn sources<'a>(&'a self, ordered: Option<&'a JobSpec>) -> Sources<'a> {
        let Self { task, job, kind, layers, usual } = self;
        Sources { task, job, repository: "app", kind: *kind, layers, usual: usual.as_ref(), ordered }
    }

    fn all(&self) -> Resolved {
        let sources = self.sources(None);
        resolve(&sources, &sources.agent().unwrap(), &known)
    }

    fn settings(&self) -> Configured {
        self.all().settings
    }

    fn order(&self) -> JobSpec {
        tests_support::spec().with_settings(self.settings())
    }

    /// What a worker with these layers makes of an order.
    fn claimed(&self, order: &JobSpec) -> Configured {
        let part = |which| Layer::of_job(order, move |origin| origin == which);
        let worker = Self { task: part(Origin::Task), job: part(Origin::Job), ..self.clone() };
        let sources = worker.sources(Some(order));
        resolve(&sources, &sources.agent().unwrap(), &known).settings
    }
}

fn in_kind(layer: Layer) -> Layers {
    Layers { kinds: [(JobKind::Implement, layer)].into(), ..Layers::default() }
}

fn in_repository(layer: Layer) -> Layers {
    Layers { repositories: [("app".to_owned(), layer)].into(), ..Layers::default() }
}

fn in_agent(agent: BackendId, layer: Layer) -> Layers {
    Layers { agents: [(agent.as_str().to_owned(), layer)].into(), ..Layers::default() }
}

fn in_general(layer: Layer) -> Layers {
    Layers { general: layer, ..Layers::default() }
}

#[test]
fn the_strongest_layer_that_says_something_wins() {
    let mut case = Case::new(Layers {
        general: model("general"),
        ..Layers {
            agents: in_agent(CLAUDE, model("agent")).agents,
            kinds: in_kind(model("kind")).kinds,
            ..in_repository(model("repository"))
        }
    });
    case.task = model("task");
    case.job = model("job");
    type Removal = fn(&mut Case);
    let removals: [(Removal, &str, Origin); 6] = [
        (|_| {}, "task", Origin::Task),
        (|case| case.task.model = None, "job", Origin::Job),
        (|case| case.job.model = None, "repository", Origin::Repository),
        (|case| case.layers.repositories.clear(), "kind", Origin::Kind),
        (|case| case.layers.kinds.clear(), "agent", Origin::Agent),
        (|case| case.layers.agents.clear(), "general", Origin::Default),
    ];
    for (remove, name, origin) in removals {
        remove(&mut case);
        let found = case.settings();
        assert_eq!(found.agent.model.as_deref(), Some(name));
        assert_eq!(found.choice.origin(name::MODEL), origin);
    }
}

#[test]
fn nothing_said_is_what_is_built_in() {
    let found = Case::new(Layers::default()).settings();
    assert_eq!(found.agent, AgentSettings::new(CLAUDE));
    assert_eq!(found.limits, JobLimits::default());
    assert_eq!((found.choice.backup.clone(), found.choice.frozen), (None, false));
    assert!(found.choice.is_known(), "the agent's origin is always there");
}

#[test]
fn vendors_words_hold_for_the_vendor_that_their_layer_speaks_of() {
    // Who is chosen by the job, what is configured, and whether the model applies.
    let table = [
        ("the usual agent", CLAUDE, in_general(model("m")), true),
        ("not the usual agent", CODEX, in_general(model("m")), false),
        ("the default agent", CODEX, in_general(of(CODEX, "m")), true),
        ("not the default agent", CLAUDE, in_general(of(CODEX, "m")), false),
        ("the kind's agent", CODEX, in_kind(of(CODEX, "m")), true),
        ("not the kind's agent", CLAUDE, in_kind(of(CODEX, "m")), false),
        ("the kind leaves it to the usual one", CLAUDE, in_kind(model("m")), true),
        ("and that is another", CODEX, in_kind(model("m")), false),
        ("the agent's own section", CODEX, in_agent(CODEX, model("m")), true),
        ("another agent's section", CLAUDE, in_agent(CODEX, model("m")), false),
        (
            "the repository leaves it to the kind",
            CODEX,
            Layers { kinds: in_kind(of(CODEX, "k")).kinds, ..in_repository(model("m")) },
            true,
        ),
    ];
    for (what, chosen, layers, applies) in table {
        let found = Case::with_agent(chosen, layers).settings();
        assert_eq!(found.agent.model.as_deref(), applies.then_some("m"), "{what}");
    }
}

#[test]
fn what_is_no_vendors_word_holds_for_every_agent() {
    let general = Layer {
        agent: Some(CLAUDE.into()),
        billing: Some(Billing::Key),
        silence: Some(Duration::from_secs(7)),
        permission_mode: Some("acceptEdits".to_owned()),
        allowed_tools: Some(vec!["Edit".to_owned()]),
        thinking: Some(Thinking::Level(Effort::Low)),
        ..Layer::default()
    };
    let found = Case::with_agent(CODEX, in_general(general)).settings().agent;
    assert_eq!((found.billing, found.silence), (Billing::Key, Duration::from_secs(7)));
    assert_eq!((found.permission_mode, found.effort), (None, None));
    assert_eq!(found.allowed_tools, Vec::<String>::new());
}

#[test]
fn the_agent_comes_from_the_strongest_layer_that_names_one() {
    let agent = |layers| {
        let case = Case::new(layers);
        case.sources(None).agent()
    };
    assert_eq!(agent(Layers::default()), Some((CLAUDE.into(), Origin::Default)));
    assert_eq!(agent(in_general(of(CODEX, "m"))), Some((CODEX.into(), Origin::Default)));
    assert_eq!(agent(in_kind(of(CODEX, "m"))), Some((CODEX.into(), Origin::Kind)));
    assert_eq!(agent(in_repository(of(CODEX, "m"))), Some((CODEX.into(), Origin::Repository)));
    let none = Case { usual: None, ..Case::new(Layers::default()) };
    assert_eq!(none.sources(None).agent(), None);
}

#[test]
fn a_budget_for_thinking_becomes_a_level() {
    let table = [
        (0, None),
        (1, Some(Effort::Medium)),
        (6_000, Some(Effort::Medium)),
        (6_001, Some(Effort::High)),
        (12_000, Some(Effort::High)),
        (24_000, Some(Effort::Xhigh)),
        (24_001, Some(Effort::Max)),
    ];
    for (tokens, effort) in table {
        let layer = Layer { thinking: Some(Thinking::Budget(tokens)), ..Layer::default() };
        let found = Case::new(in_general(layer)).all();
        assert_eq!((found.settings.agent.effort, found.notes.len()), (effort, 0), "{tokens}");
    }
}

#[test]
fn a_level_that_a_backend_lacks_becomes_the_next_lower_one_and_that_is_said() {
    let most =
        Layer { agent: Some(CODEX.into()), thinking: Some(Thinking::Budget(99_999)), ..Layer::default() };
    let found = Case::new(in_general(most)).all();
    assert_eq!(found.settings.agent.effort, Some(Effort::Xhigh));
    assert_eq!(found.notes, ["the codex agent has no effort max: xhigh is taken"]);
    // Named by its own name it stays, and is refused with what else does not fit.
    let named =
        Layer { agent: Some(CODEX.into()), thinking: Some(Thinking::Level(Effort::Max)), ..Layer::default() };
    assert_eq!(Case::new(in_general(named)).settings().agent.effort, Some(Effort::Max));
}

#[test]
fn no_thinking_in_a_strong_layer_goes_before_a_level_in_a_weak_one() {
    let level = Layer { thinking: Some(Thinking::Level(Effort::High)), ..Layer::default() };
    let none = Layer { thinking: Some(Thinking::Budget(0)), ..Layer::default() };
    let case = Case { job: none, ..Case::new(in_general(level)) };
    assert_eq!(case.settings().agent.effort, None);
    assert_eq!(case.claimed(&case.order()).agent.effort, None, "nor does a worker bring it back");
}

#[test]
fn a_kind_has_its_own_values_where_the_backend_can_keep_them() {
    let of_kind = |kind, agent| Case { kind, ..Case::with_agent(agent, Layers::default()) }.settings();
    let plan = of_kind(JobKind::Plan, CLAUDE);
    assert_eq!((plan.agent.effort, plan.limits.turns), (Some(Effort::Xhigh), Some(20)));
    assert_eq!(plan.choice.origin(name::TURNS), Origin::Default);
    let plain = of_kind(JobKind::Plan, BackendId::Command);
    assert_eq!((plain.agent.effort, plain.limits.turns), (None, None));
    for kind in [JobKind::Implement, JobKind::Sprint] {
        assert_eq!(of_kind(kind, CLAUDE).limits.turns, None, "{kind}");
    }
    for kind in JobKind::ALL {
        let agent = of_kind(kind, CLAUDE).agent;
        assert_eq!((agent.model, agent.permission_mode), (None, None), "{kind}");
    }
}

#[test]
fn a_configured_cap_stays_whoever_works_and_none_lifts_the_built_in_one() {
    let capped = |turns| Layer {
        limits: LimitLayer { turns: Some(turns), ..LimitLayer::default() },
        ..Layer::default()
    };
    let case = |turns, agent| {
        let layers = Layers { kinds: [(JobKind::Plan, capped(turns))].into(), ..Layers::default() };
        Case { kind: JobKind::Plan, ..Case::with_agent(agent, layers) }.settings().limits.turns
    };
    assert_eq!(case(Say::To(4), BackendId::Command), Some(4), "to be refused, not dropped");
    assert_eq!(case(Say::Off, CLAUDE), None);
}

#[test]
fn limits_are_taken_one_by_one() {
    let general = LimitLayer {
        attempts: Some(5),
        cost: Some(Say::To(MicroDollars(1))),
        time_ms: Some(Say::To(9)),
        ..LimitLayer::default()
    };
    let kind = LimitLayer { cost: Some(Say::Off), tokens: Some(Say::To(3)), ..LimitLayer::default() };
    let layers = Layers {
        general: Layer { limits: general, ..Layer::default() },
        ..in_kind(Layer { limits: kind, ..Layer::default() })
    };
    let found = Case::new(layers).settings();
    let wanted = JobLimits { attempts: 5, cost: None, tokens: Some(3), turns: None, time_ms: Some(9) };
    assert_eq!(found.limits, wanted);
    assert_eq!(found.choice.origin(name::COST), Origin::Kind);
    assert_eq!(found.choice.origin(name::TIME), Origin::Default);
}

fn backed_up(agent: impl Into<Agent>, name: Option<&str>) -> Layer {
    let model = name.map(str::to_owned);
    Layer {
        backup: BackupLayer { agent: Some(Say::To(agent.into())), model, ..BackupLayer::default() },
        ..Layer::default()
    }
}

#[test]
fn a_backup_has_its_own_model_else_that_of_its_vendor() {
    let layers = Layers {
        agents: in_agent(CODEX, Layer { permission_mode: Some("read-only".into()), ..model("of codex") })
            .agents,
        ..in_general(Layer {
            agent: Some(CLAUDE.into()),
            model: Some("of claude".into()),
            ..backed_up(CODEX, None)
        })
    };
    let backup = Case::new(layers.clone()).settings().choice.backup.unwrap();
    assert_eq!(backup.agent.model.as_deref(), Some("of codex"));
    assert_eq!(backup.agent.permission_mode.as_deref(), Some("read-only"));
    assert_eq!(backup.patience, BACKUP_PATIENCE);
    let own = Layers { kinds: in_kind(backed_up(CODEX, Some("own"))).kinds, ..layers.clone() };
    let found = Case::new(own).settings();
    assert_eq!(found.choice.backup.as_ref().unwrap().agent.model.as_deref(), Some("own"));
    assert_eq!(found.choice.origin(name::BACKUP_MODEL), Origin::Kind);
    // What the job asks of its agent is not asked of the backup.
    let asked = Case { job: model("asked"), ..Case::new(layers) }.settings();
    assert_eq!(asked.agent.model.as_deref(), Some("asked"));
    assert_eq!(asked.choice.backup.unwrap().agent.model.as_deref(), Some("of codex"));
}

#[test]
fn a_backups_model_holds_only_for_the_backup_that_its_layer_speaks_of() {
    let layers =
        Layers { general: backed_up(CODEX, Some("gpt")), ..in_kind(backed_up(BackendId::Gemini, None)) };
    let backup = Case::new(layers.clone()).settings().choice.backup.unwrap();
    assert_eq!((backup.agent.backend, backup.agent.model), (BackendId::Gemini, None));
    let none =
        Layer { backup: BackupLayer { agent: Some(Say::Off), ..BackupLayer::default() }, ..Layer::default() };
    let found = Case { job: none, ..Case::new(layers) };
    assert_eq!(found.settings().choice.backup, None);
    assert_eq!(found.settings().choice.origin(name::BACKUP_AGENT), Origin::Job);
    assert_eq!(found.claimed(&found.order()).choice.backup, None, "nor does a worker bring it back");
}

#[test]
fn the_same_vendor_may_take_over_with_another_model() {
    let layers = in_general(Layer { model: Some("large".into()), ..backed_up(CLAUDE, Some("small")) });
    let found = Case::new(layers).settings();
    assert_eq!(found.agent.model.as_deref(), Some("large"));
    assert_eq!(found.choice.backup.unwrap().agent.model.as_deref(), Some("small"));
}

#[test]
fn a_built_in_cap_is_dropped_where_the_backup_cannot_keep_it() {
    let layers = in_general(backed_up(BackendId::Command, None));
    let found = Case { kind: JobKind::Plan, ..Case::new(layers) }.settings();
    assert_eq!(found.limits.turns, None);
}
