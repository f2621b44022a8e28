//! Keys, tokens and passwords in the lines that a change adds and in what its commits say, by the rules of Gitleaks (`rules.json`, whose origin, version and
//! licence stand in it and in `rules.LICENSE`).
//!
//! A rule's keywords are looked for first, all at once; its pattern is tried only around what was found, so that even a large change
//! takes a bounded time. Every run of added lines is read twice: as it is, and with texts put together that were split over strings
//! and lines. What was only moved within the change is no news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Change, Commit, FileChange, Finding, Rule};

const RULES: &str = include_str!("rules.json");
/// Bytes before and behind a keyword in which its pattern is looked for: the longest keys, of several kilobytes, fit.
const BEFORE: usize = 512;
const BEHIND: usize = 12_000;
/// The one rule that goes by a variable's name and not by the shape of the secret: it alone heeds the list of paths in which such
/// things are common.
const GENERIC: &str = "generic-api-key";
/// Findings of one file; a dump of a thousand keys is told as well by these.
const OF_A_FILE: usize = 20;

#[derive(Deserialize)]
struct RuleFile {
    shared: Allow,
    rules: Vec<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    id: String,
    pattern: String,
    keywords: Vec<String>,
    #[serde(default)]
    secret_group: Option<usize>,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    allow: Vec<Allow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Allow {
    target: Target,
    condition: Condition,
    regexes: Vec<String>,
    paths: Vec<String>,
    stopwords: Vec<String>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Condition {
    #[default]
    Or,
    And,
}

/// The rules, made ready as far as they are needed.
struct Rules {
    keywords: AhoCorasick,
    /// The rules that each keyword belongs to.
    owners: Vec<Vec<usize>>,
    shared: Allowed,
    rules: Vec<Ready>,
}

struct Ready {
    spec: Spec,
    made: OnceLock<Option<Made>>,
}

struct Made {
    pattern: Regex,
    path: Option<Regex>,
    allow: Vec<Allowed>,
}

struct Allowed {
    target: Target,
    condition: Condition,
    regexes: Vec<Regex>,
    paths: Vec<Regex>,
    stopwords: Vec<String>,
}

fn rules() -> Option<&'static Rules> {
    static READY: OnceLock<Option<Rules>> = OnceLock::new();
    READY.get_or_init(load).as_ref()
}

fn load() -> Option<Rules> {
    let file: RuleFile = serde_json::from_str(RULES).ok()?;
    let mut owners: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, spec) in file.rules.iter().enumerate() {
        for keyword in &spec.keywords {
            owners.entry(keyword.to_ascii_lowercase()).or_default().push(at);
        }
    }
    let keywords = AhoCorasick::builder().ascii_case_insensitive(true).build(owners.keys()).ok()?;
    let rules = file.rules.into_iter().map(|spec| Ready { spec, made: OnceLock::new() }).collect();
    Some(Rules { keywords, owners: owners.into_values().collect(), shared: allowed(&file.shared)?, rules })
}

fn regex(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).size_limit(50_000_000).build().ok()
}

fn allowed(allow: &Allow) -> Option<Allowed> {
    let all = |patterns: &[String]| patterns.iter().map(|pattern| regex(pattern)).collect::<Option<Vec<_>>>();
    Some(Allowed {
        target: allow.target,
        condition: allow.condition,
        regexes: all(&allow.regexes)?,
        paths: all(&allow.paths)?,
        stopwords: allow.stopwords.iter().map(|word| word.to_ascii_lowercase()).collect(),
    })
}

impl Ready {
    fn made(&self) -> Option<&Made> {
        let make = || {
            let path = match &self.spec.path {
                Some(path) => Some(regex(path)?),
                None => None,
            };
            let allow = self.spec.allow.iter().map(allowed).collect::<Option<Vec<_>>>()?;
            Some(Made { pattern: regex(&self.spec.pattern)?, path, allow })
        };
        self.made.get_or_init(make).as_ref()
    }
}

/// What matched, and the text around it.
struct Hit<'a> {
    secret: &'a [u8],
    whole: &'a [u8],
    line: &'a [u8],
}

impl Allowed {
    fn lets(&self, hit: &Hit<'_>, path: &[u8], heed_paths: bool) -> bool {
        let target = match self.target {
            Target::Secret => hit.secret,
            Target::Match => hit.whole,
            Target::Line => hit.line,
        };
        let by_regex = self.regexes.iter().any(|regex| regex.is_match(target));
        let by_path = heed_paths && self.paths.iter().any(|regex| regex.is_match(path));
        let lower = String::from_utf8_lossy(hit.secret).to_ascii_lowercase();
        let by_word = self.stopwords.iter().any(|word| lower.contains(word.as_str()));
        match self.condition {
            Condition::Or => by_regex || by_path || by_word,
            Condition::And => {
                (self.regexes.is_empty() || by_regex)
                    && (self.paths.is_empty() || by_path)
                    && (self.stopwords.is_empty() || by_word)
            }
        }
    }
}

