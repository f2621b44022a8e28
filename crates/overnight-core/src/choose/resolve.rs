//! The resolver: layers in, settings with their origins out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::agent::{AgentSettings, BackendId, Capabilities, Effort};
use crate::job::{Backup, Choice, Configured, JobKind, JobSpec, Origin};

use super::built_in::{self, BACKUP_PATIENCE};
use super::layer::{Layer, Layers, Say, Thinking, name};
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
    pub usual: Option<BackendId>,
    /// What the orderer resolved, for the worker that claims the job.
    pub ordered: Option<&'a JobSpec>,
}

/// What there is to know of a backend on this machine.
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
    /// Whose words it speaks.
    of: Option<BackendId>,
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
    pub fn agent(&self) -> Option<(BackendId, Origin)> {
        if let Some(spec) = self.ordered {
            return Some((spec.agent.backend, spec.choice.origin(name::AGENT)));
        }
        let named = [
            (Some(self.task), Origin::Task),
            (Some(self.job), Origin::Job),
            (self.repository_layer(), Origin::Repository),
            (self.kind_layer(), Origin::Kind),
            (Some(&self.layers.general), Origin::Default),
        ];
        let named = named.into_iter().find_map(|(layer, origin)| Some((layer?.agent?, origin)));
        named.or_else(|| Some((self.usual?, Origin::Default)))
    }

    fn repository_layer(&self) -> Option<&'a Layer> {
        self.layers.repositories.get(self.repository)
    }

    fn kind_layer(&self) -> Option<&'a Layer> {
        self.layers.kinds.get(&self.kind)
    }

    /// All layers, strongest first, for the settings of `backend` in a job whose first agent is `first`.
    fn levels(&self, first: BackendId, backend: BackendId) -> Vec<Level<'a>> {
        let agent = |layer: Option<&Layer>| layer.and_then(|layer| layer.agent);
        let general = self.layers.general.agent.or(self.usual);
        let kind = agent(self.kind_layer()).or(general);
        let repository = agent(self.repository_layer()).or(kind);
        let all = [
            (Some(self.task), Origin::Task, Some(first)),
            (Some(self.job), Origin::Job, Some(first)),
            (self.repository_layer(), Origin::Repository, repository),
            (self.kind_layer(), Origin::Kind, kind),
            (self.layers.agents.get(backend.as_str()), Origin::Agent, Some(backend)),
            (Some(&self.layers.general), Origin::Default, general),
        ];
        all.into_iter().filter_map(|(layer, origin, of)| Some(Level { origin, layer: layer?, of })).collect()
    }
}

/// The settings of a job whose first agent is `backend`, because `origin` says so.
#[must_use]
pub fn resolve(
    sources: &Sources<'_>,
    (backend, origin): (BackendId, Origin),
    known: &dyn Fn(BackendId) -> Known,
) -> Resolved {
    let mut picking = Picking { sources, known, origins: Origins::default(), notes: Vec::new() };
    picking.origins.0.insert(name::AGENT.to_owned(), origin);
    let levels = sources.levels(backend, backend);
    let before = sources.ordered.map(|spec| &spec.agent);
    let agent = picking.agent(backend, &levels, &Own::default(), before);
    let backup = picking.backup(backend, &levels).map(Box::new);
    let turns = picking.turns(backend, backup.as_deref());
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
    known: &'a dyn Fn(BackendId) -> Known,
    origins: Origins,
    notes: Vec<String>,
}

impl Picking<'_> {
    /// `before`: the settings of the same backend as the orderer resolved them.
    fn agent(
        &mut self,
        backend: BackendId,
        levels: &[Level<'_>],
        own: &Own,
        before: Option<&AgentSettings>,
    ) -> AgentSettings {
        let known = (self.known)(backend);
        let mut settings = before.cloned().unwrap_or_else(|| AgentSettings::new(backend));
        let (model, effort) =
            if own.backup { (name::BACKUP_MODEL, name::BACKUP_EFFORT) } else { (name::MODEL, name::EFFORT) };
        let fitting: Vec<Level<'_>> =
            levels.iter().copied().filter(|level| level.of == Some(backend)).collect();
        let said = own.model.clone().or_else(|| first(&fitting, |layer| layer.model.clone()));
        self.put(model, said.map(some), &mut settings.model);
        let said = own.thinking.or_else(|| first(&fitting, |layer| layer.thinking));
        let said = said.map(|(thinking, origin)| (self.effort(thinking, backend, &known), origin));
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

    /// A level that was said stands, fitting or not; a budget becomes the nearest level that the backend has.
    fn effort(&mut self, thinking: Thinking, backend: BackendId, known: &Known) -> Option<Effort> {
        let wanted = match thinking {
            Thinking::Level(effort) => return Some(effort),
            Thinking::Budget(tokens) => Effort::for_budget(tokens)?,
        };
        let taken = nearest(wanted, known);
        if let Some(lower) = taken.filter(|taken| *taken != wanted) {
            let (wanted, lower) = (wanted.as_str(), lower.as_str());
            self.notes.push(format!("the {backend} agent has no effort {wanted}: {lower} is taken"));
        }
        // Without any level this is refused with the rest of what does not fit.
        taken.or(Some(wanted))
    }

    /// Built in only where whoever may work can keep it.
    fn turns(&self, backend: BackendId, backup: Option<&Backup>) -> Option<u32> {
        let keeps = |backend: BackendId| (self.known)(backend).can.turns;
        let kept = keeps(backend) && backup.is_none_or(|backup| keeps(backup.agent.backend));
        built_in::turns(self.sources.kind).filter(|_| kept)
    }

    fn backup(&mut self, backend: BackendId, levels: &[Level<'_>]) -> Option<Backup> {
        let before = self.sources.ordered.and_then(|spec| spec.choice.backup.as_deref());
        let mut named = before.map(|before| before.agent.backend);
        let said = first(levels, |layer| layer.backup.agent);
        self.put(name::BACKUP_AGENT, said.map(|(say, origin)| (say.value(), origin)), &mut named);
        let named = named?;
        // Whose words each layer speaks of the backup, from the weakest on.
        let mut of = None;
        let mut fitting: Vec<Level<'_>> = Vec::new();
        for level in levels.iter().rev() {
            of = level.layer.backup.agent.map_or(of, Say::value);
            if of == Some(named) {
                fitting.insert(0, *level);
            }
        }
        let own = Own {
            backup: true,
            model: first(&fitting, |layer| layer.backup.model.clone()),
            thinking: first(&fitting, |layer| layer.backup.thinking),
        };
        let before = before.filter(|before| before.agent.backend == named);
        let levels_of_named = self.sources.levels(backend, named);
        let agent = self.agent(named, &levels_of_named, &own, before.map(|before| &before.agent));
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

/// The highest level that the backend has and that is not above this one.
fn nearest(wanted: Effort, known: &Known) -> Option<Effort> {
    known.efforts.iter().copied().filter(|level| *level <= wanted).max()
}

/// Dropped where the backend has no levels: nobody asked for it.
fn built_in_effort(kind: JobKind, known: &Known) -> Option<Effort> {
    match built_in::thinking(kind)? {
        Thinking::Level(effort) => nearest(effort, known),
        Thinking::Budget(tokens) => nearest(Effort::for_budget(tokens)?, known),
    }
}
