//! Mirrors of every kind of source, and mirrors that a crash has hit.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::testing::{Lab, command, commit_file, git, head, local, try_git, wait};
use crate::{Class, Wanted};

fn jobs_ref_count(mirror: &Mirror) -> usize {
    git(mirror.path(), ["--git-dir=.", "for-each-ref", "refs/overnight/jobs"]).lines().count()
}

#[tokio::test]
async fn a_default_branch_is_asked_for_and_never_assumed() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    git(&repo, ["branch", "-m", "main", "trunk;touch$IFS'canary'"]);
    git(&repo, ["branch", "other"]);
    let mirror = lab.mirror(&repo).await;
    let fetched = mirror.fetch_commit(&local(&repo), &Wanted::DefaultBranch).await.unwrap();
    assert_eq!((fetched.commit, fetched.branch.as_deref()), (head(&repo), Some("trunk;touch$IFS'canary'")));
    let missing = mirror.fetch_commit(&local(&repo), &Wanted::Branch("none".to_owned())).await.unwrap_err();
    assert!(matches!(missing, GitError::NoSuchBranch { .. }), "{missing}");
    git(&repo, ["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let gone = mirror.fetch_commit(&local(&repo), &Wanted::DefaultBranch).await.unwrap_err();
    assert!(matches!(gone, GitError::NoDefaultBranch { .. }), "{gone}");
}

#[tokio::test]
async fn an_empty_remote_and_a_missing_one_are_told_apart() {
    let lab = Lab::new().await;
    git(lab.dir.path(), ["init", "-q", "empty"]);
    let error = lab.mirrors().open_or_create(&local(&lab.path("empty")), &wait()).await.unwrap_err();
    assert!(matches!(error, GitError::EmptyRemote { .. }), "{error}");
    let error = lab.mirrors().open_or_create(&local(&lab.path("none")), &wait()).await.unwrap_err();
    assert_eq!(error.class(), Class::NotFound, "{error}");
}

#[tokio::test]
async fn a_fetched_commit_is_kept_and_costs_nothing_the_second_time() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    fs::rename(&repo, lab.path("moved")).unwrap();
    let again = mirror.fetch_commit(&local(&repo), &Wanted::Commit(base.clone())).await.unwrap();
    assert_eq!(again.commit, base);
    git(mirror.path(), ["--git-dir=.", "gc", "-q", "--prune=now"]);
    assert_eq!(mirror.list_root(&base).await.unwrap(), [b"a.txt".to_vec()]);
}

#[tokio::test]
async fn names_of_any_bytes_links_and_submodules_are_read_as_they_are() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let odd = std::ffi::OsStr::from_bytes(b"-a\n\xff*");
    fs::write(repo.join(odd), "odd").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repo.join("link")).unwrap();
    let old = head(&repo);
    git(&repo, ["update-index", "--add", "--cacheinfo", &format!("160000,{old},sub")]);
    fs::write(repo.join("bin"), b"\0\x01").unwrap();
    git(&repo, ["add", "--", "bin", "link"]);
    assert!(command("git", &repo).arg("add").arg("--").arg(odd).status().unwrap().success());
    git(&repo, ["commit", "-q", "-m", "odd\n\nbody"]);
    let (mirror, tip) = lab.mirror_with_head(&repo).await;
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(old.clone())).await.unwrap();
    assert!(mirror.list_root(&tip).await.unwrap().contains(&b"-a\n\xff*".to_vec()));
    assert_eq!(mirror.read_file(&tip, b"-a\n\xff*", 10).await.unwrap().as_deref(), Some(b"odd".as_slice()));
    assert_eq!(mirror.read_file(&tip, b"link", 100).await.unwrap(), None);
    assert_eq!(mirror.read_file(&tip, b"none", 100).await.unwrap(), None);
    assert!(matches!(mirror.read_file(&tip, b"a.txt", 3).await, Err(GitError::TooLarge { .. })));
    let changed = mirror.changed_paths(&old, &tip).await.unwrap();
    assert_eq!(changed.iter().map(|c| c.new_mode).filter(|mode| *mode == 0o160_000).count(), 1);
    let stat = mirror.diff_stat(&old, &tip).await.unwrap();
    assert_eq!((stat.files, stat.deletions), (4, 0));
    let (patch, cut) = mirror.patch(&old, &tip, 60).await.unwrap();
    assert!(cut && patch.len() == 60);
    assert!(mirror.is_ancestor(&old, &tip).await.unwrap() && !mirror.is_ancestor(&tip, &old).await.unwrap());
    assert_eq!(mirror.log_subjects(&old, &tip, 5).await.unwrap(), ["odd"]);
    assert_eq!(mirror.log_subjects(&tip, &tip, 5).await.unwrap(), Vec::<String>::new());
    assert_eq!(mirror.count_commits(&old, &tip).await.unwrap(), 1);
}

