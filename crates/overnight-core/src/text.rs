//! Untrusted text made fit for people's eyes: agent output, file names, messages of a forge.
//!
//! Owns no state. What is stored stays as it was; only what is shown goes through here. HTML and Markdown have
//! escapes of their own and are not this module's business.

use std::fmt::Write as _;
use std::time::Duration;

/// What stands for the part that was cut away.
const ELLIPSIS: char = '…';

/// Text that a terminal can only print: control characters, escape sequences, bidirectional controls and invisible
/// characters come out as visible escapes (`\x1b`, `\u{202e}`). Newline and tab stay, `\r\n` becomes `\n`, and colour
/// sequences are dropped because they carry no meaning in text.
///
/// Idempotent. Zero-width joiners inside emoji are shown as well: they hide text just as easily.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = colour_sequence(rest);
        if colour > 0 {
            rest = &rest[colour..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '\r' && rest.starts_with('\n') {
            continue;
        }
        push_visible(&mut out, c);
    }
    out
}

fn push_visible(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing into a String cannot fail.
    let _ = match c {
        '\n' | '\t' => out.write_char(c),
        _ if c.is_control() && code < 0x100 => write!(out, "\\x{code:02x}"),
        _ if is_invisible(c) => write!(out, "\\u{{{code:x}}}"),
        _ => out.write_char(c),
    };
}

/// Characters that change what others look like, or that nobody sees: bidirectional controls, zero-width characters,
/// line separators, fillers, tags and the supplementary variation selectors.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// Length of the colour sequence (`ESC [ digits and semicolons m`) at the start of `text`, 0 when there is none.
fn colour_sequence(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\u{1b}[") else { return 0 };
    let parameters = body.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':')).count();
    if body.as_bytes().get(parameters) == Some(&b'm') { 2 + parameters + 1 } else { 0 }
}

/// The text without terminal control sequences (CSI, OSC and other strings), for matching against patterns. Not a
/// protection: what is shown goes through [`for_terminal`].
#[must_use]
pub fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = &rest[at + escape_sequence(&rest[at..])..];
    }
    out.push_str(rest);
    out
}

/// Length in bytes of the escape sequence that `text` starts with; 1 when it is not a complete one.
fn escape_sequence(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'[') => {
            let body = bytes[2..].iter().take_while(|b| (0x20..=0x3f).contains(*b)).count();
            let complete = bytes.get(2 + body).is_some_and(|b| (0x40..=0x7e).contains(b));
            if complete { 3 + body } else { 1 }
        }
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = text.find('\u{7}').map(|at| at + 1);
            let terminator = text.find("\u{1b}\\").map(|at| at + 2);
            bell.into_iter().chain(terminator).min().unwrap_or(1)
        }
        Some(_) | None => 1,
    }
}

/// One line of at most `max_chars` characters: white space runs become one blank, the rest goes through
/// [`for_terminal`], and a cut is marked with `…`.
#[must_use]
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    for word in for_terminal(text).split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    cut_chars(&line, max_chars)
}

/// At most `max_chars` characters from the start; a cut is marked with `…`, which counts.
#[must_use]
pub fn cut_chars(text: &str, max_chars: usize) -> String {
    if max_chars == 0 {
        return String::new();
    }
    if text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    text.chars().take(max_chars - 1).chain([ELLIPSIS]).collect()
}

/// The last `n` characters.
#[must_use]
pub fn tail_chars(text: &str, n: usize) -> &str {
    let Some(back) = n.checked_sub(1) else { return "" };
    text.char_indices().rev().nth(back).map_or(text, |(at, _)| &text[at..])
}

/// A line of output as text, without its line ending. Bytes that are not UTF-8 become `U+FFFD`; control characters
/// stay (see [`for_terminal`]).
#[must_use]
pub fn lossy_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

/// The candidate that `word` was probably meant to be: the nearest one, when at most a third of the longer word
/// (and at least one character) would have to change. Case does not count; the first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = word.to_lowercase().chars().collect();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let allowed = (wanted.len().max(letters.len()) / 3).max(1);
        // At least so many characters have to come or go; a megabyte is not compared at all.
        if wanted.len().abs_diff(letters.len()) > allowed {
            continue;
        }
        let distance = edit_distance(&wanted, &letters);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = last[j] + usize::from(x != y);
            let mut cost = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// A span for people, in its two largest units: `850ms`, `12s`, `3m 05s`, `2h 07m`, `3d 04h`. Rounds down.
#[must_use]
pub fn human_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{}ms", span.as_millis()),
        (0, 0, 0, _) => format!("{seconds}s"),
        (0, 0, _, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _, _, _) => format!("{hours}h {:02}m", minutes % 60),
        (_, _, _, _) => format!("{days}d {:02}h", hours % 24),
    }
}

