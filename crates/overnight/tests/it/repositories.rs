//! Every kind of repository that people have: each works, or is refused with what to do.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::harness::{Outcome, Place, with_prompt};

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;

/// Runs on the repository at `dir`, from elsewhere.
fn run_on(place: &Place, dir: &Path, more: &[&str]) -> Outcome {
    let script = place.script(&[FIX]);
    let mut command = place.command(&place.home(), &with_prompt(&script, more));
    command.arg("-C").arg(dir);
    Outcome::of(command)
}

/// The one branch that came of it, in the repository at `dir`.
#[track_caller]
fn arrived(place: &Place, dir: &Path, outcome: Outcome) -> String {
    outcome.expect_code(0);
    let branches = place.git_in(dir, &["for-each-ref", "--format=%(refname:short)", "refs/heads/overnight"]);
    assert_eq!(branches.lines().count(), 1, "{branches}");
    assert_eq!(place.git_in(dir, &["show", &format!("{branches}:answer")]), "42");
    place.git_in(dir, &["fsck", "--strict", "--no-dangling"]);
    branches
}

#[test]
fn a_detached_head_is_the_base_and_stays_detached() {
    let place = Place::new();
    place.git(&["commit", "-q", "--allow-empty", "-m", "Later"]);
    place.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    let branch = arrived(&place, &place.repo(), run_on(&place, &place.repo(), &[]));
    assert_eq!(place.git(&["branch", "--show-current"]), "");
    assert_eq!(place.git(&["rev-parse", "HEAD"]), place.git(&["rev-parse", &format!("{branch}~1")]));
    place.finish();
}

#[test]
fn a_bare_repository_gets_its_branch_too() {
    let place = Place::new();
    let bare = place.path("bare.git");
    place.git(&["clone", "-q", "--bare", ".", &bare.display().to_string()]);
    arrived(&place, &bare, run_on(&place, &bare, &[]));
    assert!(place.branches().is_empty());
    assert_eq!(place.keys(), ["bare-1"]);
    place.finish();
}

#[test]
fn a_linked_work_tree_stands_for_its_repository() {
    let place = Place::new();
    let linked = place.path("linked");
    place.git(&["worktree", "add", "-q", "-b", "side", &linked.display().to_string()]);
    place.write_in(&linked, "side", "x\n");
    place.git_in(&linked, &["add", "side"]);
    place.git_in(&linked, &["commit", "-qm", "Side"]);
    let branch = arrived(&place, &linked, run_on(&place, &linked, &[]));
    assert_eq!(place.show(&branch, "side"), "x", "the base is the linked tree's commit");
    assert_eq!(place.git_in(&linked, &["status", "--porcelain", "--branch"]), "## side");
    assert_eq!(place.git(&["status", "--porcelain", "--branch"]), "## main");
    place.finish();
}

