//! What an agent gives no way to do, by name. The one list of it: the table and `docs/backends.md` quote it.

use super::agent::Agent;
use super::columns::Column;

pub(super) struct Gap {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) cells: &'static [(Agent, Column)],
}

pub(super) const GAPS: [Gap; 1] = [Gap {
    name: "no-session",
    text: "a program without a protocol has no session: each turn starts afresh, with the feedback in its prompt.",
    cells: &[(Agent::Command, Column::Resume)],
}];

/// The gap that explains a cell.
pub(super) fn of(agent: Agent, column: Column) -> Option<&'static Gap> {
    GAPS.iter().find(|gap| gap.cells.contains(&(agent, column)))
}