/// A count for people: `950`, `12.3k`, `1.2M`, `3.4B`. Rounds down, so that a limit is never shown as reached early.
#[must_use]
pub fn human_tokens(count: u64) -> String {
    const UNITS: [(u64, char); 3] = [(1_000_000_000, 'B'), (1_000_000, 'M'), (1_000, 'k')];
    match UNITS.into_iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{}.{}{unit}", count / size, count % size / (size / 10)),
        None => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_becomes_harmless_and_stays_readable() {
        let cases = [
            ("plain\n\ttext", "plain\n\ttext"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "\\x1b]0;title\\x07x"),
            ("\u{1b}]8;;http://evil\u{1b}\\link", "\\x1b]8;;http://evil\\x1b\\link"),
            ("\u{1b}[2Jgone", "\\x1b[2Jgone"),
            ("real\rfake", "real\\x0dfake"),
            ("dos\r\nline", "dos\nline"),
            ("\u{9b}31m\u{85}", "\\x9b31m\\x85"),
            ("user\u{202e}txt.exe", "user\\u{202e}txt.exe"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("nul\0del\u{7f}", "nul\\x00del\\x7f"),
            ("é 日本 ✓ 🦀", "é 日本 ✓ 🦀"),
            ("\u{1b}[31", "\\x1b[31"),
        ];
        for (raw, shown) in cases {
            assert_eq!(for_terminal(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn escapes_are_taken_out_for_matching() {
        let cases = [
            ("\u{1b}[1m\u{1b}[38;5;9merror\u{1b}[0m: x", "error: x"),
            ("\u{1b}]8;;http://x\u{1b}\\text\u{1b}]8;;\u{1b}\\", "text"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}[2K\u{1b}[1Gline", "line"),
            ("cut \u{1b}[3", "cut [3"),
        ];
        for (raw, clean) in cases {
            assert_eq!(without_escapes(raw), clean, "{raw:?}");
        }
    }

    #[test]
    fn lines_are_cut_by_characters() {
        assert_eq!(one_line("  a\n\n b\tc ", 20), "a b c");
        assert_eq!(one_line("日本語日本語", 4), "日本語…");
        assert_eq!(one_line("abcd", 4), "abcd");
        assert_eq!(one_line("abc", 0), "");
        assert_eq!(tail_chars("日本語", 2), "本語");
        assert_eq!(tail_chars("ab", 9), "ab");
        assert_eq!(tail_chars("ab", 0), "");
        assert_eq!(lossy_line(b"a\xffb\r\n"), "a\u{fffd}b");
        assert_eq!(lossy_line(b"\n"), "");
    }

    #[test]
    fn typing_mistakes_find_their_word_and_strangers_find_none() {
        let words = ["status", "submit", "cancel", "logs"];
        for (typed, meant) in
            [("stauts", "status"), ("sumbit", "submit"), ("CANCEL", "cancel"), ("log", "logs")]
        {
            assert_eq!(nearest(typed, words), Some(meant), "{typed}");
        }
        for typed in ["", "frobnicate", "xyz"] {
            assert_eq!(nearest(typed, words), None, "{typed}");
        }
    }

    #[test]
    fn spans_and_counts_show_two_units_and_one_decimal() {
        let spans = [0, 850, 12_900, 185_000, 7_620_000, 273_600_000];
        let shown = spans.map(|ms| human_duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["0ms", "850ms", "12s", "3m 05s", "2h 07m", "3d 04h"]);
        let counts = [0, 999, 1_000, 12_345, 999_999, 1_250_000, 3_400_000_000];
        assert_eq!(counts.map(human_tokens), ["0", "999", "1.0k", "12.3k", "999.9k", "1.2M", "3.4B"]);
    }

    proptest! {
        #[test]
        fn nothing_shown_can_steer_a_terminal(text in any::<String>()) {
            let shown = for_terminal(&text);
            prop_assert!(shown.chars().all(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(c))));
            prop_assert_eq!(for_terminal(&shown), shown.clone());
        }

        #[test]
        fn one_line_keeps_its_promise(text in any::<String>(), max in 0_usize..40) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max);
            let steering = line.contains(['\n', '\t', '\r', '\x1b']);
            prop_assert!(!steering);
        }

        #[test]
        fn a_tail_is_the_end(text in any::<String>(), n in 0_usize..40) {
            let tail = tail_chars(&text, n);
            prop_assert!(text.ends_with(tail));
            prop_assert_eq!(tail.chars().count(), n.min(text.chars().count()));
        }

        #[test]
        fn any_bytes_become_text(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = lossy_line(&line);
            prop_assert!(serde_json::to_string(&text).is_ok());
        }

        #[test]
        fn a_word_is_nearest_to_itself(word in "[a-z]{1,12}", others in proptest::collection::vec("[a-z]{1,12}", 0..5)) {
            let mut candidates: Vec<&str> = others.iter().map(String::as_str).collect();
            candidates.push(&word);
            prop_assert_eq!(nearest(&word, candidates), Some(word.as_str()));
        }

        #[test]
        fn distances_are_symmetric(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(edit_distance(&a, &b), edit_distance(&b, &a));
            prop_assert_eq!(edit_distance(&a, &b) == 0, a == b);
        }
    }
}