#[test]
fn a_directory_below_the_top_stands_for_the_repository() {
    let place = Place::new();
    place.write_in(&place.repo(), "deep/er/file", "x\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "Deep"]);
    arrived(&place, &place.repo(), run_on(&place, &place.repo().join("deep/er"), &[]));
    place.finish();
}

#[test]
fn a_shallow_clone_works_and_says_that_it_is_one() {
    let place = Place::new();
    place.git(&["commit", "-q", "--allow-empty", "-m", "Later"]);
    let (shallow, url) = (place.path("shallow"), format!("file://{}", place.repo().display()));
    place.git_in(&place.home(), &["clone", "-q", "--depth", "1", &url, &shallow.display().to_string()]);
    let outcome = run_on(&place, &shallow, &[]).expect_said(&["shallow"]);
    arrived(&place, &shallow, outcome);
    assert_eq!(place.git_in(&shallow, &["rev-parse", "--is-shallow-repository"]), "true");
    place.finish();
}

#[test]
fn a_partial_clone_is_refused_with_the_way_out() {
    let place = Place::new();
    place.git(&["config", "uploadpack.allowFilter", "true"]);
    let (partial, url) = (place.path("partial"), format!("file://{}", place.repo().display()));
    place.git_in(&place.home(), &["clone", "-q", "--filter=blob:none", &url, &partial.display().to_string()]);
    run_on(&place, &partial, &[]).expect_code(2).expect_said(&["partial clone", "--refetch"]);
    place.finish();
}

#[test]
fn submodules_stay_as_they_are_and_are_told() {
    let place = Place::new();
    let inner = place.make_repo("inner");
    place.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        &inner.display().to_string(),
        "sub",
    ]);
    place.git(&["commit", "-qm", "Add a submodule"]);
    let branch = arrived(&place, &place.repo(), run_on(&place, &place.repo(), &[]));
    for branch in ["main", &branch] {
        assert!(place.git(&["ls-tree", branch, "sub"]).starts_with("160000 commit"), "{branch}");
    }
    assert_eq!(place.git(&["ls-tree", "main", "sub"]), place.git(&["ls-tree", &branch, "sub"]));
    assert!(place.only_job().noticed("submodules_not_fetched"));
    place.finish();
}

#[test]
fn lfs_pointers_pass_unchanged_and_are_told() {
    let place = Place::new();
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n", "a".repeat(64));
    place.write_in(&place.repo(), ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    place.write_in(&place.repo(), "big.bin", &pointer);
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "Large"]);
    let branch = arrived(&place, &place.repo(), run_on(&place, &place.repo(), &[]));
    assert_eq!(place.git(&["ls-tree", "main", "big.bin"]), place.git(&["ls-tree", &branch, "big.bin"]));
    assert!(place.only_job().noticed("lfs_pointers_not_fetched"));
    place.finish();
}

#[test]
fn names_that_are_not_utf_8_survive() {
    let place = Place::new();
    let name = OsStr::from_bytes(b"caf\xe9 \n\x1b[31m");
    std::fs::write(place.repo().join(name), "x\n").unwrap();
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "Odd name"]);
    let branch = arrived(&place, &place.repo(), run_on(&place, &place.repo(), &[]).expect_plain());
    let names = |branch: &str| place.try_git(&place.repo(), &["ls-tree", "-z", "--name-only", branch]).stdout;
    assert_eq!(names("main"), names(&branch));
    assert!(names(&branch).windows(4).any(|bytes| bytes == b"caf\xe9"));
    place.finish();
}

#[test]
fn a_sha_256_repository_works() {
    let place = Place::bare();
    let repo = place.path("sha");
    std::fs::create_dir(&repo).unwrap();
    place.git_in(&repo, &["init", "-q", "--object-format=sha256", "-b", "main"]);
    place.write_in(&repo, "answer", "41\n");
    place.write_in(&repo, "overnight.toml", "[verify]\nchecks = [\"grep -q 42 answer\"]\n");
    place.git_in(&repo, &["add", "-A"]);
    place.git_in(&repo, &["commit", "-qm", "Start"]);
    let branch = arrived(&place, &repo, run_on(&place, &repo, &[]));
    assert_eq!(place.git_in(&repo, &["rev-parse", &branch]).len(), 64);
    place.finish();
}

#[test]
fn a_repository_may_lie_at_an_odd_path() {
    let place = Place::bare();
    for name in ["sp ace", "ünïcødé ☃", "-dash", "quote'\"$(x)`", "colon:and#hash", "trailing "] {
        let repo = place.make_repo(name);
        let outcome = run_on(&place, &repo, &[]).expect_plain();
        arrived(&place, &repo, outcome);
    }
    assert_eq!(place.keys().len(), 6);
    place.finish();
}

