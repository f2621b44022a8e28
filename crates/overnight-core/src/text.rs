//! Placeholder written by the lead so that job/ compiles; the owner of text.rs replaces this file.

#[must_use]
pub fn tail_chars(text: &str, _max: usize) -> &str {
    text
}

#[must_use]
pub fn one_line(text: &str, _max: usize) -> String {
    text.to_owned()
}
