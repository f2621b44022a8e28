//! Drafts on forges that mark them by the beginning of a title.
//!
//! Owns no state.

/// What Gitea, Forgejo and GitLab take for a draft, in any case of letters.
const PREFIXES: [&str; 5] = ["wip:", "[wip]", "draft:", "[draft]", "(draft)"];

/// The title without every mark of a draft, and whether it had one. A title that is nothing but marks stays as it is.
pub(crate) fn split(title: &str) -> (&str, bool) {
    let mut rest = title.trim_start();
    let mut marked = false;
    loop {
        let found = PREFIXES
            .iter()
            .find(|prefix| rest.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
        let Some(prefix) = found else { break };
        let shorter = rest.get(prefix.len()..).unwrap_or("").trim_start();
        if shorter.is_empty() {
            break;
        }
        rest = shorter;
        marked = true;
    }
    (rest, marked)
}

/// The title with `prefix` exactly if it is a draft's.
pub(crate) fn marked(prefix: &str, title: &str, draft: bool) -> String {
    let (plain, _) = split(title);
    if draft { format!("{prefix} {plain}") } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_taken_off_and_never_doubled() {
        assert_eq!(split("WIP: a"), ("a", true));
        assert_eq!(split("[Draft] wip: Draft: a"), ("a", true));
        assert_eq!(split("Drafting a: b"), ("Drafting a: b", false));
        assert_eq!(split("WIP:"), ("WIP:", false));
        assert_eq!(split("WÏP: é"), ("WÏP: é", false));
        assert_eq!(marked("WIP:", "draft: a", true), "WIP: a");
        assert_eq!(marked("Draft:", "Draft: a", false), "a");
    }
}
