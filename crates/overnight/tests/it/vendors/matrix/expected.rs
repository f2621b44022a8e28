//! What each cell has to be.

use super::agent::Agent;
use super::columns::Column;

pub(super) fn of(_agent: Agent, _column: Column) -> &'static str {
    "?"
}
