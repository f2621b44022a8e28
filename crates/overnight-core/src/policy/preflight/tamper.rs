//! Tests that were removed, skipped or made to ask for less, and pipelines that fail less often: what makes checks pass without the work
//! being done. Every finding is evidence for a person, who may well find it right.
//!
//! Judged by lines, over the whole change: what only moved to another place is not removed. A changed expectation is none made weaker:
//! behaviour that is meant to change changes its tests.

mod languages;

use std::collections::BTreeMap;

use languages::Language;

use super::protected::is_ci;
use super::{Change, FileChange, Finding, Rule};

/// Removed tests that are named for one file.
const NAMED: usize = 5;

pub(super) fn findings(change: &Change) -> Vec<Finding> {
    let moved = Moved::of(change);
    let mut found = Vec::new();
    for file in &change.files {
        let name = file.name();
        if is_ci(&name) || languages::is_task_file(&name) {
            found.extend(laxer(file, &name, &moved));
        }
        let Some(language) = Language::of(&name) else { continue };
        let removed = removed_tests(file, &name, language, &moved);
        let gone = !removed.is_empty();
        found.extend(removed);
        if !file.is_gone() {
            found.extend(skipped(file, &name, language, &moved));
            if !gone {
                found.extend(weakened(file, &name, language, &moved));
            }
        }
    }
    found
}

/// What the change has on both sides: how often each line and each test was added and removed.
struct Moved {
    added: BTreeMap<String, u32>,
    removed: BTreeMap<String, u32>,
    tests_added: BTreeMap<String, u32>,
    takes_tests: bool,
}

impl Moved {
    fn of(change: &Change) -> Self {
        let mut moved = Self {
            added: BTreeMap::new(),
            removed: BTreeMap::new(),
            tests_added: BTreeMap::new(),
            takes_tests: false,
        };
        for file in &change.files {
            for (_, line) in file.added() {
                *moved.added.entry(line.trim().to_owned()).or_default() += 1;
            }
            for (_, line) in file.removed() {
                *moved.removed.entry(line.trim().to_owned()).or_default() += 1;
            }
            let Some(language) = Language::of(&file.name()) else { continue };
            for test in tests(file.added(), language) {
                *moved.tests_added.entry(test.name).or_default() += 1;
            }
            moved.takes_tests |= !tests(file.removed(), language).is_empty();
        }
        moved
    }

    fn was_there(&self, line: &str) -> bool {
        self.removed.contains_key(line.trim())
    }

    fn is_still_there(&self, line: &str) -> bool {
        self.added.contains_key(line.trim())
    }
}

struct Test {
    name: String,
    line: u32,
    text: String,
}

/// Tests among these lines. Where an attribute makes one, the function behind it gives the name.
fn tests<'a>(lines: impl Iterator<Item = (u32, &'a str)>, language: Language) -> Vec<Test> {
    let mut found = Vec::new();
    let mut marked: Option<(u32, String)> = None;
    for (number, text) in lines {
        if language.is_comment(text) {
            continue;
        }
        if language.marks_test(text) {
            if let Some((line, text)) = marked.replace((number, text.to_owned())) {
                found.push(Test { name: String::new(), line, text });
            }
            continue;
        }
        if let Some(name) = language.named_test(text) {
            found.push(Test { name, line: number, text: text.to_owned() });
        } else if let Some(name) = marked.as_ref().and_then(|_| language.function(text)) {
            marked = None;
            found.push(Test { name, line: number, text: text.to_owned() });
        }
    }
    if let Some((line, text)) = marked {
        found.push(Test { name: String::new(), line, text });
    }
    found
}

fn removed_tests(file: &FileChange, name: &str, language: Language, moved: &Moved) -> Vec<Finding> {
    let before = tests(file.removed(), language);
    let after = tests(file.added(), language);
    let elsewhere = |test: &&Test| test.name.is_empty() || !moved.tests_added.contains_key(&test.name);
    let gone: Vec<&Test> = before.iter().filter(elsewhere).collect();
    let new = after.iter().filter(|test| !before.iter().any(|known| known.name == test.name)).count();
    // As many that are new stand for others that got another name.
    let count = gone.len().saturating_sub(new);
    if count == 0 {
        return Vec::new();
    }
    let what = if file.is_gone() { "the file is gone, and with it" } else { "removed:" };
    let tests = if count == 1 { "a test".to_owned() } else { format!("{count} tests") };
    let tell = |test: &&Test| {
        let called = if test.name.is_empty() { String::new() } else { format!(" ({})", test.name) };
        let finding = Finding::new(Rule::TestRemoved, name, format!("{what} {tests}{called}"));
        finding.at(test.line).evidence(Some(&test.text), None)
    };
    gone.iter().take(NAMED.min(count)).map(tell).collect()
}

