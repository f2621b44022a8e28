//! Readers against bytes captured from git 2.47.

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789012345678901234567890123456789";

#[test]
fn versions_of_every_vendor_are_read() {
    let read = |text: &str| version(text.as_bytes()).map(|v| v.to_string());
    assert_eq!(read("git version 2.47.3\n").as_deref(), Some("2.47.3"));
    assert_eq!(read("git version 2.39.5 (Apple Git-154)\n").as_deref(), Some("2.39.5"));
    assert_eq!(read("git version 2.50.0.rc1\n").as_deref(), Some("2.50.0"));
    assert_eq!(read("git version 2.45.windows.1\n").as_deref(), Some("2.45.0"));
    assert_eq!(read("hg 5"), None);
}

#[test]
fn a_rename_is_one_change_and_names_may_hold_anything() {
    assert_eq!(status_count(b"R  new\0old\0?? a\nb\0 M \xff\0"), 3);
    assert_eq!(status_count(b""), 0);
}

#[test]
fn a_remote_without_commits_has_no_refs() {
    assert_eq!(ls_remote(b""), RemoteRefs::default());
    let found =
        ls_remote(format!("ref: refs/heads/trunk\tHEAD\n{ID}\tHEAD\n{ID}\trefs/heads/\u{3000}\n").as_bytes());
    assert_eq!(found.head_branch.as_deref(), Some("refs/heads/trunk"));
    assert_eq!(found.refs.len(), 2);
}

#[test]
fn changed_paths_keep_modes_and_raw_names() {
    let raw = format!(":000000 160000 {ID} {ID} A\0sub\0:100644 100755 {ID} {ID} M\0a\n");
    let raw = [raw.as_bytes(), b"\xc3\0"].concat();
    let changed = raw_diff(&raw).unwrap();
    assert_eq!((changed[0].status, changed[0].new_mode), ('A', 0o160_000));
    assert_eq!((changed[1].old_mode, changed[1].new_mode), (0o100_644, 0o100_755));
    assert_eq!(raw_diff(b"nonsense\0"), None);
}

#[test]
fn binary_files_count_as_files_without_lines() {
    let stat = numstat(b"3\t1\ta\tb\0-\t-\tx.png\0").unwrap();
    assert_eq!((stat.files, stat.insertions, stat.deletions), (2, 3, 1));
}

#[test]
fn tree_entries_have_a_size_only_when_they_are_files() {
    let listing = format!("100644 blob {ID}      12\ta b\0160000 commit {ID}       -\tsub\0");
    let entries = ls_tree(listing.as_bytes()).unwrap();
    assert_eq!((entries[0].size, entries[0].path.as_slice()), (Some(12), b"a b".as_slice()));
    assert_eq!(entries[1].size, None);
}

#[test]
fn each_answer_to_a_push_is_told_apart() {
    let line = |text: &str| push_line(text.as_bytes(), "refs/heads/overnight/a");
    let new = format!("To /r\n*\t{ID}:refs/heads/overnight/a\t[new branch]\nDone\n");
    assert_eq!(line(&new), Some(PushLine::Updated));
    assert_eq!(line(&format!("=\t{ID}:refs/heads/overnight/a\t[up to date]\n")), Some(PushLine::UpToDate));
    let stale = format!("!\t{ID}:refs/heads/overnight/a\t[rejected] (stale info)\n");
    assert_eq!(line(&stale), Some(PushLine::Rejected));
    assert_eq!(line("fatal"), None);
}

#[test]
fn addresses_are_rewritten_as_git_does_it() {
    let config = Config::parse(
        b"remote.origin.url\ngh:a/b\0url.https://github.com/.insteadof\ngh:\0url.git@github.com:.pushinsteadof\ngh:\0user.name\nA\0user.name\nB\0core.bare\0",
    );
    assert_eq!(config.get("user.name"), Some("B"));
    let urls = &config.remotes()["origin"];
    assert_eq!(urls.fetch, "https://github.com/a/b");
    assert_eq!(urls.push.as_deref(), Some("git@github.com:a/b"));
}

#[test]
fn the_work_trees_of_a_branch_are_found() {
    let list = b"worktree /a\nb\0HEAD 12\0branch refs/heads/main\0\0worktree /c\0HEAD 12\0detached\0\0";
    assert_eq!(checked_out(list).get("refs/heads/main").map(Vec::as_slice), Some(b"/a\nb".as_slice()));
}

proptest! {
    #[test]
    fn no_reader_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (version(&bytes), status_count(&bytes), ls_remote(&bytes), raw_diff(&bytes));
        let _ = (numstat(&bytes), ls_tree(&bytes), push_line(&bytes, "x"), checked_out(&bytes));
        let _ = Config::parse(&bytes).remotes();
    }
}
