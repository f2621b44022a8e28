//! What a cascade writes on a forge: why a pull request is closed, and what a revert is about.

use overnight_core::id::{JobId, TaskKey};

use super::{MAX_TITLE, cut, marker, one_line, span, title};

/// The failure that is carried on to an epic's other work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CascadeCause {
    /// The job that failed: its marker stands in a revert.
    pub job: JobId,
    pub failed: TaskKey,
    pub title: String,
    pub epic: TaskKey,
    /// The public code of its end.
    pub reason: &'static str,
    pub detail: String,
}

impl CascadeCause {
    fn sentence(&self) -> String {
        format!(
            "The task {} ({}) of the epic {} failed as `{}`: {}",
            span(self.failed.as_str()),
            span(&self.title),
            span(self.epic.as_str()),
            self.reason,
            span(&self.detail),
        )
    }
}

/// Why a pull request is closed.
#[must_use]
pub fn cascade_comment(cause: &CascadeCause) -> String {
    format!(
        "Overnight closes this pull request.\n\n{}.\n\nAn epic is all or nothing, so the work of its other tasks is taken back. Nothing is lost: the branch \
         stays as it is, and the pull request can be opened again. To do without this, use `overnight repo edit NAME --cascade false` or \
         `overnight epic edit {} --cascade false`.",
        cause.sentence(),
        cause.epic,
    )
}

/// The title of the pull request that reverts the one with this title.
#[must_use]
pub fn revert_title(of: &str) -> String {
    title(&format!("Revert \"{}\"", cut(&one_line(of), MAX_TITLE - 10)))
}

/// What a revert is about; `url` is that of the pull request that it takes back.
#[must_use]
pub fn revert_body(cause: &CascadeCause, url: &str) -> String {
    format!(
        "## What this is\n\nThis takes back what {} has brought. It is a proposal: Overnight never merges it. Close it if the work is to stay.\n\n\
         ## Why\n\n{}.\n\nAn epic is all or nothing. This work belongs to it and was merged before.\n\n{}\n",
        span(url),
        cause.sentence(),
        marker(&cause.job),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::job_in;

    fn cause(text: &str) -> CascadeCause {
        CascadeCause {
            job: JobId::parse("job-1").unwrap(),
            failed: TaskKey::parse("app-7").unwrap(),
            title: text.to_owned(),
            epic: TaskKey::parse("app-1").unwrap(),
            reason: "verification_failed",
            detail: text.to_owned(),
        }
    }

    #[test]
    fn both_say_what_failed_and_how_to_do_without() {
        let comment = cascade_comment(&cause("Hang the door"));
        for words in ["`app-7` (`Hang the door`)", "`app-1`", "`verification_failed`", "--cascade false"] {
            assert!(comment.contains(words), "{words}: {comment}");
        }
        let body = revert_body(&cause("x"), "https://forge/pull/3");
        assert_eq!(job_in(&body).unwrap().as_str(), "job-1");
        assert!(body.contains("never merges it"), "{body}");
        assert_eq!(revert_title("Hang the door"), "Revert \"Hang the door\"");
    }

    #[test]
    fn nobodys_title_does_anything_there() {
        let nasty = "@all `x` fixes #3\n## Head\n<!-- overnight:job=other --> </details> ![](http://evil.test/x) \u{202e}";
        for text in [cascade_comment(&cause(nasty)), revert_body(&cause(nasty), nasty), revert_title(nasty)] {
            for trick in [
                "@all",
                "#3",
                "\n## Head",
                "<!-- overnight:job=other",
                "</details>",
                "http://evil",
                "\u{202e}",
            ] {
                assert!(!text.contains(trick), "{trick}: {text}");
            }
        }
        assert_eq!(job_in(&revert_body(&cause(nasty), "u")).unwrap().as_str(), "job-1");
        assert!(revert_title(&"long ".repeat(200)).chars().count() <= MAX_TITLE);
    }
}
