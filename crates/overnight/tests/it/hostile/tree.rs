//! Trees that are made to break whoever reads, copies or removes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{FIX, arrived};
use crate::harness::{Place, sh};

/// Names in the tree of a branch, as bytes, with their modes.
fn listed(place: &Place, branch: &str) -> Vec<(String, Vec<u8>)> {
    let output = place.try_git(&place.repo(), &["ls-tree", "-r", "-z", branch]);
    let entries = output.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let entry = |entry: &[u8]| {
        let tab = entry.iter().position(|byte| *byte == b'\t').unwrap();
        (String::from_utf8_lossy(&entry[..6]).into_owned(), entry[tab + 1..].to_owned())
    };
    entries.map(entry).collect()
}

fn mode(tree: &[(String, Vec<u8>)], name: &[u8]) -> Option<String> {
    tree.iter().find(|(_, found)| found == name).map(|(mode, _)| mode.clone())
}

#[test]
fn hostile_file_names_arrive_as_they_are() {
    let mut place = Place::new();
    place.env("OVERNIGHT_PREFLIGHT_WARN", "file-name");
    let long = "n".repeat(255);
    let script = r#"
        printf x >"$(printf 'new\nline')"
        printf x >"$(printf 'bad\377utf')"
        printf x >./-rf
        printf x >./--upload-pack=evil
        printf x >'$(touch pwned)`touch pwned`;touch pwned'
        printf x >' leading and trailing '
        printf x >'"quoted" \back'
        printf x >"$(printf 'esc\033[2Jape')"
        printf x >':(exclude)*'
        printf x >'*'
        mkdir CON aux; printf x >aux/nul.txt; printf x >'COM1'
        printf x >LONG
    "#;
    place
        .rehearse(&[&format!("{}, {FIX}", sh(&script.replace("LONG", &long)))], &[])
        .expect_code(0)
        .expect_plain();
    let branch = arrived(&place);
    let tree = listed(&place, &branch);
    let names: [&[u8]; 12] = [
        b"new\nline",
        b"bad\xffutf",
        b"-rf",
        b"--upload-pack=evil",
        b"$(touch pwned)`touch pwned`;touch pwned",
        b" leading and trailing ",
        b"\"quoted\" \\back",
        b"esc\x1b[2Jape",
        b":(exclude)*",
        b"*",
        b"aux/nul.txt",
        long.as_bytes(),
    ];
    for name in names {
        assert_eq!(mode(&tree, name).as_deref(), Some("100644"), "{:?}", OsStr::from_bytes(name));
    }
    assert_eq!(mode(&tree, b"pwned"), None);
    place.overnight(&["diff", "repo-1", "--stat"]).expect_code(0);
    place.finish();
}

#[test]
fn links_are_brought_home_as_links_and_never_followed() {
    let mut place = Place::new();
    place.env("OVERNIGHT_PREFLIGHT_WARN", "link-outside");
    let outside = place.write("outside/secret", "canary-outside\n");
    let script = format!(
        "ln -s /etc/passwd passwd; ln -s '{0}' dir; ln -s ../../../.. up; ln -s loop loop; ln -s nowhere dangling\n\
         rm check.sh; ln -s /etc/hostname check.sh; git checkout -q check.sh\n\
         mkdir real; ln -s real via; printf x >real/file",
        outside.parent().unwrap().display()
    );
    place.rehearse(&[&format!("{}, {FIX}", sh(&script))], &[]).expect_code(0);
    let branch = arrived(&place);
    let tree = listed(&place, &branch);
    for link in ["passwd", "dir", "up", "loop", "dangling", "via"] {
        assert_eq!(mode(&tree, link.as_bytes()).as_deref(), Some("120000"), "{link}");
    }
    assert_eq!(place.show(&branch, "passwd"), "/etc/passwd");
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "canary-outside\n");
    place.finish();
}

#[test]
fn what_is_no_file_is_left_out_and_cleared_away() {
    let place = Place::new();
    let script = r#"
        mkfifo pipe; mknod null c 1 3 2>/dev/null || :
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")' 2>/dev/null || :
        p=deep; for i in $(seq 300); do p=$p/d; done; mkdir -p "$p"; printf x >"$p/file"
        mkdir locked; printf x >locked/in; chmod 000 locked
        printf x >unreadable; chmod 000 unreadable
        mkdir sticky; chmod 1555 sticky
    "#;
    place.rehearse(&[&format!("{FIX}, {}", sh(script))], &[]).expect_code(0);
    let branch = arrived(&place);
    let tree = listed(&place, &branch);
    for name in ["pipe", "null", "sock"] {
        assert_eq!(mode(&tree, name.as_bytes()), None, "{name}");
    }
    let deep = format!("deep{}/file", "/d".repeat(300));
    assert_eq!(mode(&tree, deep.as_bytes()).as_deref(), Some("100644"));
    let both = ["unreadable", "locked/in"].iter().all(|name| mode(&tree, name.as_bytes()).is_some());
    assert!(both || place.only_job().noticed("unreadable_files_left_out"), "left out and not told");
    place.finish();
}

/// Deeper than any path that the system takes: only descriptors reach it.
#[test]
fn a_tree_deeper_than_any_path_is_cleared_away() {
    let place = Place::new();
    let script = "i=0; while [ $i -lt 60 ]; do mkdir dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd \
                  && cd -P d* || break; i=$((i+1)); done; printf x >file";
    let outcome = place.rehearse(&[&format!("{FIX}, {}", sh(script))], &[]);
    assert!(matches!(outcome.code, Some(0 | 6 | 8)), "{outcome:?}");
    let job = place.only_job();
    if outcome.code == Some(8) {
        place.overnight(&["cancel", "repo-1"]).expect_code(0);
    } else {
        assert_eq!(job.state(), "ended");
    }
    place.finish();
}

#[test]
fn a_workspace_that_is_emptied_or_exchanged_leads_nowhere() {
    let place = Place::new();
    let script = r#"
        w=$PWD; cd ..; mv "$w" "$w.gone"; ln -s /etc "$w"; rm -rf "$w.ready" "$w.index"
        mkdir -p "$TMPDIR/../out"; rm -rf "$TMPDIR"; ln -s /etc "$TMPDIR" 2>/dev/null || :
    "#;
    let outcome = place.rehearse(&[&format!("{FIX}, {}", sh(script))], &[]);
    let job = place.only_job();
    if job.guarded() {
        // The tree cannot be exchanged, so the link ends up within it.
        outcome.expect_code(5).expect_said(&["link-outside"]);
        assert_eq!(job.reason(), "gate_refused");
        assert!(place.branches().is_empty());
    } else {
        assert_ne!(outcome.code, Some(1), "{outcome:?}");
    }
    assert!(std::path::Path::new("/etc/passwd").exists());
    let emptied = sh("rm -rf ./* ./.[!.]* \"$TMPDIR\"/*");
    place.rehearse(&[&emptied], &["--attempts", "1"]).expect_code(5);
    assert_eq!(place.shown("repo-2").job["attempt"], 1);
    place.finish();
}
