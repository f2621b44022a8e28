//! The one decision about a pull request.

use std::time::Duration;

use super::{
    About, Cause, Closer, Fate, LineStanding, Memory, MergePolicy, PersonNeeded, SeenChecks, Sight,
    WatchPolicy, looks_like_infrastructure, pace,
};
use crate::backlog::PullState;
use crate::git::CommitId;
use crate::text::one_line;

/// A failure is acted on when every check has ended, or after this long: one that hangs must not hide the others.
const HANGING: Duration = Duration::from_secs(30 * 60);
/// How long trouble of the checks' own machines is waited for, in the hope that somebody, or the forge, runs them again.
const EXCUSED: Duration = Duration::from_secs(10 * 60);

/// What is done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Nothing,
    /// It is not open any more.
    Over,
    /// A job that goes on with it.
    Continue {
        cause: Cause,
        round: u32,
    },
    /// A person is told, once.
    AskPerson(PersonNeeded),
    MarkReady,
    /// Merge exactly this commit.
    Merge {
        head: CommitId,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub act: Act,
    /// What is remembered once that is done.
    pub memory: Memory,
    /// Until the next look; `None`: there is none.
    pub pause: Option<Duration>,
}

/// Whether checks, reviews and the like are worth asking for.
#[must_use]
pub fn wants_all(state: PullState, fate: &Fate, line: LineStanding) -> bool {
    state == PullState::Open && *fate != Fate::Going && line != LineStanding::Going
}

/// What follows from what was seen.
#[must_use]
pub fn decide(policy: &WatchPolicy, before: &Memory, sight: &Sight) -> Decision {
    let mut memory = seen(before, sight);
    if sight.state != PullState::Open {
        memory.running = None;
        memory.person = None;
        return Decision { act: Act::Over, memory, pause: None };
    }
    let act = act(policy, before, &mut memory, sight);
    let same = act == Act::Nothing && is_still(before, &memory);
    memory.quiet = if same { before.quiet.saturating_add(1) } else { 0 };
    let pause = Some(pace::pause(policy, &memory));
    Decision { act, memory, pause }
}

/// What a look alone changes in the memory.
fn seen(before: &Memory, sight: &Sight) -> Memory {
    let mut memory = before.clone();
    memory.trouble = None;
    memory.draft = sight.draft;
    memory.line_goes_on = sight.line == LineStanding::Going;
    if memory.head != sight.head {
        memory.head.clone_from(&sight.head);
        (memory.checks, memory.failing_since, memory.excused) = (None, None, None);
        memory.person = None;
    }
    if sight.fate != Fate::Going {
        memory.running = None;
    }
    let Some(more) = &sight.more else { return memory };
    memory.checks = Some(more.checks.word());
    memory.conflict = more.conflict;
    if !matches!(more.checks, SeenChecks::Failed { .. }) {
        (memory.failing_since, memory.excused) = (None, None);
    }
    let gone = |person: &PersonNeeded| match person.about {
        About::Ci => matches!(more.checks, SeenChecks::Passed),
        About::Conflict => !more.conflict,
        About::Review | About::Merge => false,
    };
    if memory.person.as_ref().is_some_and(gone) {
        memory.person = None;
    }
    memory
}

/// Whether nothing that people would notice has changed.
fn is_still(before: &Memory, after: &Memory) -> bool {
    let facts = |memory: &Memory| (memory.head.clone(), memory.checks, memory.draft, memory.conflict);
    facts(before) == facts(after) && before.running == after.running && before.person == after.person
}