#[tokio::test]
async fn a_change_is_read_whole_whatever_its_names_and_attributes() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    fs::write(repo.join("kind"), "file\n").unwrap();
    fs::write(repo.join("gone"), "one\ntwo\n").unwrap();
    git(&repo, ["add", "-A"]);
    git(&repo, ["commit", "-q", "-m", "more"]);
    let base = head(&repo);
    // Attributes of the change itself must not hide anything from who looks at it.
    fs::write(repo.join(".gitattributes"), "* -diff\n*.key binary\n").unwrap();
    fs::write(repo.join("a.key"), "hidden\n").unwrap();
    fs::write(repo.join("bin"), b"x\0y\n").unwrap();
    fs::remove_file(repo.join("gone")).unwrap();
    fs::remove_file(repo.join("kind")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repo.join("kind")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"n\n\xff diff --git a b");
    fs::write(repo.join(odd), "--- a\n+++ b\n@@ -1 +1 @@\ndiff --git a/x b/x\n").unwrap();
    git(&repo, ["add", "-A"]);
    git(&repo, ["update-index", "--add", "--cacheinfo", &format!("160000,{base},sub")]);
    git(&repo, ["commit", "-q", "--author", "Boss <boss@example.org>", "-m", "odd"]);
    let (mirror, tip) = lab.mirror_with_head(&repo).await;
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(base.clone())).await.unwrap();

    let change = mirror.change(&base, &tip, None).await.unwrap();
    assert_eq!(change.unread, None);
    let of = |name: &str| change.files.iter().find(|file| file.path == name.as_bytes()).unwrap();
    let added = |name: &str| of(name).added().map(|(_, line)| line.to_owned()).collect::<Vec<_>>();
    assert_eq!(added("a.key"), ["hidden"]);
    assert_eq!((of("a.key").size, of("a.key").binary, of("bin").binary), (Some(7), false, true));
    assert!(of("gone").is_gone() && of("gone").removed().count() == 2);
    assert_eq!((added("kind"), of("kind").new_mode), (vec!["/etc/passwd".to_owned()], 0o120_000));
    assert_eq!((of("sub").new_mode, of("sub").size), (0o160_000, None));
    let strange = change.files.iter().find(|file| file.path == odd.as_bytes()).unwrap();
    assert_eq!(strange.added().count(), 4);
    assert_eq!(change.commits.len(), 1);
    assert_eq!(change.commits[0].author, "Boss <boss@example.org>");
}

