//! The resolver: layers in, settings with their origins out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::agent::{Agent, AgentSettings, Capabilities, Effort};
use crate::job::{Backup, Choice, Configured, JobKind, JobSpec, Origin};

use super::built_in::{self, BACKUP_PATIENCE};
use super::layer::{Layer, Layers, Thinking, name};
use super::limits;

/// Everybody who says something about a job.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub task: &'a Layer,
    pub job: &'a Layer,
    /// Name of the repository.
    pub repository: &'a str,
    pub kind: JobKind,
    pub layers: &'a Layers,
    /// Who works where nobody names an agent: the first one installed.
    pub usual: Option<&'a Agent>,
    /// What the orderer resolved, for the worker that claims the job.
    pub ordered: Option<&'a JobSpec>,
}

/// What there is to know of an agent on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub can: Capabilities,
    /// Its levels of effort, lowest first.
    pub efforts: &'static [Effort],
    /// Its program, where one is configured.
    pub program: Option<PathBuf>,
}

/// What the layers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub settings: Configured,
    /// What was taken instead of what was said, for people.
    pub notes: Vec<String>,
}

/// A layer in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level<'a> {
    pub(super) origin: Origin,
    pub(super) layer: &'a Layer,
    /// Whether it speaks of the agent whose settings are looked for, and so in words that this one understands.
    fits: bool,
}

/// Where the settings came from, as far as it is not what everything has.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn note(&mut self, name: &str, origin: Origin) {
        if origin != Origin::Default {
            self.0.insert(name.to_owned(), origin);
        }
    }
}

impl<'a> Sources<'a> {
    /// Who works, and who says so. `None`: nobody names an agent, and none is usual.
    #[must_use]
    pub fn agent(&self) -> Option<(Agent, Origin)> {
        if let Some(spec) = self.ordered {
            return Some((Agent::of(&spec.agent), spec.choice.origin(name::AGENT)));
        }
        let named = [
            (Some(self.task), Origin::Task),
            (Some(self.job), Origin::Job),
            (self.repository_layer(), Origin::Repository),
            (self.kind_layer(), Origin::Kind),
            (Some(&self.layers.general), Origin::Default),
        ];
        let named = named.into_iter().find_map(|(layer, origin)| Some((layer?.agent.clone()?, origin)));
        named.or_else(|| Some((self.usual.cloned()?, Origin::Default)))
    }

    fn repository_layer(&self) -> Option<&'a Layer> {
        self.layers.repositories.get(self.repository)
    }

    fn kind_layer(&self) -> Option<&'a Layer> {
        self.layers.kinds.get(&self.kind)
    }

    /// All layers, strongest first, for the settings of `agent` in a job whose first agent is `first`.
    fn levels(&self, first: &Agent, agent: &Agent) -> Vec<Level<'a>> {
        let named = |layer: Option<&'a Layer>| layer.and_then(|layer| layer.agent.as_ref());
        let general = self.layers.general.agent.as_ref().or(self.usual);
        let kind = named(self.kind_layer()).or(general);
        let repository = named(self.repository_layer()).or(kind);
        let all = [
            (Some(self.task), Origin::Task, Some(first)),
            (Some(self.job), Origin::Job, Some(first)),
            (self.repository_layer(), Origin::Repository, repository),
            (self.kind_layer(), Origin::Kind, kind),
            (self.layers.agents.get(agent.name()), Origin::Agent, Some(agent)),
            (Some(&self.layers.general), Origin::Default, general),
        ];
        let level = |(layer, origin, of): (Option<&'a Layer>, Origin, Option<&Agent>)| {
            Some(Level { origin, layer: layer?, fits: of == Some(agent) })
        };
        all.into_iter().filter_map(level).collect()
    }
}

