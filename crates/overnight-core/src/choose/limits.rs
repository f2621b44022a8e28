//! The limits among the settings. What the orderer resolved is never loosened.

use crate::job::{JobLimits, JobSpec, Origin};

use super::layer::{LimitLayer, Say, name};
use super::resolve::{Level, Origins};

/// The limits that these levels give. `ordered`: what the orderer resolved. `turns`: where nobody says anything.
pub(super) fn limits(
    levels: &[Level<'_>],
    ordered: Option<&JobSpec>,
    turns: Option<u32>,
    origins: &mut Origins,
) -> JobLimits {
    let before = ordered.map(|spec| &spec.limits);
    let mut limits = before.cloned().unwrap_or_default();
    let mut pick = Pick { levels, ordered, origins };
    limits.attempts = pick
        .one(
            name::ATTEMPTS,
            |layer| layer.attempts.map(Say::To),
            before.map(|limits| Some(limits.attempts)),
            None,
        )
        .unwrap_or(limits.attempts);
    limits.cost = pick.one(name::COST, |layer| layer.cost, before.map(|limits| limits.cost), None);
    limits.tokens = pick.one(name::TOKENS, |layer| layer.tokens, before.map(|limits| limits.tokens), None);
    limits.turns = pick.one(name::TURNS, |layer| layer.turns, before.map(|limits| limits.turns), turns);
    limits.time_ms = pick.one(name::TIME, |layer| layer.time_ms, before.map(|limits| limits.time_ms), None);
    limits
}

struct Pick<'a> {
    levels: &'a [Level<'a>],
    ordered: Option<&'a JobSpec>,
    origins: &'a mut Origins,
}

impl Pick<'_> {
    /// `before`: what the orderer resolved, if that is known; `built_in` counts only where it is not.
    fn one<T: Copy + Ord>(
        &mut self,
        name: &'static str,
        read: impl Fn(&LimitLayer) -> Option<Say<T>>,
        before: Option<Option<T>>,
        built_in: Option<T>,
    ) -> Option<T> {
        let said = self
            .levels
            .iter()
            .find_map(|level| read(&level.layer.limits).map(|say| (say.value(), level.origin)));
        let before = before
            .map(|value| (value, self.ordered.map_or(Origin::Default, |spec| spec.choice.origin(name))));
        let (value, origin) = match (said, before) {
            (Some(said), Some(before)) => stricter(said, before),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => (built_in, Origin::Default),
        };
        self.origins.note(name, origin);
        value
    }
}

/// No limit is the loosest.
fn stricter<T: Copy + Ord>(said: (Option<T>, Origin), before: (Option<T>, Origin)) -> (Option<T>, Origin) {
    match (said.0, before.0) {
        (Some(new), Some(old)) if new < old => said,
        (Some(_), None) => said,
        (Some(_), Some(_)) | (None, _) => before,
    }
}