#[tokio::test]
async fn a_change_beyond_the_limits_says_so() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let base = head(&repo);
    fs::write(repo.join("big"), "0123456789abcdef\n".repeat(1_200_000)).unwrap();
    fs::write(repo.join("z"), "last\n").unwrap();
    git(&repo, ["add", "-A"]);
    git(&repo, ["commit", "-q", "-m", "big"]);
    let (mirror, tip) = lab.mirror_with_head(&repo).await;
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(base.clone())).await.unwrap();
    let change = mirror.change(&base, &tip, None).await.unwrap();
    assert!(change.unread.as_deref().is_some_and(|why| why.contains("16 MB")), "{:?}", change.unread);
    assert_eq!(change.files.len(), 2);
    assert_eq!(change.files[0].size, Some(17 * 1_200_000));

    // Many files: what lies beyond the limit is said, and nothing takes long.
    let many: String = (0..30_000)
        .map(|n| format!("100644 blob {}\tf{n}\n", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"))
        .collect();
    git(&repo, ["hash-object", "-w", "-t", "blob", "/dev/null"]);
    fs::write(repo.join("../list"), many).unwrap();
    let made = command("sh", &repo)
        .args(["-c", "git commit-tree -p HEAD -m many $(git mktree < ../list)"])
        .output()
        .unwrap();
    let many = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    git(&repo, ["update-ref", "refs/heads/main", &many]);
    let (mirror, tip) = lab.mirror_with_head(&repo).await;
    let change = mirror.change(&base, &tip, None).await.unwrap();
    assert!(change.unread.as_deref().is_some_and(|why| why.contains("30001 files")), "{:?}", change.unread);
    assert_eq!(change.files.len(), 20_000);
}

#[tokio::test]
async fn the_root_that_is_known_is_that_of_the_commit_that_is_asked() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let old = head(&repo);
    commit_file(&repo, "a.txt", "two\n");
    commit_file(&repo, "b.txt", "new\n");
    let (mirror, tip) = lab.mirror_with_head(&repo).await;
    for _ in 0..2 {
        assert_eq!(mirror.list_root(&old).await.unwrap(), [b"a.txt".to_vec()]);
        assert_eq!(mirror.read_file(&tip, b"a.txt", 10).await.unwrap().unwrap(), b"two\n");
        assert_eq!(mirror.read_file(&old, b"a.txt", 10).await.unwrap().unwrap(), b"one\n");
        assert_eq!(mirror.read_file(&old, b"b.txt", 10).await.unwrap(), None);
        assert_eq!(mirror.list_root(&tip).await.unwrap(), [b"a.txt".to_vec(), b"b.txt".to_vec()]);
    }
}

#[tokio::test]
async fn a_second_job_waits_for_the_lock_says_so_and_gives_up() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let mirror = lab.mirror(&repo).await;
    let held = lock::acquire(mirror.path(), &wait()).await.unwrap();
    let told = std::sync::atomic::AtomicU32::new(0);
    let progress = |_: Duration| {
        told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    let short = LockWait { timeout: Duration::from_millis(60), progress: &progress };
    let error = lab.mirrors().open_or_create(&local(&repo), &short).await.unwrap_err();
    assert!(matches!(error, GitError::LockTimeout { .. }), "{error}");
    assert!(told.load(std::sync::atomic::Ordering::Relaxed) > 0);
    drop(held);
    lab.mirrors().open_or_create(&local(&repo), &short).await.unwrap();
}

#[tokio::test]
async fn a_damaged_mirror_is_mended_or_put_aside() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let path = mirror.path().to_owned();
    let mirrors = lab.mirrors();
    let reopened = || async {
        let mirror = mirrors.open_or_create(&local(&repo), &wait()).await.unwrap();
        mirror.fetch_commit(&local(&repo), &Wanted::Commit(base.clone())).await.unwrap();
        mirror.list_root(&base).await.unwrap()
    };
    let files = [b"a.txt".to_vec()];
    // Mended in place.
    fs::remove_file(path.join("HEAD")).unwrap();
    for stale in ["HEAD.lock", "packed-refs.lock", "refs/overnight/bases/x.lock", "objects/pack/tmp_pack_1"] {
        fs::write(path.join(stale), "").unwrap();
    }
    fs::create_dir(path.join("objects/tmp_objdir-incoming-x")).unwrap();
    fs::write(path.join("config"), "[core]\n\tbare = true\n\tfsmonitor = touch canary\n").unwrap();
    assert_eq!(reopened().await, files);
    assert!(!path.join("HEAD.lock").exists() && !path.join("objects/tmp_objdir-incoming-x").exists());
    assert!(!fs::read_to_string(path.join("config")).unwrap().contains("canary"));
    // Put aside: a pack cut short, no objects, no configuration.
    let pack = fs::read_dir(path.join("objects/pack")).unwrap().map(|e| e.unwrap().path());
    let pack = pack.into_iter().find(|p| p.extension().is_some_and(|e| e == "pack")).unwrap();
    let bytes = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    fs::write(&pack, &bytes[..bytes.len() - 7]).unwrap();
    assert_eq!(reopened().await, files);
    fs::remove_dir_all(path.join("objects")).unwrap();
    assert_eq!(reopened().await, files);
    fs::remove_file(path.join("config")).unwrap();
    assert_eq!(reopened().await, files);
    assert!((1..=3).all(|n| path.with_extension(format!("git.broken-{n}")).is_dir()));
}

