//! What agents do to their repository: break it, rewrite it, plant traps in it.

use std::path::Path;
use std::process::Command;

use super::{FIX, arrived};
use crate::harness::{Place, sh};

#[test]
fn without_its_git_directory_the_work_is_saved_all_the_same() {
    let table = [
        "rm -rf .git",
        "rm -rf .git; echo nonsense >.git",
        "rm -rf .git; ln -s /etc .git",
        "rm -rf .git; git init -q .",
        ": >.git/HEAD",
        "rm -rf .git/objects; mkdir .git/objects",
        "printf garbage >.git/config",
        "chmod 000 .git",
    ];
    let place = Place::new();
    for (number, script) in (1..).zip(table) {
        place.rehearse(&[&format!("{FIX}, {}", sh(script))], &[]).expect_code(0);
        let branch = format!("overnight/repo-{number}-make-the-check-pass");
        assert_eq!(place.show(&branch, "answer"), "42", "{script}");
        place.git(&["merge-base", "--is-ancestor", "main", &branch]);
    }
    assert!(place.shown("repo-1").noticed("git_directory_salvaged"));
    place.finish();
}

/// However the agent left its history, the result is a branch on the person's base with the tree as it was left.
#[test]
fn any_state_of_the_history_becomes_a_branch_on_the_base() {
    const FIXED: &str = "echo 42 >answer; git add -A; git commit -qm fixed";
    let table = [
        ("an orphan", "git checkout -q --orphan new; FIXED"),
        ("amended", "echo 42 >answer; git commit -qa --amend -m amended"),
        ("moved back", "git reset -q --hard HEAD~1; git checkout -q HEAD@{1} -- .; FIXED"),
        ("another branch", "git checkout -qb other; FIXED; git branch -qD main 2>/dev/null || :"),
        ("detached", "git checkout -q --detach; FIXED; git tag overnight/x"),
        (
            "squashed and forced",
            "FIXED; git update-ref refs/heads/overnight/repo-9 HEAD; git update-ref refs/heads/main HEAD",
        ),
        (
            "a merge in progress",
            "git checkout -qb a; echo 1 >answer; git commit -qam 1; git checkout -q -; echo 2 >answer; git commit -qam 2; git merge a; echo 42 >answer",
        ),
        (
            "a rebase in progress",
            "git checkout -qb a; echo 1 >answer; git commit -qam 1; git checkout -qb b HEAD~1; echo 2 >answer; git commit -qam 2; git rebase a; echo 42 >answer",
        ),
        ("locked", "echo 42 >answer; : >.git/index.lock; : >.git/HEAD.lock; : >.git/refs/heads/x.lock"),
        (
            "a hidden change",
            "git update-index --assume-unchanged answer; git update-index --skip-worktree answer; echo 42 >answer",
        ),
        ("a sparse checkout", "echo 42 >answer; git sparse-checkout set nothing; echo 42 >answer"),
        ("replaced and grafted", "FIXED; git replace HEAD HEAD~1; echo 42 >answer"),
    ];
    let place = Place::new();
    place.write_in(&place.repo(), "second", "2\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "Second"]);
    for (number, (what, script)) in (1..).zip(table) {
        let outcome = place.rehearse(&[&sh(&script.replace("FIXED", FIXED))], &["--verify", "sh check.sh"]);
        assert_eq!(outcome.code, Some(0), "{what}: {}", outcome.stderr);
        let branch = format!("overnight/repo-{number}-make-the-check-pass");
        assert_eq!(place.show(&branch, "answer"), "42", "{what}");
        place.git(&["merge-base", "--is-ancestor", "main", &branch]);
    }
    assert!(place.shown("repo-1").noticed("history_grafted"));
    assert_eq!(place.branches().len(), table.len(), "no name of the agent's reached the person's repository");
    assert_eq!(place.git(&["tag"]), "");
    place.git(&["fsck", "--strict", "--no-dangling"]);
    place.finish();
}

#[test]
fn repositories_inside_the_tree_are_left_out() {
    let table = [
        ("loose", "git init -q in; cd in; echo x >x; git add x; git WHO commit -qm x"),
        (
            "committed",
            "git init -q in; (cd in; echo x >x; git add x; git WHO commit -qm x); git add in; git commit -qm in",
        ),
        (
            "a bare pointer",
            "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),in; git commit -qm in",
        ),
    ];
    let place = Place::new();
    for (number, (what, script)) in (1..).zip(table) {
        let script = script.replace("WHO", "-c user.name=a -c user.email=a@b.c");
        place.rehearse(&[&format!("{}, {FIX}", sh(&script))], &[]).expect_code(0);
        let branch = format!("overnight/repo-{number}-make-the-check-pass");
        let tree = place.git(&["ls-tree", "-r", &branch]);
        assert!(!tree.contains("160000"), "{what}: nobody else has these commits: {tree}");
    }
    assert!(place.shown("repo-1").noticed("nested_repositories_left_out"));
    assert!(place.shown("repo-2").noticed("nested_repositories_left_out"));
    place.finish();
}

#[test]
fn checks_that_the_agent_weakens_stay_as_they_were() {
    let place = Place::new();
    let weaker = r#"{ write = { path = "overnight.toml", content = "[verify]\nchecks = [\"true\"]\n" } }, { commit = { message = "Weaker" } }"#;
    place.rehearse(&[weaker], &["--attempts", "2"]).expect_code(5);
    assert!(place.branches().is_empty());
    assert_eq!(place.only_job().first("grounded").unwrap()["checks"][0], "sh check.sh");
    place.finish();
}

/// Writes into `$C` from every place where git runs programs that a repository names. `$T` holds a git directory for the
/// last of them.
const TRAPS: &str = r#"
trap_() { printf '#!/bin/sh\ntouch "%s/%s"\ncat 2>/dev/null\nexit 0\n' "$C" "$1" >".git/trap-$1"; chmod +x ".git/trap-$1"; printf %s "$PWD/.git/trap-$1"; }
for hook in pre-commit post-commit post-checkout post-index-change reference-transaction pre-push pre-auto-gc; do
    cp "$(trap_ "$hook")" ".git/hooks-$hook"; mkdir -p .git/hooks; cp ".git/hooks-$hook" ".git/hooks/$hook"
done
git config core.fsmonitor "$(trap_ fsmonitor)"
git config filter.evil.clean "$(trap_ clean)"
git config filter.evil.smudge "$(trap_ smudge)"
git config diff.evil.textconv "$(trap_ textconv)"
git config diff.evil.command "$(trap_ diff-command)"
git config merge.evil.driver "$(trap_ merge)"
git config core.sshCommand "$(trap_ ssh)"
git config credential.helper "$(trap_ credential)"
git config gpg.program "$(trap_ gpg)"
git config uploadpack.packObjectsHook "$(trap_ pack-objects)"
git config core.pager "$(trap_ pager)"
git config alias.status "!$(trap_ alias)"
git config url.ext::evil.pushInsteadOf /
echo '* filter=evil diff=evil merge=evil' >.gitattributes
mkdir -p sub; git init -q sub; git -C sub config core.fsmonitor "$(trap_ nested)"; : >sub/file
"#;

/// Turns the repository into one whose git directory lies elsewhere.
const SWAP: &str = "mkdir -p \"$T\"; mv .git \"$T/swapped\"; echo \"gitdir: $T/swapped\" >.git; git config core.fsmonitor \"touch '$C/swapped';:\"\n";

/// What a careless runner would do with the agent's tree.
fn walk_into(repo: &Path, home: &Path) {
    let run = |args: &[&str]| {
        let mut git = Command::new("git");
        let path = std::env::var_os("PATH").unwrap();
        git.args(args)
            .current_dir(repo)
            .env_clear()
            .env("PATH", path)
            .env("HOME", home)
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Person")
                .env(format!("GIT_{who}_EMAIL"), "person@example.org");
        }
        drop(git.output().unwrap());
    };
    for args in
        [&["status"][..], &["add", "-A"], &["commit", "-qm", "x"], &["diff", "HEAD~1"], &["log", "-p"]]
    {
        run(args);
    }
}

