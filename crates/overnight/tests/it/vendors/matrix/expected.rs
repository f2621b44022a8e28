//! What each cell has to be: the turns of the job, how it ended or what it waits for, the attempts that count as failed, and
//! the processes that are left.

use super::agent::Agent;
use super::columns::Column;

const PUBLISHED: &str = "completed → published; 0 failed; 0 left";
const RESUMED: &str = "completed, completed, session resume → published; 1 failed; 0 left";
const TURNS: &str = "budget_stop (turns) → budget_turns; 0 failed; 0 left";
const OWN_TURNS: &str = "max_turns → budget_turns; 0 failed; 0 left";
const LOGIN: &str = "login_expired → waits: agent_login; 0 failed; 0 left";
const QUOTA: &str = "rate_limited → waits: rate_limited; 0 failed; 0 left";
const QUOTA_UNTIL: &str = "rate_limited → waits: rate_limited until its reset; 0 failed; 0 left";
const OVERLOADED: &str = "overloaded → waits: overloaded; 0 failed; 0 left";
const HUNG: &str = "timed_out (idle) → agent_timed_out; 1 failed; 0 left";
const BUSY: &str = "timed_out (busy) → agent_timed_out; 1 failed; 0 left";
const LOOPED: &str = "looped → agent_failed; 1 failed; 0 left";
const TIME: &str = "budget_stop (time) → budget_time; 0 failed; 0 left";
const CRASHED: &str = "crashed → agent_failed; 1 failed; 0 left";
const TAKEN_UP: &str = "interrupted, completed → published; 0 failed; 0 left";
const ASKED: &str = "completed → needs_input; 0 failed; 0 left";
const NO_CHANGES: &str = "completed → no_changes; 1 failed; 0 left";

/// One row, in the order of [`Agent::ALL`].
fn row(column: Column) -> [&'static str; 7] {
    let real = |cell, rehearsal, command| [cell, cell, cell, cell, cell, rehearsal, command];
    match column {
        Column::Success | Column::Flood | Column::FollowUp => real(PUBLISHED, PUBLISHED, PUBLISHED),
        Column::Resume => {
            let fresh = "completed, completed, session fresh → published; 1 failed; 0 left";
            real(RESUMED, RESUMED, fresh)
        }
        Column::MaxTurns => {
            let refused = "no turn → refused; 0 failed; 0 left";
            [OWN_TURNS, TURNS, TURNS, OWN_TURNS, TURNS, TURNS, refused]
        }
        Column::Unauthorized => real(LOGIN, LOGIN, CRASHED),
        Column::QuotaWithReset => [QUOTA, QUOTA, QUOTA_UNTIL, HUNG, OVERLOADED, QUOTA_UNTIL, CRASHED],
        Column::Quota => [QUOTA, QUOTA, QUOTA, QUOTA, OVERLOADED, QUOTA, CRASHED],
        Column::ServerError | Column::Overloaded => real(OVERLOADED, OVERLOADED, CRASHED),
        Column::Hang => real(HUNG, HUNG, HUNG),
        Column::EndlessLoop => [TIME, TIME, LOOPED, LOOPED, TIME, BUSY, BUSY],
        Column::Sigterm => real(TAKEN_UP, TAKEN_UP, TAKEN_UP),
        Column::Question => {
            let told = "needs_input → needs_input; 0 failed; 0 left";
            [ASKED, NO_CHANGES, ASKED, ASKED, ASKED, told, NO_CHANGES]
        }
    }
}

pub(super) fn of(agent: Agent, column: Column) -> &'static str {
    let at = Agent::ALL.iter().position(|one| *one == agent);
    at.and_then(|at| row(column).get(at).copied()).unwrap_or_default()
}