/// The settings of a job whose first agent is `first`, because `origin` says so.
#[must_use]
pub fn resolve(
    sources: &Sources<'_>,
    (first, origin): &(Agent, Origin),
    known: &dyn Fn(&Agent) -> Known,
) -> Resolved {
    let mut picking = Picking { sources, known, origins: Origins::default(), notes: Vec::new() };
    picking.origins.0.insert(name::AGENT.to_owned(), *origin);
    let levels = sources.levels(first, first);
    let before = sources.ordered.map(|spec| &spec.agent);
    let agent = picking.agent(first, &levels, &Own::default(), before);
    let backup = picking.backup(first, &levels).map(Box::new);
    let turns = picking.turns(first, backup.as_deref());
    let limits = limits::limits(&levels, sources.ordered, turns, &mut picking.origins);
    let Picking { origins, notes, .. } = picking;
    let choice = Choice { kind: sources.kind, backup, origins: origins.0, frozen: false };
    Resolved { settings: Configured { agent, limits, choice }, notes }
}

/// What is said of a backup alone, and so goes before the rest.
#[derive(Debug, Default)]
struct Own {
    backup: bool,
    model: Option<(String, Origin)>,
    thinking: Option<(Thinking, Origin)>,
}

struct Picking<'a> {
    sources: &'a Sources<'a>,
    known: &'a dyn Fn(&Agent) -> Known,
    origins: Origins,
    notes: Vec<String>,
}

