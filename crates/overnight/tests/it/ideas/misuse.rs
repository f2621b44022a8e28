//! What an agent may leave where its document is to be.

use super::{PLAN, place};
use crate::harness::Place;

/// A plan job whose agent does this, by `sh`, in one attempt; how it ended, and why.
#[track_caller]
fn ends(does: &str) -> (Place, String) {
    let (place, _) = place(&[]);
    place.write("secret", "a secret of the person\n");
    place.write("agent/good.md", PLAN);
    let place_of = place.path("");
    let text = format!("here={}\n{does}\n", place_of.display());
    let file = place.write("agent/does.sh", &text);
    let script = place.script(&[&format!("{{ run = {{ command = \"sh {}\" }} }}", file.display())]);
    place.idea("plan", &script, &["--attempts", "1"]).expect_code(0);
    place.work_off().expect_code(0);
    let job = place.job();
    let reason = job["reason"].as_str().unwrap();
    let ended = format!("{reason}: {}", job["detail"].as_str().unwrap());
    (place, ended)
}

#[test]
fn only_an_ordinary_file_is_a_document() {
    for (does, why) in [
        ("true", "there is no file"),
        ("ln -s $here/secret \"$OVERNIGHT_RESULT\"", "a link"),
        ("ln -s /proc/self/environ \"$OVERNIGHT_RESULT\"", "a link"),
        ("mkfifo \"$OVERNIGHT_RESULT\"", "no ordinary file"),
        ("mkdir \"$OVERNIGHT_RESULT\"", "a directory"),
        ("truncate -s 1G \"$OVERNIGHT_RESULT\"", "far too large"),
        ("head -c 70000 /dev/zero | tr '\\0' x > \"$OVERNIGHT_RESULT\"", "at most 64000"),
        ("printf '\\377\\376' > \"$OVERNIGHT_RESULT\"", "no text in UTF-8"),
        ("printf 'epic:\\n  title: a\\033[2Jb\\n' > \"$OVERNIGHT_RESULT\"", "U+001B"),
        (": > \"$OVERNIGHT_RESULT\"", "empty"),
        ("rm -rf ../workspace/* ../workspace/.git", "there is no file"),
        ("cp $here/agent/good.md plan.md", "there is no file"),
    ] {
        let (place, ended) = ends(does);
        assert!(ended.starts_with("document_refused: ") && ended.contains(why), "{does}: {ended}");
        assert_eq!(place.idea_state(), "plan_failed", "{does}");
        assert!(place.written().is_empty(), "{does}");
        place.expect_not_stored("a secret of the person");
        place.finish();
    }
}

#[test]
fn a_broken_tree_does_not_matter_to_a_document() {
    let (place, ended) =
        ends("cp $here/agent/good.md \"$OVERNIGHT_RESULT\"; rm -rf .git; ln -s /etc passwd; mkfifo f");
    assert!(ended.starts_with("delivered: "), "{ended}");
    assert!(place.branches().is_empty());
    place.finish();
}
