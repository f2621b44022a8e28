//! What an agent gives no way to do, by name. The one list of it: the table and `docs/backends.md` quote it.

use super::agent::Agent;
use super::columns::Column;

pub(super) struct Gap {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) cells: &'static [(Agent, Column)],
}

pub(super) const GAPS: [Gap; 8] = [
    Gap {
        name: "no-session",
        text: "a program without a protocol has no session: each turn starts afresh, with the feedback in its prompt.",
        cells: &[(Agent::Command, Column::Resume)],
    },
    Gap {
        name: "no-turns",
        text: "a program without a protocol tells no turns: a limit on them is refused before anything is queued.",
        cells: &[(Agent::Command, Column::MaxTurns)],
    },
    Gap {
        name: "no-vendor",
        text: "a program without a protocol says nothing of its vendor: only exit status 75 (EX_TEMPFAIL) means trouble that passes, every \
               other failure is an attempt.",
        cells: &[
            (Agent::Command, Column::Unauthorized),
            (Agent::Command, Column::QuotaWithReset),
            (Agent::Command, Column::Quota),
            (Agent::Command, Column::ServerError),
            (Agent::Command, Column::Overloaded),
        ],
    },
    Gap {
        name: "no-reset",
        text: "with a key, the CLI does not hand on when the quota comes back: one job asks again after 30 s, then ever later.",
        cells: &[(Agent::Claude, Column::QuotaWithReset), (Agent::Codex, Column::QuotaWithReset)],
    },
    Gap {
        name: "waits-mute",
        text: "a long retry-after is waited out without a word, which cannot be told from a hang: the turn ends after agent.silence and is \
               an attempt.",
        cells: &[(Agent::Qwen, Column::QuotaWithReset)],
    },
    Gap {
        name: "no-status",
        text: "the CLI asks for ever and logs that its requests fail, but not with which status: a used-up quota waits as an overload \
               does, from agent.silence on.",
        cells: &[(Agent::Opencode, Column::QuotaWithReset), (Agent::Opencode, Column::Quota)],
    },
    Gap {
        name: "no-loop-guard",
        text: "nothing notices a model that goes round in circles with tool calls: it is ended by limits (--max-turns, --max-time, \
               --max-cost), and one that is silent and busy by agent.silence_busy.",
        cells: &[
            (Agent::Claude, Column::EndlessLoop),
            (Agent::Codex, Column::EndlessLoop),
            (Agent::Opencode, Column::EndlessLoop),
            (Agent::Rehearsal, Column::EndlessLoop),
            (Agent::Command, Column::EndlessLoop),
        ],
    },
    Gap {
        name: "mute-question",
        text: "a question of the agent's does not stand in the output: it looks like a turn that changed nothing.",
        cells: &[(Agent::Codex, Column::Question), (Agent::Command, Column::Question)],
    },
];

/// The gap that explains a cell.
pub(super) fn of(agent: Agent, column: Column) -> Option<&'static Gap> {
    GAPS.iter().find(|gap| gap.cells.contains(&(agent, column)))
}
