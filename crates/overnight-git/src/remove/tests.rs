//! Trees as hostile as a file system allows.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn a_hostile_tree_is_removed_and_nothing_outside_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    fs::create_dir_all(tree.join("closed/inner")).unwrap();
    fs::write(&outside, "keep").unwrap();
    fs::create_dir(dir.path().join("outside-dir")).unwrap();
    fs::write(dir.path().join("outside-dir/keep"), "keep").unwrap();
    symlink(dir.path().join("outside-dir"), tree.join("link")).unwrap();
    symlink("/proc/self/root", tree.join("closed/inner/link")).unwrap();
    fs::write(tree.join("x".repeat(255)), "").unwrap();
    fs::write(tree.join(OsString::from_vec(b"-rf\n\xff".to_vec())), "").unwrap();
    fs::create_dir(tree.join("y".repeat(255))).unwrap();
    fs::set_permissions(tree.join("closed/inner"), Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(tree.join("closed"), Permissions::from_mode(0o0)).unwrap();
    remove_tree(&tree).await.unwrap();
    assert!(!tree.exists());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "keep");
    assert!(dir.path().join("outside-dir/keep").exists());
    remove_tree(&tree).await.unwrap();
}

#[tokio::test]
async fn depth_costs_neither_open_files_nor_stack() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("tree");
    fs::create_dir(&top).unwrap();
    // Deeper than a path can be long: each level is made below an open directory.
    let mut current = File::open(&top).unwrap();
    for level in 0..3_000 {
        let child = below(&current, OsStr::new(if level % 2 == 0 { "deep" } else { "deeper" }));
        fs::create_dir(&child).unwrap();
        fs::write(below(&current, OsStr::new("file")), "").unwrap();
        current = File::open(&child).unwrap();
    }
    remove_tree(&top).await.unwrap();
    assert!(!top.exists());
}

#[tokio::test]
async fn a_link_in_place_of_the_tree_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("target")).unwrap();
    fs::write(dir.path().join("target/keep"), "").unwrap();
    symlink(dir.path().join("target"), dir.path().join("tree")).unwrap();
    let error = remove_tree(&dir.path().join("tree")).await.unwrap_err();
    assert!(matches!(error, GitError::PathRefused { .. }), "{error}");
    assert!(dir.path().join("target/keep").exists());
}

#[test]
fn only_a_regular_file_of_bounded_size_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "12345").unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink(dir.path(), at("linked-dir")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    let fifo = crate::testing::command("mkfifo", dir.path()).arg("fifo").status().unwrap();
    assert!(fifo.success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    assert!(open_regular(&at("file"), 5).is_ok());
    assert_eq!(open_regular(&at("file"), 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
    for bad in ["link", "dir", "fifo", "socket", "linked-dir/file"] {
        assert_eq!(open_regular(&at(bad), 5).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
    }
    assert_eq!(open_regular(&at("none"), 5).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn locks_of_killed_git_commands_go_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join(".git");
    let references = repository.join("refs/heads/overnight");
    fs::create_dir_all(&references).unwrap();
    fs::create_dir(repository.join("kept.lock")).unwrap();
    let outside = dir.path().join("outside.lock");
    for file in [repository.join("HEAD"), references.join("app-1"), outside.clone()] {
        fs::write(file, "x").unwrap();
    }
    std::os::unix::fs::symlink(&outside, repository.join("link.lock")).unwrap();
    let locks = [repository.join("index.lock"), repository.join("HEAD.lock"), references.join("app-1.lock")];
    locks.iter().for_each(|lock| fs::write(lock, "").unwrap());
    remove_locks(&repository).unwrap();
    assert!(locks.iter().all(|lock| !lock.exists()));
    for kept in ["HEAD", "refs/heads/overnight/app-1", "kept.lock", "link.lock"] {
        assert!(fs::symlink_metadata(repository.join(kept)).is_ok(), "{kept}");
    }
    assert!(outside.exists());
    // A link in its place leads nowhere, and none is no error.
    let link = dir.path().join("link");
    fs::write(repository.join("index.lock"), "").unwrap();
    std::os::unix::fs::symlink(&repository, &link).unwrap();
    remove_locks(&link).unwrap();
    remove_locks(&dir.path().join("nothing")).unwrap();
    assert!(repository.join("index.lock").exists());
}