/// Kills a fetch into the mirror at many points, by strace where it works and by a delay elsewhere, and takes the
/// mirror into use after each.
#[tokio::test]
async fn a_fetch_killed_anywhere_is_recovered_every_time() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let mut commits = Vec::new();
    for number in 0..24 {
        fs::write(repo.join("big"), format!("{number}\n").repeat(20_000)).unwrap();
        commits.push(commit_file(&repo, &format!("f{number}"), "x"));
    }
    let mirror = lab.mirror(&repo).await;
    let traced = try_strace(&lab);
    let mut killed = 0_u32;
    for (number, commit) in commits.iter().enumerate() {
        let ended = if traced {
            fetch_killed_at_call(&lab, &mirror, &repo, commit, 1 + number * 4)
        } else {
            fetch_killed_after(&mirror, &repo, commit, Duration::from_micros(number as u64 * 700))
        };
        killed += u32::from(ended);
        let mirror = lab.mirrors().open_or_create(&local(&repo), &wait()).await.unwrap();
        mirror.fetch_commit(&local(&repo), &Wanted::Commit(commit.clone())).await.unwrap();
        assert!(!git(mirror.path(), ["--git-dir=.", "rev-list", "--objects", commit.as_str()]).is_empty());
    }
    assert_eq!(fs::read_dir(lab.path("mirrors")).unwrap().count(), 2, "a mirror was put aside");
    println!("killed {killed} of {} fetches (strace: {traced})", commits.len());
    assert!(killed > 8, "only {killed} fetches were killed: the test proves nothing");
}

