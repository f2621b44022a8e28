//! Splits a command into words as a shell does, without being a shell: quotes and backslashes, nothing else. No
//! variables, globs, pipes or substitutions: what is written is what the program gets.

/// Text that cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the {0} quote at character {1} is never closed")]
    OpenQuote(char, usize),
    #[error("it ends in a backslash with nothing behind it")]
    TrailingBackslash,
    #[error("it names no program")]
    Empty,
    #[error("it contains a NUL character")]
    Nul,
}

/// Splits `text` at unquoted white space. Single quotes keep everything; double quotes keep everything but `\"` and `\\`;
/// outside quotes a backslash keeps the next character.
///
/// # Errors
/// [`SplitError`] for an unclosed quote, a trailing backslash, a NUL or no word at all.
pub fn split(text: &str) -> Result<Vec<String>, SplitError> {
    if text.contains('\0') {
        return Err(SplitError::Nul);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' | '"' => quoted(&mut chars, c, at, word.get_or_insert_default())?,
            '\\' => {
                let (_, next) = chars.next().ok_or(SplitError::TrailingBackslash)?;
                word.get_or_insert_default().push(next);
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) { Err(SplitError::Empty) } else { Ok(words) }
}

fn quoted(
    chars: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>,
    quote: char,
    start: usize,
    word: &mut String,
) -> Result<(), SplitError> {
    while let Some((_, c)) = chars.next() {
        if c == quote {
            return Ok(());
        }
        let kept = |next: &(usize, char)| quote == '"' && c == '\\' && matches!(next.1, '"' | '\\');
        match chars.next_if(kept) {
            Some((_, next)) => word.push(next),
            None => word.push(c),
        }
    }
    Err(SplitError::OpenQuote(quote, start + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let table: [(&str, &[&str]); 8] = [
            ("sed -i s/a/b/", &["sed", "-i", "s/a/b/"]),
            ("  a \t b\n", &["a", "b"]),
            ("'a b' \"c d\"", &["a b", "c d"]),
            (r#""say \"hi\" \n""#, &[r#"say "hi" \n"#]),
            (r"a\ b '\'", &["a b", r"\"]),
            ("x '' \"\"", &["x", "", ""]),
            ("a'b'c", &["abc"]),
            ("$HOME *.rs | x", &["$HOME", "*.rs", "|", "x"]),
        ];
        for (text, want) in table {
            assert_eq!(
                split(text).as_deref(),
                Ok(want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice())
            );
        }
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        assert_eq!(split("a 'b").unwrap_err().to_string(), "the ' quote at character 3 is never closed");
        assert_eq!(split("a \\"), Err(SplitError::TrailingBackslash));
        assert_eq!(split("  "), Err(SplitError::Empty));
        assert_eq!(split("'' x"), Err(SplitError::Empty));
        assert_eq!(split("a\0b"), Err(SplitError::Nul));
    }
}