fn act(policy: &WatchPolicy, before: &Memory, memory: &mut Memory, sight: &Sight) -> Act {
    if let (Fate::Failed { why }, Some(running)) = (&sight.fate, &before.running) {
        let why =
            format!("{} was to {}, and ended: {}", running.key, errand(running.cause), one_line(why, 300));
        return ask(memory, running.cause.into(), why, sight);
    }
    let Some(more) = &sight.more else { return Act::Nothing };
    let mends = sight.head.is_some() && sight.head == sight.ours;
    if mends && more.conflict && !is_asked(memory, About::Conflict) {
        return go_on(policy, memory, sight, Cause::Conflict);
    }
    if more.heard.iter().any(|heard| !heard.approves || heard.path.is_some()) {
        memory.read_to.clone_from(&more.read_to);
        return go_on(policy, memory, sight, Cause::Review);
    }
    if let (true, SeenChecks::Failed { failing, waiting }) = (mends, &more.checks)
        && !is_asked(memory, About::Ci)
    {
        let texts = || failing.iter().filter_map(|one| one.text.as_deref());
        let excusable =
            failing.iter().all(|one| one.text.is_some()) && texts().all(looks_like_infrastructure);
        return if is_ripe(memory, sight, *waiting, excusable) {
            go_on(policy, memory, sight, Cause::Ci)
        } else {
            Act::Nothing
        };
    }
    if sight.draft && sight.draft_line && sight.line == LineStanding::Complete {
        return Act::MarkReady;
    }
    merge(policy, memory, sight, more)
}

fn errand(cause: Cause) -> &'static str {
    match cause {
        Cause::Ci => "mend the failing checks",
        Cause::Review => "answer the review",
        Cause::Conflict => "resolve the conflict with the target branch",
    }
}

fn is_asked(memory: &Memory, about: About) -> bool {
    memory.person.as_ref().is_some_and(|person| person.about == about)
}

/// Whether failing checks are acted on now.
fn is_ripe(memory: &mut Memory, sight: &Sight, waiting: usize, excusable: bool) -> bool {
    let since = *memory.failing_since.get_or_insert(sight.now);
    if waiting > 0 && sight.now.since(since) < HANGING {
        return false;
    }
    if !excusable {
        return true;
    }
    let Some(head) = &sight.head else { return true };
    let (_, from) = memory.excused.get_or_insert_with(|| (head.clone(), sight.now));
    sight.now.since(*from) >= EXCUSED
}

/// Another job, as long as there may be one for this cause; then a person.
fn go_on(policy: &WatchPolicy, memory: &mut Memory, sight: &Sight, cause: Cause) -> Act {
    let done = memory.rounds.of(cause);
    if done < policy.cap(cause) {
        memory.rounds.count(cause);
        if !matches!(cause, Cause::Review) {
            memory.person = None;
        }
        return Act::Continue { cause, round: done + 1 };
    }
    let what = match cause {
        Cause::Ci => "its checks still fail",
        Cause::Review => "there are new words of reviewers",
        Cause::Conflict => "it cannot be merged into its target branch",
    };
    let why = match done {
        0 => format!("{what}, and no job may be started for that (watch.{})", setting(cause)),
        1 => format!("{what} after 1 job that was to {}", errand(cause)),
        _ => format!("{what} after {done} jobs that were to {}", errand(cause)),
    };
    ask(memory, cause.into(), why, sight)
}

fn setting(cause: Cause) -> &'static str {
    match cause {
        Cause::Ci => "ci_fixes",
        Cause::Review => "review_rounds",
        Cause::Conflict => "conflict_fixes",
    }
}

fn ask(memory: &mut Memory, about: About, why: String, sight: &Sight) -> Act {
    let person = PersonNeeded { about, why, head: sight.head.clone(), since: sight.now };
    memory.person = Some(person.clone());
    Act::AskPerson(person)
}

fn merge(policy: &WatchPolicy, memory: &Memory, sight: &Sight, more: &Closer) -> Act {
    let whole = matches!(sight.line, LineStanding::Alone | LineStanding::Complete);
    let green = more.checks == SeenChecks::Passed && !more.conflict && !sight.draft;
    let agreed = !more.objected && (more.approved || !policy.needs_approval);
    let open = policy.merge == MergePolicy::WhenGreen && !is_asked(memory, About::Merge);
    match &sight.head {
        Some(head) if open && whole && green && agreed && sight.ours.as_ref() == Some(head) => {
            Act::Merge { head: head.clone() }
        }
        Some(_) | None => Act::Nothing,
    }
}

/// The forge does not let it be merged: a person has to look.
#[must_use]
pub fn not_merged(memory: Memory, why: String, now: crate::units::Timestamp) -> (Memory, PersonNeeded) {
    let person = PersonNeeded { about: About::Merge, why, head: memory.head.clone(), since: now };
    (Memory { person: Some(person.clone()), ..memory }, person)
}