fn try_strace(lab: &Lab) -> bool {
    let mut strace = command("strace", lab.dir.path());
    strace.args(["-f", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

fn plain_fetch(mirror: &Mirror, repo: &Path, commit: &CommitId) -> Vec<String> {
    let refspec = format!("+{commit}:refs/overnight/incoming");
    let (git_dir, repo) = (format!("--git-dir={}", mirror.path().display()), repo.display().to_string());
    [git_dir.as_str(), "-c", "fetch.unpackLimit=1", "fetch", "-q", "--no-tags", &repo, &refspec]
        .map(String::from)
        .into()
}

/// The whole process tree of the fetch dies at its n-th call that changes a file system.
fn fetch_killed_at_call(lab: &Lab, mirror: &Mirror, repo: &Path, commit: &CommitId, at: usize) -> bool {
    let mut strace = command("strace", lab.dir.path());
    let calls = "openat,rename,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,fsync,ftruncate";
    strace.args(["-f", "-o", "/dev/null", "-e", &format!("inject={calls}:signal=KILL:when={at}")]);
    strace.arg("git").args(plain_fetch(mirror, repo, commit)).stderr(Stdio::null());
    !strace.status().unwrap().success()
}

fn fetch_killed_after(mirror: &Mirror, repo: &Path, commit: &CommitId, delay: Duration) -> bool {
    let mut fetch = command("git", repo);
    let mut child =
        fetch.args(plain_fetch(mirror, repo, commit)).process_group(0).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while started.elapsed() < delay && child.try_wait().unwrap().is_none() {
        std::hint::spin_loop();
    }
    let group = format!("-{}", child.id());
    let _ = command("kill", repo).args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    !child.wait().unwrap().success()
}

#[tokio::test]
async fn an_import_can_be_repeated_and_a_foreign_file_is_refused() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let tip = commit_file(&repo, "b", "b");
    git(&repo, ["branch", "result"]);
    let bundle = lab.path("r.bundle");
    git(&repo, ["bundle", "create", "-q", "../r.bundle", "refs/heads/result", &format!("^{base}")]);
    let job = overnight_core::id::JobId::parse("..:1").unwrap();
    for _ in 0..2 {
        let import = mirror.import_bundle(&bundle, &job, 1).await.unwrap();
        assert_eq!(import.tip, tip);
    }
    assert_eq!(jobs_ref_count(&mirror), 1);
    std::os::unix::fs::symlink(&bundle, lab.path("link.bundle")).unwrap();
    fs::write(lab.path("junk.bundle"), "junk\n").unwrap();
    git(&repo, ["bundle", "create", "-q", "../main.bundle", "refs/heads/main"]);
    for bad in ["link.bundle", "junk.bundle", "main.bundle"] {
        let error = mirror.import_bundle(&lab.path(bad), &job, 2).await.unwrap_err();
        assert!(matches!(error, GitError::BundleRefused { .. }), "{bad}: {error}");
    }
    commit_file(&repo, "c", "c");
    git(&repo, ["branch", "-f", "result"]);
    git(&repo, ["bundle", "create", "-q", "../next.bundle", "refs/heads/result", &format!("^{base}")]);
    let bytes = fs::read(lab.path("next.bundle")).unwrap();
    fs::write(lab.path("cut.bundle"), &bytes[..bytes.len() - 30]).unwrap();
    assert!(mirror.import_bundle(&lab.path("cut.bundle"), &job, 2).await.is_err());
    assert_eq!(jobs_ref_count(&mirror), 1);
}

#[tokio::test]
async fn a_tree_that_would_overwrite_a_git_directory_is_refused() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let blob = git(&repo, ["hash-object", "-w", "a.txt"]);
    let entry = lab.path("entry");
    fs::write(&entry, format!("100644 blob {blob}\t.git\n")).unwrap();
    let tree = command("git", &repo).arg("mktree").stdin(fs::File::open(entry).unwrap()).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let commit = git(&repo, ["commit-tree", tree.trim(), "-p", base.as_str(), "-m", "x"]);
    git(&repo, ["update-ref", "refs/heads/result", &commit]);
    git(&repo, ["bundle", "create", "-q", "../r.bundle", "refs/heads/result", &format!("^{base}")]);
    let job = overnight_core::id::JobId::parse("1").unwrap();
    let error = mirror.import_bundle(&lab.path("r.bundle"), &job, 1).await.unwrap_err();
    assert_eq!(error.class(), Class::Rejected, "{error}");
    // The control: plain git takes it.
    git(lab.dir.path(), ["init", "-q", "--bare", "plain"]);
    assert!(try_git(&lab.path("plain"), ["fetch", "-q", "../repo", "refs/heads/result"]).status.success());
}

#[tokio::test]
async fn a_graft_has_the_tree_of_the_tip_and_the_same_id_each_time() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    git(&repo, ["checkout", "-q", "--orphan", "other"]);
    let tip = commit_file(&repo, "b", "b");
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(tip.clone())).await.unwrap();
    let grafted = mirror.graft(&base, &tip).await.unwrap();
    assert_eq!(mirror.graft(&base, &tip).await.unwrap(), grafted);
    assert_eq!(mirror.graft(&base, &grafted).await.unwrap(), grafted);
    assert!(mirror.is_ancestor(&base, &grafted).await.unwrap());
    assert_eq!(mirror.diff_stat(&tip, &grafted).await.unwrap().files, 0);
    assert_eq!(mirror.log_subjects(&base, &grafted, 9).await.unwrap(), ["write b"]);
}

#[test]
fn no_hostile_branch_name_runs_anything() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lab = runtime.block_on(Lab::new());
    let repo = lab.repo("repo");
    let mirror = runtime.block_on(lab.mirror(&repo));
    let canary = lab.path("canary");
    let tricks = prop_oneof![
        Just(format!("--upload-pack=touch {}", canary.display())),
        Just(format!("-c$(touch\u{3000}{})", canary.display())),
        Just(format!("x;touch${{IFS}}{}", canary.display())),
        Just(format!("`touch$IFS{}`", canary.display())),
        Just("main:refs/heads/evil".to_owned()),
        "[-$();|&<>{}'\"`\u{202e}\u{3000}a-z/:*+^~@.]{1,20}",
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&tricks, |name| {
        // git may hold a branch of that name or not: what counts is that it is never anything but a name.
        let _ = try_git(&repo, ["branch", "--", &name]);
        if let Ok(fetched) =
            runtime.block_on(mirror.fetch_commit(&local(&repo), &Wanted::Branch(name.clone())))
        {
            prop_assert_eq!(fetched.branch, Some(name));
        }
        prop_assert!(!canary.exists());
        Ok(())
    });
    outcome.unwrap();
}