/// The findings, and the secrets themselves: nothing that is told may hold one of them.
pub(super) fn findings(change: &Change) -> (Vec<Finding>, BTreeSet<String>) {
    let Some(rules) = rules() else {
        return (
            vec![Finding::new(Rule::NotRead, "", "the rules for secrets cannot be read")],
            BTreeSet::new(),
        );
    };
    let mut values = BTreeSet::new();
    let mut found = Vec::new();
    let mut before: Option<BTreeSet<String>> = None;
    for file in change.files.iter().filter(|file| !file.is_gone()) {
        let hits = of_file(rules, file);
        if hits.is_empty() {
            continue;
        }
        let before = before.get_or_insert_with(|| removed(rules, change));
        let new: Vec<(u32, Secret)> =
            hits.into_iter().filter(|(_, hit)| !before.contains(&hit.value)).collect();
        for (line, secret) in new {
            found.push(Finding::new(Rule::Secret, &file.name(), secret.told()).at(line));
            values.insert(secret.value);
        }
    }
    for commit in change.commits.iter().take(super::MOST_FINDINGS) {
        for (place, secret) in of_commit(rules, commit) {
            let detail = format!("{}, in the {place} of commit {}", secret.told(), commit.short());
            found.push(Finding::new(Rule::Secret, "", detail));
            values.insert(secret.value);
        }
    }
    (found, values)
}

/// Whether any added line, or anything that is written in a commit, holds a secret, also one that was taken away elsewhere.
pub(super) fn any(change: &Change) -> bool {
    rules().is_none_or(|rules| {
        change.files.iter().any(|file| !of_file(rules, file).is_empty())
            || change.commits.iter().any(|commit| !of_commit(rules, commit).is_empty())
    })
}

/// Whatever a commit says goes out for the first time, also what the change takes away.
fn of_commit(rules: &Rules, commit: &Commit) -> Vec<(&'static str, Secret)> {
    let mut hits = Vec::new();
    for (place, text) in [("header", &commit.header), ("message", &commit.message)] {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        of_lines(rules, &lines, 1, b"", &mut |_, secret| hits.push((place, secret)));
    }
    let mut known = BTreeSet::new();
    hits.retain(|(_, secret)| known.insert(secret.value.clone()));
    hits.truncate(OF_A_FILE);
    hits
}

/// What was there already, in the lines that the change takes away.
fn removed(rules: &Rules, change: &Change) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in &change.files {
        for hunk in &file.hunks {
            let text = Text::of(&hunk.removed, hunk.old_start, false);
            known.extend(scan(rules, &text, &file.path).into_iter().map(|(_, secret)| secret.value));
        }
    }
    known
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Secret {
    rule: String,
    value: String,
}

impl Secret {
    /// Enough to find it again, and nothing of it.
    fn told(&self) -> String {
        let hash = Sha256::digest(self.value.as_bytes());
        let short: String = hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
        format!("{} of {} characters, {short}", self.rule, self.value.chars().count())
    }
}

fn of_file(rules: &Rules, file: &FileChange) -> Vec<(u32, Secret)> {
    let mut hits: Vec<(u32, Secret)> = Vec::new();
    for hunk in &file.hunks {
        of_lines(rules, &hunk.added, hunk.new_start, &file.path, &mut |line, secret| {
            let known = hits.iter().any(|(at, other)| *at == line || other.value == secret.value);
            if !known && hits.len() < OF_A_FILE {
                hits.push((line, secret));
            }
        });
    }
    hits
}

/// Reads lines as they are, and with what was split put together.
fn of_lines(rules: &Rules, lines: &[String], first: u32, path: &[u8], tell: &mut impl FnMut(u32, Secret)) {
    for glued in [false, true] {
        for (line, secret) in scan(rules, &Text::of(lines, first, glued), path) {
            tell(line, secret);
        }
    }
}

/// Lines as one text, with the place where each begins.
struct Text {
    bytes: Vec<u8>,
    starts: Vec<(usize, u32)>,
}

impl Text {
    /// `glued`: strings that were split are put together.
    fn of(lines: &[String], first: u32, glued: bool) -> Self {
        let mut text = Self { bytes: Vec::new(), starts: Vec::new() };
        for (number, line) in (first..).zip(lines) {
            if !glued {
                text.starts.push((text.bytes.len(), number));
                text.bytes.extend_from_slice(line.as_bytes());
                text.bytes.push(b'\n');
                continue;
            }
            let whole = joined(line);
            let opened = whole.trim_start().trim_start_matches(['+', '.', '&', ',']).trim_start();
            let goes_on = opened.starts_with(['"', '\'', '`']);
            if goes_on && open_string(&mut text.bytes) {
                text.starts.push((text.bytes.len(), number));
                text.bytes.extend_from_slice(&opened.as_bytes()[1..]);
            } else if take_backslash(&mut text.bytes) {
                text.starts.push((text.bytes.len(), number));
                text.bytes.extend_from_slice(whole.trim_start().as_bytes());
            } else {
                text.starts.push((text.bytes.len(), number));
                text.bytes.extend_from_slice(whole.as_bytes());
            }
            text.bytes.push(b'\n');
        }
        text
    }

