//! Reaching out of the workspace: to write where others rely on it, and to read what nobody gave.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{FIX, arrived};
use crate::harness::{Place, sh, skipped};

/// Everything below a directory that somebody could have changed: kind, size and content's length of life.
fn fingerprint(dir: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let mut all = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let meta = entry.path().symlink_metadata().unwrap();
            let time = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
            all.insert(entry.path().display().to_string(), (meta.mode(), meta.len(), time));
            if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
    all
}

/// The first job leaves a directory and a mirror; the second tries to change them, the person's repository and the database.
#[test]
fn an_agent_cannot_change_what_others_rely_on() {
    let place = Place::new();
    place.rehearse(&[FIX], &[]).expect_code(0);
    let first = place.only_job();
    place.git(&["branch", "-q", "-D", &place.branches()[0]]);
    let linked = place.path("linked");
    place.git(&["worktree", "add", "-q", "--detach", &linked.display().to_string()]);
    let other = place.data().join("jobs").join(first.job["id"].as_str().unwrap());
    let keep = [place.repo(), linked, other];
    let before: Vec<_> = keep.iter().map(|dir| fingerprint(dir)).collect();

    let tried = place.path("tried");
    std::fs::create_dir(&tried).unwrap();
    let script = format!(
        "touch '{tried}/begun'\n\
         for dir in '{repo}' '{repo}/.git' '{repo}/.git/hooks' '{repo}/.git/refs/heads' '{linked}' '{data}' '{data}/mirrors' '{data}'/mirrors/* \
                    '{data}/jobs' '{other}' '{other}/log'; do\n\
             echo pwned >\"$dir/pwned\" && touch '{tried}/written'; mkdir \"$dir/pwned-dir\"\n\
         done\n\
         for file in '{repo}/answer' '{repo}/.git/config' '{repo}/.git/index' '{linked}/answer' '{data}/overnight.db' '{data}/overnight.db-wal' '{other}'/log/*; do\n\
             echo pwned >>\"$file\"; mv \"$file\" \"$file.moved\"; rm -f \"$file\"; chmod 777 \"$file\"\n\
         done\n\
         find '{data}/mirrors' -type f -exec sh -c 'echo pwned >>\"$1\"; rm -f \"$1\"' sh {{}} \\;\n\
         git -C '{repo}' update-ref refs/heads/main HEAD~0; git -C '{repo}' branch pwned; rm -rf '{other}' '{repo}'\n\
         touch '{tried}/ended'\n",
        tried = tried.display(),
        repo = keep[0].display(),
        linked = keep[1].display(),
        other = keep[2].display(),
        data = place.data().display(),
    );
    place.rehearse(&[&format!("{}, {FIX}", sh(&script))], &[]).expect_code(0);
    if !place.shown("repo-2").guarded() {
        return skipped("writes outside the workspace", "namespaces are not permitted here");
    }
    assert!(tried.join("begun").exists() && tried.join("ended").exists(), "the agent tried nothing");
    assert!(!tried.join("written").exists());
    let after: Vec<_> = keep.iter().map(|dir| fingerprint(dir)).collect();
    let [repo_before, linked_before, other_before] = before.try_into().unwrap();
    let [repo_after, linked_after, other_after]: [BTreeMap<_, _>; 3] = after.try_into().unwrap();
    assert_eq!(linked_before, linked_after);
    assert_eq!(other_before, other_after);
    let differs = |path: &&String| repo_before.get(*path) != repo_after.get(*path);
    let changed: Vec<&String> = repo_before.keys().chain(repo_after.keys()).filter(differs).collect();
    // The second job's own branch is all that may be new.
    let git_dir = place.repo().join(".git");
    let of_a_push = |path: &Path| {
        let below = ["objects", "refs", "logs"].iter().any(|part| path.starts_with(git_dir.join(part)));
        below && !path.ends_with("pwned") || path == git_dir
    };
    assert!(changed.iter().all(|path| of_a_push(Path::new(path))), "{changed:?}");
    arrived(&place);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    place.finish();
}