#[test]
fn a_path_that_is_no_text_on_one_line_is_refused_by_name() {
    let place = Place::new();
    for name in [&b"caf\xe9"[..], b"new\nline", b"esc\x1b[2J"] {
        let odd = place.repo().parent().unwrap().join(OsStr::from_bytes(name));
        std::fs::rename(place.repo(), &odd).unwrap();
        run_on(&place, &odd, &[])
            .expect_code(2)
            .expect_plain()
            .expect_said(&["UTF-8", "move the repository"]);
        std::fs::rename(odd, place.repo()).unwrap();
    }
    assert!(place.keys().is_empty());
    place.finish();
}

#[test]
fn the_default_branch_may_have_any_name() {
    let place = Place::new();
    for name in ["trunk", "feature/ünusual.name", "a\u{3000}b;$(c)", "-dash"] {
        place.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{name}")]);
        place.git(&["update-ref", &format!("refs/heads/{name}"), "main"]);
        run_on(&place, &place.repo(), &[]).expect_code(0).expect_plain();
    }
    assert_eq!(place.branches().len(), 4);
    place.finish();
}

/// Below a branch of this name git can have no other: said, and the work is kept.
#[test]
fn a_branch_that_has_our_name_is_in_the_way_and_named() {
    let place = Place::new();
    place.git(&["branch", "overnight"]);
    run_on(&place, &place.repo(), &[])
        .expect_code(8)
        .expect_said(&["'refs/heads/overnight' exists", "overnight resume repo-1"]);
    assert!(place.overnight(&["diff", "repo-1"]).expect_code(0).stdout.contains("+42"));
    place.git(&["branch", "-q", "-m", "overnight", "mine"]);
    place.overnight(&["resume"]).expect_code(0);
    assert_eq!(place.only_job().job["turns"], 1);
    place.finish();
}

/// What is checked out, staged and uncommitted is the person's: neither a rebase in progress nor a held lock is in the way.
#[test]
fn a_repository_in_the_middle_of_something_is_left_as_it_is() {
    let place = Place::new();
    place.git(&["checkout", "-qb", "other"]);
    place.write_in(&place.repo(), "answer", "1\n");
    place.git(&["commit", "-qam", "One"]);
    place.git(&["checkout", "-q", "main"]);
    place.write_in(&place.repo(), "answer", "2\n");
    place.git(&["commit", "-qam", "Two"]);
    assert!(!place.try_git(&place.repo(), &["merge", "other"]).status.success());
    let before = place.git(&["status", "--porcelain=v2", "--branch"]);
    place.write_in(&place.repo(), ".git/index.lock", "");
    let outcome = run_on(&place, &place.repo(), &[]).expect_said(&["uncommitted"]);
    std::fs::remove_file(place.repo().join(".git/index.lock")).unwrap();
    arrived(&place, &place.repo(), outcome);
    assert_eq!(place.git(&["status", "--porcelain=v2", "--branch"]), before);
    place.finish();
}

#[test]
fn the_base_may_be_named() {
    let place = Place::new();
    place.git(&["tag", "v1"]);
    place.git(&["commit", "-q", "--allow-empty", "-m", "Later"]);
    let branch = arrived(&place, &place.repo(), run_on(&place, &place.repo(), &["--base", "v1"]));
    assert_eq!(place.git(&["rev-parse", "v1"]), place.git(&["rev-parse", &format!("{branch}~1")]));
    for base in ["nowhere", "--output=/tmp/x", "HEAD~99", "main:answer"] {
        let base = format!("--base={base}");
        run_on(&place, &place.repo(), &[&base]).expect_code(2).expect_said(&["there is no commit", "--base"]);
    }
    place.finish();
}

#[test]
fn an_empty_directory_and_a_file_are_no_repositories() {
    let place = Place::bare();
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    run_on(&place, &empty, &[])
        .expect_code(2)
        .expect_said(&["empty is not inside a git repository", "git init"]);
    let file = place.write("file", "x");
    run_on(&place, &file, &[]).expect_code(2).expect_said(&["file does not exist or is not a directory"]);
    assert!(place.keys().is_empty());
    place.finish();
}