fn skipped(file: &FileChange, name: &str, language: Language, moved: &Moved) -> Vec<Finding> {
    // A test that is new and skipped takes nothing away, unless it stands for one that was removed.
    if file.is_new() && !moved.takes_tests {
        return Vec::new();
    }
    let skips = |text: &str| language.skips(text) && !language.is_comment(text) && !moved.was_there(text);
    let tell = |(line, text): (u32, &str)| {
        Finding::new(Rule::TestSkipped, name, "a test is not run any more")
            .at(line)
            .evidence(None, Some(text))
    };
    file.added().filter(|(_, text)| skips(text)).map(tell).take(NAMED).collect()
}

fn weakened(file: &FileChange, name: &str, language: Language, moved: &Moved) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_test = language.is_test_file(name);
    let counts = |text: &str| language.asserts(text) && !language.is_comment(text);
    let (mut fewer, mut first): (i64, Option<(u32, &str)>) = (0, None);
    for hunk in &file.hunks {
        let gone: Vec<(u32, &str)> = (hunk.old_start..)
            .zip(hunk.removed.iter().map(String::as_str))
            .filter(|(_, text)| counts(text) && !moved.is_still_there(text))
            .collect();
        let new: Vec<(u32, &str)> = (hunk.new_start..)
            .zip(hunk.added.iter().map(String::as_str))
            .filter(|(_, text)| counts(text) && !moved.was_there(text))
            .collect();
        for ((_, before), (line, after)) in gone.iter().zip(&new) {
            if language.strength(after) < language.strength(before) {
                let finding =
                    Finding::new(Rule::TestWeakened, name, "an assertion asks for less than before");
                found.push(finding.at(*line).evidence(Some(before), Some(after)));
            }
        }
        for (line, after) in new.iter().skip(gone.len()).filter(|(_, text)| language.strength(text) == 0) {
            // In a new file it replaces nothing.
            if !file.is_new() {
                let finding = Finding::new(Rule::TestWeakened, name, "an assertion that always holds");
                found.push(finding.at(*line).evidence(None, Some(after)));
            }
        }
        fewer += i64::try_from(gone.len()).unwrap_or(i64::MAX) - i64::try_from(new.len()).unwrap_or(i64::MAX);
        if let Some(lost) = gone.get(new.len()) {
            first.get_or_insert(*lost);
        }
    }
    // Assertions of the code itself come and go with it.
    if let (true, true, Some((line, before))) = (is_test, fewer > 0, first) {
        let assertions =
            if fewer == 1 { "an assertion was".to_owned() } else { format!("{fewer} assertions were") };
        let finding = Finding::new(Rule::TestWeakened, name, format!("{assertions} removed"));
        found.push(finding.at(line).evidence(Some(before), None));
    }
    found.truncate(NAMED);
    found
}

fn laxer(file: &FileChange, name: &str, moved: &Moved) -> Vec<Finding> {
    let ci = is_ci(name);
    let mut found = Vec::new();
    for (line, text) in file.added().filter(|(_, text)| !moved.was_there(text)) {
        if languages::forgives(text, ci) {
            let finding = Finding::new(Rule::CiLaxer, name, "a failure does not count any more");
            found.push(finding.at(line).evidence(None, Some(text)));
        }
    }
    let lost = |(_, text): &(u32, &str)| ci && languages::is_step(text) && !moved.is_still_there(text);
    let steps: Vec<(u32, &str)> = file.removed().filter(lost).collect();
    let added = file.added().filter(|(_, text)| languages::is_step(text) && !moved.was_there(text)).count();
    let gone = steps.len();
    if let (true, Some((line, text))) = (gone > added, steps.first().copied()) {
        let finding = Finding::new(Rule::CiLaxer, name, format!("{} steps fewer are run", gone - added));
        found.push(finding.at(line).evidence(Some(text), None));
    }
    found.truncate(NAMED);
    found
}

#[cfg(test)]
pub(super) use languages::all_can_be_used;
