//! What may stand in an item. Texts of a backlog are shown in terminals and handed to agents: characters that hide or
//! rearrange others are refused, not dropped, so that nobody approves something else than what is done.

use crate::text::is_invisible;

/// Characters of a title: a line in a list, a pull request's heading.
pub const TITLE_MAX: usize = 200;
/// Characters of a description, a wish or notes: several pages.
pub const TEXT_MAX: usize = 32_000;
/// Characters of a plan: it goes into every prompt, and one that is longer is several tasks.
pub const PLAN_MAX: usize = 16_000;
/// Acceptance criteria of one item.
pub const ACCEPTANCE_MAX: usize = 50;
/// Characters of one of them, and of any other single line.
pub const LINE_MAX: usize = 1_000;

/// Text that cannot stand in an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the {what} has {found} characters; at most {most} are taken")]
    TooLong { what: &'static str, found: usize, most: usize },
    #[error("the {what} has {found} entries; at most {most} are taken")]
    TooMany { what: &'static str, found: usize, most: usize },
    #[error("the {what} holds the character U+{code:04X}, which hides or rearranges text")]
    Hidden { what: &'static str, code: u32 },
    #[error("the {what} holds a line break")]
    Lines { what: &'static str },
}

/// A title: one line that says something, without white space around it.
///
/// # Errors
/// [`InvalidText`].
pub fn title(text: &str) -> Result<String, InvalidText> {
    let title = line("title", text, TITLE_MAX)?;
    match title.chars().any(char::is_alphanumeric) {
        true => Ok(title),
        false => Err(InvalidText::Empty { what: "title" }),
    }
}

/// One line of at most `most` characters, without white space around it.
///
/// # Errors
/// [`InvalidText`].
pub fn line(what: &'static str, raw: &str, most: usize) -> Result<String, InvalidText> {
    let line = text(what, raw, most)?;
    if line.is_empty() {
        return Err(InvalidText::Empty { what });
    }
    if line.contains(['\n', '\t']) {
        return Err(InvalidText::Lines { what });
    }
    Ok(line)
}

/// Text of any number of lines, perhaps none: with `\n` between them, and without white space around it.
///
/// # Errors
/// [`InvalidText`].
pub fn text(what: &'static str, raw: &str, most: usize) -> Result<String, InvalidText> {
    let text = raw.replace("\r\n", "\n").trim().to_owned();
    let found = text.chars().count();
    if found > most {
        return Err(InvalidText::TooLong { what, found, most });
    }
    let hidden = |c: &char| (c.is_control() && !matches!(c, '\n' | '\t')) || is_invisible(*c);
    match text.chars().find(hidden) {
        Some(c) => Err(InvalidText::Hidden { what, code: u32::from(c) }),
        None => Ok(text),
    }
}

/// Acceptance criteria.
///
/// # Errors
/// [`InvalidText`].
pub fn acceptance(entries: &[String]) -> Result<Vec<String>, InvalidText> {
    let what = "acceptance";
    if entries.len() > ACCEPTANCE_MAX {
        return Err(InvalidText::TooMany { what, found: entries.len(), most: ACCEPTANCE_MAX });
    }
    entries.iter().map(|entry| line(what, entry, LINE_MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_titles_are_refused_and_others_are_trimmed() {
        for bad in
            ["", "  ", "…", "a\nb", "a\tb", "a\u{1b}[2Jb", "a\u{202e}b", "a\u{200b}b", "\u{feff}a", "a\0"]
        {
            assert!(title(bad).is_err(), "{bad:?}");
        }
        assert!(title(&"x".repeat(201)).is_err());
        assert_eq!(title("  Füge „ja“ hinzu 🎉 "), Ok("Füge „ja“ hinzu 🎉".to_owned()));
    }

    #[test]
    fn texts_keep_their_lines() {
        assert_eq!(text("description", "\r\na\r\n\tb\n\n", 9), Ok("a\n\tb".to_owned()));
        assert!(matches!(text("plan", "a\rb", 9), Err(InvalidText::Hidden { code: 13, .. })));
        assert!(matches!(text("plan", "abc", 2), Err(InvalidText::TooLong { found: 3, .. })));
    }
}