impl Picking<'_> {
    /// `before`: the settings of the same agent as the orderer resolved them.
    fn agent(
        &mut self,
        agent: &Agent,
        levels: &[Level<'_>],
        own: &Own,
        before: Option<&AgentSettings>,
    ) -> AgentSettings {
        let known = (self.known)(agent);
        let mut settings = before.cloned().unwrap_or_else(|| agent.settings());
        let (model, effort) =
            if own.backup { (name::BACKUP_MODEL, name::BACKUP_EFFORT) } else { (name::MODEL, name::EFFORT) };
        let fitting: Vec<Level<'_>> = levels.iter().copied().filter(|level| level.fits).collect();
        let said = own.model.clone().or_else(|| first(&fitting, |layer| layer.model.clone()));
        self.put(model, said.map(some), &mut settings.model);
        let said = own.thinking.or_else(|| first(&fitting, |layer| layer.thinking));
        let said = said.map(|(thinking, origin)| (self.effort(thinking, agent, &known), origin));
        if said.is_none() && before.is_none() {
            settings.effort = built_in_effort(self.sources.kind, &known);
        }
        self.put(effort, said, &mut settings.effort);
        // Of a backup only what is its own is told.
        let told = |name: &'static str| if own.backup { "" } else { name };
        let said = first(&fitting, |layer| layer.permission_mode.clone());
        self.put(told(name::PERMISSION_MODE), said.map(some), &mut settings.permission_mode);
        let said = first(&fitting, |layer| layer.allowed_tools.clone());
        self.put(told(name::ALLOWED_TOOLS), said, &mut settings.allowed_tools);
        let said = first(&fitting, |layer| layer.disallowed_tools.clone());
        self.put(told(name::DISALLOWED_TOOLS), said, &mut settings.disallowed_tools);
        self.put(told(name::BILLING), first(levels, |layer| layer.billing), &mut settings.billing);
        self.put(told(name::SILENCE), first(levels, |layer| layer.silence), &mut settings.silence);
        let said = first(levels, |layer| layer.silence_busy);
        self.put(told(name::SILENCE_BUSY), said, &mut settings.silence_busy);
        self.put(told(name::LEAVE), first(levels, |layer| layer.leave), &mut settings.leave);
        self.put(told(name::GRACE), first(levels, |layer| layer.grace), &mut settings.grace);
        let said = first(levels, |layer| layer.compact_after).map(|(say, origin)| (say.value(), origin));
        self.put(told(name::COMPACT_AFTER), said, &mut settings.compact_after);
        if known.program.is_some() {
            settings.program = known.program;
        }
        settings
    }

    /// Takes what is said; otherwise the value stays, with the origin it was ordered with.
    fn put<T>(&mut self, name: &'static str, said: Option<(T, Origin)>, place: &mut T) {
        let origin = match said {
            Some((value, origin)) => {
                *place = value;
                origin
            }
            None => self.ordered_origin(name),
        };
        if !name.is_empty() {
            self.origins.note(name, origin);
        }
    }

    fn ordered_origin(&self, name: &str) -> Origin {
        self.sources.ordered.map_or(Origin::Default, |spec| spec.choice.origin(name))
    }

    /// A level that was said stands, fitting or not; a budget becomes the nearest level that the agent has.
    fn effort(&mut self, thinking: Thinking, agent: &Agent, known: &Known) -> Option<Effort> {
        let wanted = match thinking {
            Thinking::Level(effort) => return Some(effort),
            Thinking::Budget(tokens) => Effort::for_budget(tokens)?,
        };
        let taken = nearest(wanted, known);
        if let Some(lower) = taken.filter(|taken| *taken != wanted) {
            let (name, wanted, lower) = (agent.name(), wanted.as_str(), lower.as_str());
            self.notes.push(format!("the {name} agent has no effort {wanted}: {lower} is taken"));
        }
        // Without any level this is refused with the rest of what does not fit.
        taken.or(Some(wanted))
    }

    /// Built in only where whoever may work can keep it.
    fn turns(&self, first: &Agent, backup: Option<&Backup>) -> Option<u32> {
        let keeps = |agent: &Agent| (self.known)(agent).can.turns;
        let kept = keeps(first) && backup.is_none_or(|backup| keeps(&Agent::of(&backup.agent)));
        built_in::turns(self.sources.kind).filter(|_| kept)
    }

    fn backup(&mut self, first_agent: &Agent, levels: &[Level<'_>]) -> Option<Backup> {
        let before = self.sources.ordered.and_then(|spec| spec.choice.backup.as_deref());
        let ordered = before.map(|before| Agent::of(&before.agent));
        let mut named = ordered.clone();
        let said = first(levels, |layer| layer.backup.agent.clone());
        self.put(name::BACKUP_AGENT, said.map(|(say, origin)| (say.value(), origin)), &mut named);
        let named = named?;
        // A worker that describes the same name in another way does not change the description that was ordered.
        let named = ordered.filter(|ordered| ordered.name() == named.name()).unwrap_or(named);
        // Whose words each layer speaks of the backup, from the weakest on.
        let mut of = None;
        let mut fitting: Vec<Level<'_>> = Vec::new();
        for level in levels.iter().rev() {
            of = level.layer.backup.agent.as_ref().map_or(of, |say| say.as_ref().value());
            if of == Some(&named) {
                fitting.insert(0, *level);
            }
        }
        let own = Own {
            backup: true,
            model: first(&fitting, |layer| layer.backup.model.clone()),
            thinking: first(&fitting, |layer| layer.backup.thinking),
        };
        let before = before.filter(|before| named.is_of(&before.agent));
        let levels_of_named = self.sources.levels(first_agent, &named);
        let agent = self.agent(&named, &levels_of_named, &own, before.map(|before| &before.agent));
        let mut patience = before.map_or(BACKUP_PATIENCE, |before| before.patience);
        self.put(name::BACKUP_PATIENCE, first(levels, |layer| layer.backup.patience), &mut patience);
        Some(Backup { agent, patience })
    }
}

/// The strongest that says something.
fn first<T>(levels: &[Level<'_>], read: impl Fn(&Layer) -> Option<T>) -> Option<(T, Origin)> {
    levels.iter().find_map(|level| read(level.layer).map(|value| (value, level.origin)))
}

fn some<T>((value, origin): (T, Origin)) -> (Option<T>, Origin) {
    (Some(value), origin)
}

/// The highest level that the agent has and that is not above this one.
fn nearest(wanted: Effort, known: &Known) -> Option<Effort> {
    known.efforts.iter().copied().filter(|level| *level <= wanted).max()
}

/// Dropped where the agent has no levels: nobody asked for it.
fn built_in_effort(kind: JobKind, known: &Known) -> Option<Effort> {
    match built_in::thinking(kind)? {
        Thinking::Level(effort) => nearest(effort, known),
        Thinking::Budget(tokens) => nearest(Effort::for_budget(tokens)?, known),
    }
}