fn sprung(canary: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(canary).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The canary's directory is one that the runner can write and the contained agent cannot, so that only what runs outside
/// the containment can leave a mark there. The control shows that it would.
#[test]
fn traps_in_the_agents_repository_catch_nobody_outside() {
    for (what, swap, least) in [("planted", "", 6), ("swapped", SWAP, 1)] {
        let place = Place::new();
        let canary = place.data().join("canary");
        std::fs::create_dir_all(&canary).unwrap();

        let control = place.path("control");
        place.git_in(place.repo().parent().unwrap(), &["clone", "-q", "repo", "control"]);
        let elsewhere = place.path("elsewhere").display().to_string();
        let plant = |elsewhere: &str| format!("C='{}' T={elsewhere}\n{TRAPS}{swap}", canary.display());
        let status = Command::new("sh")
            .arg("-c")
            .arg(plant(&elsewhere))
            .current_dir(&control)
            .env("HOME", place.home())
            .status();
        assert!(status.unwrap().success());
        walk_into(&control, &place.home());
        let caught = sprung(&canary);
        assert!(caught.len() >= least, "{what}: the traps do not work: {caught:?}");
        caught.iter().for_each(|name| std::fs::remove_file(canary.join(name)).unwrap());

        let steps = format!("{FIX}, {}", sh(&plant("\"$TMPDIR/elsewhere\"")));
        place.rehearse(&[&steps], &[]).expect_code(0);
        arrived(&place);
        if place.only_job().guarded() {
            assert_eq!(sprung(&canary), [""; 0], "{what}");
        } else {
            crate::harness::skipped("traps", "without namespaces the agent itself can write the canary");
        }
        place.finish();
    }
}
