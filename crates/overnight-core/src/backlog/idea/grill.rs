//! What the questioning of an idea has to come to before it is taken.

use super::DocumentFacts;

/// Fewer points do not say when an idea is done.
const ACCEPTANCE_LEAST: usize = 3;
const RISKS_LEAST: usize = 1;

/// A part that the document must have, and what counts in it.
struct Wanted {
    /// How its heading begins, in lower case.
    heading: &'static str,
    about: &'static str,
    entries: usize,
}

const WANTED: [Wanted; 4] = [
    Wanted { heading: "scope", about: "what belongs to it and what does not", entries: 0 },
    Wanted {
        heading: "acceptance",
        about: "a list of what has to be so when it is done",
        entries: ACCEPTANCE_LEAST,
    },
    Wanted { heading: "risks", about: "a list of what can go wrong", entries: RISKS_LEAST },
    Wanted {
        heading: "open ends",
        about: "what nobody knows yet and what was assumed; \"none\" where there is nothing",
        entries: 0,
    },
];

/// What stands below the headings of one name.
#[derive(Default, Clone, Copy)]
struct Found {
    /// Of the first heading.
    line: Option<usize>,
    entries: usize,
    says: bool,
}

/// # Errors
/// What is missing, each with its line where there is one.
pub(super) fn read(text: &str) -> Result<DocumentFacts, Vec<String>> {
    let found = sections(text);
    let problems: Vec<String> =
        WANTED.iter().zip(found).filter_map(|(wanted, found)| problem(wanted, found)).collect();
    if problems.is_empty() {
        let [_, acceptance, risks, open] = found.map(|found| found.entries);
        Ok(DocumentFacts::Grill { acceptance, risks, open })
    } else {
        Err(problems)
    }
}

fn problem(wanted: &Wanted, found: Found) -> Option<String> {
    let Wanted { heading, about, entries } = wanted;
    let Some(line) = found.line else {
        return Some(format!("there is no section \"## {}\": {about}", capital(heading)));
    };
    if found.entries < *entries {
        let had = found.entries;
        return Some(format!(
            "line {line}: \"{}\" has {had} list entries; at least {entries} are needed: {about}",
            capital(heading)
        ));
    }
    (!found.says).then(|| format!("line {line}: \"{}\" says nothing: {about}", capital(heading)))
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn sections(text: &str) -> [Found; WANTED.len()] {
    let mut found = [Found::default(); WANTED.len()];
    let mut at: Option<(usize, usize)> = None;
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        let bare = line.trim();
        if bare.starts_with("```") || bare.starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        if let Some((level, name)) = heading(line).filter(|_| !fenced) {
            let named = WANTED.iter().position(|wanted| name.starts_with(wanted.heading));
            match (named, at) {
                (Some(section), _) => {
                    found[section].line.get_or_insert(number);
                    at = Some((section, level));
                }
                // A heading below it is part of what it says.
                (None, Some((_, above))) if level > above => {}
                (None, _) => at = None,
            }
            continue;
        }
        if let (Some((section, _)), false) = (at, bare.is_empty()) {
            found[section].says = true;
            found[section].entries += usize::from(!fenced && is_entry(line));
        }
    }
    found
}

/// Level and name, in lower case and without a number before it.
fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.chars().take_while(|c| *c == '#').count();
    let name = line.get(level..)?.strip_prefix(' ')?;
    let name = name.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | ' ' | '*'));
    (1..=6).contains(&level).then(|| (level, name.trim().to_lowercase()))
}

/// An entry of a list that is not within another one, and says something.
fn is_entry(line: &str) -> bool {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 {
        return false;
    }
    let bullet = bare.strip_prefix(['-', '*', '+']);
    let number = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (number.len() < bare.len()).then(|| number.strip_prefix(['.', ')'])).flatten();
    let rest = bullet.or(numbered).and_then(|rest| rest.strip_prefix(' '));
    rest.is_some_and(|rest| rest.chars().any(char::is_alphanumeric))
}