/// Gathers whatever it can read into a file of the result, where nothing is masked.
const LOOT: &str = r#"
    { env; cat "$HOME"/.ssh/* "$HOME"/.netrc "$HOME"/.aws/* "$HOME"/.config/gh/* "$HOME"/.config/overnight/* "$HOME"/.git-credentials
      cat "$HOME"/plain
      for p in $PPID 1 $(ls /proc | grep '^[0-9]'); do tr '\0' '\n' </proc/$p/environ; tr '\0' ' ' </proc/$p/cmdline; done
      ls -l /proc/[0-9]*/fd
      strings "$DATA"/overnight.db*; cat "$DATA"/jobs/*/log/*; cat "$DATA"/overnight.db*
    } >loot 2>/dev/null </dev/null
    :
"#;

#[test]
fn an_agent_finds_no_key_anywhere() {
    let mut place = Place::new();
    for file in [".ssh/id_ed25519", ".netrc", ".aws/credentials", ".config/gh/hosts.yml", ".git-credentials"]
    {
        place.write(&format!("home/{file}"), &format!("canary-{file}\n"));
    }
    place.write("home/.config/overnight/config.toml", "# canary-config\n");
    place.write("home/plain", "visible-plain\n");
    place.env("GITHUB_TOKEN", "canary-github-token").env("SOME_VARIABLE", "canary-variable");
    place.env("SSH_AUTH_SOCK", "/canary-agent").env("ANTHROPIC_API_KEY", "canary-anthropic");
    place.rehearse(&[FIX], &["--title", "canary-other-job"]).expect_code(0);
    place.git(&["branch", "-q", "-D", &place.branches()[0]]);

    let loot = LOOT.replace("$DATA", &place.data().display().to_string());
    place.rehearse(&[&format!("{}, {FIX}", sh(&loot))], &[]).expect_code(0);
    let branch = arrived(&place);
    let found =
        String::from_utf8_lossy(&place.try_git(&place.repo(), &["show", &format!("{branch}:loot")]).stdout)
            .into_owned();
    assert!(found.contains("visible-plain") && found.contains("TMPDIR="), "it looked nowhere: {found}");
    let canaries: Vec<&str> = found.lines().filter(|line| line.contains("canary")).collect();
    if place.shown("repo-2").guarded() {
        assert!(canaries.is_empty(), "{canaries:?}");
    } else {
        assert!(!found.contains("canary-github-token") && !found.contains("canary-variable"), "{canaries:?}");
        skipped("keys in files", "namespaces are not permitted here");
    }
    place.finish();
}

/// A check is as little trusted as an agent: its code is the agent's.
#[test]
fn a_check_finds_no_key_and_changes_nothing_either() {
    let mut place = Place::new();
    place.write("home/.ssh/id_ed25519", "canary-ssh\n");
    place.env("GITHUB_TOKEN", "canary-github-token").env("ANTHROPIC_API_KEY", "canary-anthropic");
    let check = format!(
        "env; cat \"$HOME\"/.ssh/* /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; echo x >'{0}/pwned' || echo refused; \
         echo x >'{1}/pwned' || echo refused; ! env | grep -q canary",
        place.repo().display(),
        place.data().display()
    );
    place.rehearse(&[FIX], &["--verify", &check]).expect_code(0);
    if !place.only_job().guarded() {
        return skipped("checks and keys", "namespaces are not permitted here");
    }
    assert!(!place.repo().join("pwned").exists() && !place.data().join("pwned").exists());
    let logs = place.overnight(&["logs", "repo-1", "--checks"]).expect_code(0).stdout;
    assert!(logs.matches("refused").count() >= 2 && !logs.contains("canary"), "{logs}");
    place.finish();
}

/// What the runner knows to be secret is masked even when an agent got hold of it another way.
#[test]
fn a_known_token_that_is_printed_is_masked_everywhere() {
    let mut place = Place::new();
    let token = "canary-Tok3n-9f8e7d6c5b4a";
    place.env("GITHUB_TOKEN", token);
    let say = format!("{{ say = \"the token is {token}\" }}, {{ garbage = {{ text = \"{token}\" }} }}");
    let steps = format!("{say}, {{ write = {{ path = \"note\", content = \"{token}\" }} }}, {FIX}");
    place.rehearse(&[&steps], &["--verify", "cat note check.sh; cat note >&2; sh check.sh"]).expect_code(0);
    for args in [&["logs", "repo-1"][..], &["logs", "repo-1", "--raw"], &["logs", "repo-1", "--checks"]] {
        let shown = place.overnight(args).expect_code(0).stdout;
        assert!(!shown.contains(token), "{args:?}: {shown}");
    }
    place.expect_not_stored(token);
    place.finish();
}