    fn line(&self, at: usize) -> u32 {
        let index = self.starts.partition_point(|(start, _)| *start <= at);
        self.starts.get(index.saturating_sub(1)).map_or(0, |(_, line)| *line)
    }
}

/// A line with `"a" + "b"` written as `"ab"`.
fn joined(line: &str) -> String {
    static SEAM: OnceLock<Option<regex::Regex>> = OnceLock::new();
    let seam = SEAM.get_or_init(|| regex::Regex::new(r#"(?:"\s*[+.&]?\s*"|'\s*[+.&]?\s*'|`\s*\+\s*`)"#).ok());
    match seam {
        // An empty text is no seam.
        Some(seam) => {
            let put = |found: &regex::Captures<'_>| {
                if found[0].len() == 2 { found[0].to_owned() } else { String::new() }
            };
            seam.replace_all(line, put).into_owned()
        }
        None => line.to_owned(),
    }
}

/// Takes the end of a string off a text that ends in one, so that what follows goes on with it.
fn open_string(bytes: &mut Vec<u8>) -> bool {
    let kept = bytes
        .iter()
        .rposition(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'+' | b'.' | b'\\' | b'&' | b','));
    let Some(at) = kept.filter(|at| matches!(bytes[*at], b'"' | b'\'' | b'`')) else { return false };
    bytes.truncate(at);
    true
}

fn take_backslash(bytes: &mut Vec<u8>) -> bool {
    if bytes.ends_with(b"\\\n") {
        bytes.truncate(bytes.len() - 2);
        return true;
    }
    false
}

fn scan(rules: &Rules, text: &Text, path: &[u8]) -> Vec<(u32, Secret)> {
    let mut hits = Vec::new();
    for (rule, windows) in windows(rules, &text.bytes) {
        let Some(rule) = rules.rules.get(rule) else { continue };
        let Some(made) = rule.made() else { continue };
        if made.path.as_ref().is_some_and(|wanted| !wanted.is_match(path)) {
            continue;
        }
        for (from, to) in windows {
            let Some(window) = text.bytes.get(from..to) else { continue };
            for captures in made.pattern.captures_iter(window) {
                let Some(hit) = hit(&captures, rule.spec.secret_group, window) else { continue };
                if entropy(hit.secret) < rule.spec.entropy || is_allowed(rules, rule, made, &hit, path) {
                    continue;
                }
                let at = captures.get(0).map_or(0, |whole| whole.start());
                let value = String::from_utf8_lossy(hit.secret).into_owned();
                hits.push((text.line(from + at), Secret { rule: rule.spec.id.clone(), value }));
            }
        }
    }
    hits
}

/// For each rule the parts of the text around its keywords, put together where they touch.
fn windows(rules: &Rules, bytes: &[u8]) -> BTreeMap<usize, Vec<(usize, usize)>> {
    let mut of_rules: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for found in rules.keywords.find_overlapping_iter(bytes) {
        let (from, to) = (found.start().saturating_sub(BEFORE), (found.end() + BEHIND).min(bytes.len()));
        for rule in rules.owners.get(found.pattern().as_usize()).into_iter().flatten() {
            let windows = of_rules.entry(*rule).or_default();
            match windows.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                Some(_) | None => windows.push((from, to)),
            }
        }
    }
    of_rules
}

fn hit<'a>(captures: &regex::bytes::Captures<'a>, group: Option<usize>, window: &'a [u8]) -> Option<Hit<'a>> {
    let whole = captures.get(0)?;
    let secret = match group {
        Some(group) => captures.get(group)?,
        None => captures.iter().skip(1).flatten().find(|part| !part.is_empty()).unwrap_or(whole),
    };
    let start = window[..whole.start()].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let end =
        window[whole.end()..].iter().position(|b| *b == b'\n').map_or(window.len(), |at| whole.end() + at);
    Some(Hit { secret: secret.as_bytes(), whole: whole.as_bytes(), line: &window[start..end] })
}

fn is_allowed(rules: &Rules, rule: &Ready, made: &Made, hit: &Hit<'_>, path: &[u8]) -> bool {
    rules.shared.lets(hit, path, rule.spec.id == GENERIC)
        || made.allow.iter().any(|allow| allow.lets(hit, path, true))
}

/// Shannon's, in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a length of a few thousand")]
    let length = bytes.len().max(1) as f64;
    let share = |count: &u32| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(share).sum()
}

#[cfg(test)]
pub(super) fn all_rules_can_be_used() -> usize {
    let rules = rules().expect("the rules");
    for rule in &rules.rules {
        assert!(rule.made().is_some(), "{}", rule.spec.id);
    }
    rules.rules.len()
}
