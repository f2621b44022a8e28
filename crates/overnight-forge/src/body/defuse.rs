//! Takes the effects out of other people's text: it is to be read, and to do nothing.
//!
//! Owns no state. The result is safe in Markdown, in HTML comments, in a commit message (a forge may make one of a pull
//! request's text when it squashes) and in a terminal. It is not reversible and does not try to look identical: a
//! full-width sign in place of an ASCII one shows that something was disarmed.

/// Schemes that a forge turns into links, with their disarmed spelling.
const SCHEMES: [(&str, &str); 4] =
    [("https://", "hxxps://"), ("http://", "hxxp://"), ("ftp://", "fxp://"), ("www.", "www·")];

/// Words in brackets that make a forge skip its checks of a commit.
const SKIP_WORDS: [&str; 7] =
    ["skip ci", "ci skip", "no ci", "skip actions", "actions skip", "skip-ci", "skip checks"];

/// `text` without mentions, references and closing keywords that work, HTML, comments, links, images, fences, slash
/// commands, control, bidirectional and invisible characters. Line breaks and tabs stay. `defuse(defuse(x)) == defuse(x)`.
#[must_use]
pub fn defuse(text: &str) -> String {
    defuse_for(text, &[])
}

/// Like [`defuse`], but addresses of these hosts stay, except those of issues and pull requests.
#[must_use]
pub fn defuse_for(text: &str, link_hosts: &[String]) -> String {
    let visible = visible(text);
    let lines: Vec<String> = visible.split('\n').map(|line| defuse_line(line, link_hosts)).collect();
    lines.join("\n")
}

/// Visible characters only, white space of every kind as single spaces, nothing at the ends.
#[must_use]
pub fn one_line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without characters that are not seen or that move others about. CR LF and lone CR become LF.
fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_hidden(*c))
        .collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn defuse_line(line: &str, link_hosts: &[String]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = slash_command(line, &mut out);
    while let Some(c) = rest.chars().next() {
        rest = match scheme(rest, &out) {
            Some((scheme, disarmed)) => {
                let (written, after) = rest.split_at(scheme.len());
                out.push_str(if stays(scheme, after, link_hosts) { written } else { disarmed });
                after
            }
            None => push_char(&mut out, c, &rest[c.len_utf8()..]),
        };
    }
    out
}

/// Writes `c` in a form without effect, and gives what is left to read.
fn push_char<'a>(out: &mut String, c: char, after: &'a str) -> &'a str {
    let next = after.chars().next();
    let before = out.chars().next_back();
    match c {
        '@' if next.is_some_and(is_word) && !before.is_some_and(char::is_alphanumeric) => out.push('＠'),
        '#' if next.is_some_and(|n| n.is_ascii_digit()) => out.push('＃'),
        // Gitea's sign for a pull request.
        '!' if next.is_some_and(|n| n.is_ascii_digit()) => out.push('！'),
        // An image, whatever its address.
        '!' if next == Some('[') => out.push('！'),
        '-' if ends_with_gh(out) && next.is_some_and(|n| n.is_ascii_digit()) => out.push('‑'),
        '<' if next.is_some_and(|n| n.is_ascii_alphabetic() || matches!(n, '/' | '!' | '?')) => out.push('‹'),
        '>' if out.ends_with("--") => out.push('›'),
        // `](` is a link and `]:` its definition, also with an address that has no scheme.
        ']' if matches!(next, Some('(' | ':' | '[')) => out.push_str("] "),
        '[' if is_skip_word(after) => out.push('〔'),
        '`' | '~' => return push_run(out, c, after),
        _ => out.push(c),
    }
    after
}

/// Three or more together would open or close a fence.
fn push_run<'a>(out: &mut String, c: char, after: &'a str) -> &'a str {
    let more = after.len() - after.trim_start_matches(c).len();
    let sign = match (more, c) {
        (0 | 1, _) => c,
        (_, '`') => '\'',
        _ => '∼',
    };
    out.extend(std::iter::repeat_n(sign, more + 1));
    &after[more..]
}

/// Robots obey lines like `/merge`; a path goes on with another slash or a dot.
fn slash_command<'a>(line: &'a str, out: &mut String) -> &'a str {
    let start = line.trim_start();
    let Some(word) = start.strip_prefix('/') else { return line };
    let word = word.split_whitespace().next().unwrap_or("");
    let is_command = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'));
    if !is_command {
        return line;
    }
    out.push_str(&line[..line.len() - start.len()]);
    out.push('／');
    &start[1..]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// `GH-1` is a reference on GitHub.
fn ends_with_gh(out: &str) -> bool {
    let mut back = out.chars().rev();
    let gh = matches!((back.next(), back.next()), (Some('h' | 'H'), Some('g' | 'G')));
    gh && !back.next().is_some_and(char::is_alphanumeric)
}

fn is_skip_word(after: &str) -> bool {
    // Longer than any of the words, with room for white space: a line of brackets costs no square of its length.
    let near: String = after.chars().take(40).collect();
    let inside = near.split(']').next().unwrap_or("").to_ascii_lowercase();
    let words: Vec<&str> = inside.split_whitespace().collect();
    SKIP_WORDS.contains(&words.join(" ").as_str())
}

/// The scheme of an address that begins here, with its disarmed spelling.
fn scheme(rest: &str, out: &str) -> Option<(&'static str, &'static str)> {
    let starts =
        |scheme: &str| rest.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    let (scheme, disarmed) = SCHEMES.iter().find(|(scheme, _)| starts(scheme))?;
    // `awww.` is a word; a scheme counts wherever it stands.
    let inside_word = *scheme == "www." && out.chars().next_back().is_some_and(char::is_alphanumeric);
    (!inside_word).then_some((scheme, disarmed))
}

/// Whether an address may keep working: its host is listed and it is no issue's.
fn stays(scheme: &str, after: &str, link_hosts: &[String]) -> bool {
    let tail = after.split(char::is_whitespace).next().unwrap_or("");
    let host_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let (host, path) = tail.split_at(tail.find(host_end).unwrap_or(tail.len()));
    // A user part or a port makes it another place than the one that was meant.
    let is_host = !path.starts_with(['@', ':', '\\', '%'])
        && link_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
    scheme == "https://" && is_host && !is_issue(path)
}

/// `…/issues/1`, `…/pull/1`, `…/pulls/1`, `…/merge_requests/1`: closes or references it.
fn is_issue(tail: &str) -> bool {
    tail.split(['/', '?', '#']).any(|part| {
        ["issues", "pull", "pulls", "merge_requests", "discussions", "commit"]
            .iter()
            .any(|word| part.eq_ignore_ascii_case(word))
    })
}
