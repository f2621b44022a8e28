//! Workspaces as agents leave them: honest, broken and hostile.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::{Lab, command, commit_file, git, head, identity, local};
use crate::workspace::{Setup, ready};
use crate::{Expected, PushOutcome};
use overnight_core::git::BranchName;

struct Scene {
    lab: Lab,
    mirror: Mirror,
    workspace: Workspace,
    base: CommitId,
}

impl Scene {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let repo = lab.repo("repo");
        fs::write(repo.join(".gitignore"), "ignored\n").unwrap();
        commit_file(&repo, "kept.txt", "kept\n");
        Self::of(lab, "repo").await
    }

    async fn of(lab: Lab, repo: &str) -> Self {
        let (mirror, base) = lab.mirror_with_head(&lab.path(repo)).await;
        let setup = Setup { branch: Some(branch()), identity: Some(identity()) };
        let workspace = ready(&mirror, &base, &lab.path("work"), &setup).await.unwrap();
        Self { lab, mirror, workspace, base }
    }

    fn work(&self) -> &Path {
        &self.workspace.path
    }

    async fn collect(&self) -> Collected {
        let out = self.lab.path("out");
        prepare_out(&out).await.unwrap();
        let spec = plan(&self.workspace, &out, "what was left; $(touch canary)", &identity(), &self.lab.env);
        let ran = overnight_proc::output(&spec, 1 << 20).await.unwrap();
        assert!(ran.report.success(), "{ran:?}");
        finish_collect(&self.mirror, &out, &JobId::parse("job-1").unwrap(), 1).await.unwrap()
    }

    /// Names in the result's tree.
    async fn names(&self, collected: &Collected) -> Vec<String> {
        let root = self.mirror.list_root(collected.tip.as_ref().unwrap()).await.unwrap();
        root.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

fn branch() -> BranchName {
    BranchName::parse("overnight/app-1").unwrap()
}

#[tokio::test]
async fn commits_and_loose_changes_arrive_and_ignored_files_stay() {
    let scene = Scene::new().await;
    let work = scene.work().to_owned();
    assert_eq!(scene.collect().await, Collected { tip: None, facts: Facts::default() });
    commit_file(&work, "committed", "1");
    fs::write(work.join("loose\n-x"), "2").unwrap();
    fs::write(work.join("ignored"), "3").unwrap();
    fs::remove_file(work.join("kept.txt")).unwrap();
    let collected = scene.collect().await;
    assert_eq!(scene.names(&collected).await, [".gitignore", "a.txt", "committed", "loose\n-x"]);
    assert_eq!(collected.facts, Facts { dirty: true, ..Facts::default() });
    let tip = collected.tip.unwrap();
    let subjects = scene.mirror.log_subjects(&scene.base, &tip, 9).await.unwrap();
    assert_eq!(subjects, ["what was left; $(touch canary)", "write committed"]);
    assert_eq!(head(&work), git_parent(&scene, &tip));
}

fn git_parent(scene: &Scene, tip: &CommitId) -> CommitId {
    CommitId::parse(&git(scene.mirror.path(), ["--git-dir=.", "rev-parse", &format!("{tip}^")])).unwrap()
}

#[tokio::test]
async fn a_file_that_the_agent_added_against_the_ignore_rules_arrives() {
    let scene = Scene::new().await;
    fs::write(scene.work().join("ignored"), "x").unwrap();
    git(scene.work(), ["add", "-f", "ignored"]);
    let collected = scene.collect().await;
    assert!(scene.names(&collected).await.contains(&"ignored".to_owned()));
}

#[tokio::test]
async fn no_state_of_the_agents_repository_keeps_the_work_from_arriving() {
    let states: [(&str, &str, Facts); 9] = [
        ("detached", "git checkout -q --detach && git commit -q --allow-empty -m x", Facts::default()),
        ("other branch", "git checkout -q -b other && git commit -q --allow-empty -m x", Facts::default()),
        ("locked index", "touch .git/index.lock .git/HEAD.lock", Facts::default()),
        ("no index", "rm .git/index", Facts::default()),
        ("merge in progress", "echo x >.git/MERGE_HEAD; echo y >.git/MERGE_MSG", Facts::default()),
        ("orphan", "git checkout -q --orphan new && git commit -q -m x", Facts::default()),
        ("rewound", "git reset -q --hard HEAD~1", Facts::default()),
        ("no repository", "rm -rf .git", Facts { salvaged: true, ..Facts::default() }),
        ("broken HEAD", "echo junk >.git/HEAD", Facts { salvaged: true, ..Facts::default() }),
    ];
    for (name, action, facts) in states {
        let scene = Scene::new().await;
        assert!(command("sh", scene.work()).args(["-ec", action]).status().unwrap().success(), "{name}");
        fs::write(scene.work().join("new"), "new").unwrap();
        let collected = scene.collect().await;
        assert_eq!(collected.facts, Facts { dirty: true, ..facts }, "{name}");
        assert!(scene.names(&collected).await.contains(&"new".to_owned()), "{name}");
        let grafted = scene.mirror.graft(&scene.base, collected.tip.as_ref().unwrap()).await.unwrap();
        assert!(scene.mirror.is_ancestor(&scene.base, &grafted).await.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_head_moved_behind_the_base_undoes_the_difference() {
    let scene = Scene::new().await;
    git(scene.work(), ["reset", "-q", "--hard", "HEAD~1"]);
    let collected = scene.collect().await;
    assert_eq!(collected.facts, Facts { rewound: true, ..Facts::default() });
    assert_eq!(scene.names(&collected).await, ["a.txt"]);
    assert_eq!(git_parent(&scene, collected.tip.as_ref().unwrap()), scene.base);
}

#[tokio::test]
async fn repositories_inside_the_work_tree_are_left_out_and_reported() {
    let scene = Scene::new().await;
    git(scene.work(), ["init", "-q", "empty"]);
    git(scene.work(), ["init", "-q", "nested"]);
    commit_file(&scene.work().join("nested"), "x", "x");
    fs::write(scene.work().join("new"), "new").unwrap();
    let collected = scene.collect().await;
    assert!(collected.facts.nested);
    assert_eq!(scene.names(&collected).await, [".gitignore", "a.txt", "kept.txt", "new"]);
}

#[tokio::test]
async fn a_workspace_that_is_gone_has_no_result() {
    let scene = Scene::new().await;
    fs::remove_dir_all(scene.work()).unwrap();
    let collected = scene.collect().await;
    assert_eq!(collected, Collected { tip: None, facts: Facts { missing: true, ..Facts::default() } });
}

#[tokio::test]
async fn shallow_and_sha256_workspaces_are_collected() {
    for name in ["shallow", "wide"] {
        let lab = Lab::new().await;
        let repo = lab.repo("repo");
        commit_file(&repo, "b", "b");
        git(lab.dir.path(), ["clone", "-q", "--depth=1", &format!("file://{}", repo.display()), "shallow"]);
        git(lab.dir.path(), ["init", "-q", "--object-format=sha256", "wide"]);
        commit_file(&lab.path("wide"), "a", "a");
        let scene = Scene::of(lab, name).await;
        fs::write(scene.work().join("new"), "new").unwrap();
        let tip = scene.collect().await.tip.unwrap();
        assert_eq!(scene.mirror.diff_stat(&scene.base, &tip).await.unwrap().files, 1, "{name}");
    }
}

#[tokio::test]
async fn pointers_of_lfs_files_and_submodules_pass_unchanged() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    fs::write(repo.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n";
    fs::write(repo.join("x.bin"), pointer).unwrap();
    let inner = head(&repo);
    git(&repo, ["update-index", "--add", "--cacheinfo", &format!("160000,{inner},sub")]);
    fs::create_dir(repo.join("sub")).unwrap();
    git(&repo, ["add", "x.bin", ".gitattributes"]);
    git(&repo, ["commit", "-q", "-m", "pointers"]);
    let scene = Scene::of(lab, "repo").await;
    assert_eq!(fs::read_to_string(scene.work().join("x.bin")).unwrap(), pointer);
    fs::write(scene.work().join("new"), "new").unwrap();
    let tip = scene.collect().await.tip.unwrap();
    let changed = scene.mirror.changed_paths(&scene.base, &tip).await.unwrap();
    assert_eq!(changed.iter().map(|c| c.path.as_slice()).collect::<Vec<_>>(), [b"new"]);
}

/// One way to plant a command in a workspace: a shell text that plants `$EVIL`, and a plain git command that fires it.
struct Vector {
    name: &'static str,
    plant: &'static str,
    control: &'static str,
}

const VECTORS: [Vector; 15] = [
    Vector { name: "fsmonitor", plant: "git config core.fsmonitor $EVIL", control: "git status" },
    Vector {
        name: "config.worktree",
        plant: "git config extensions.worktreeConfig true; git config --worktree core.fsmonitor $EVIL",
        control: "git status",
    },
    Vector {
        name: "pre-commit",
        plant: "mkdir .git/hooks; cp $EVIL .git/hooks/pre-commit",
        control: "git commit -qam x",
    },
    Vector {
        name: "hooksPath",
        plant: "mkdir h; cp $EVIL h/post-commit; git config core.hooksPath h",
        control: "git commit -qam x --no-verify",
    },
    Vector {
        name: "reference-transaction",
        plant: "mkdir .git/hooks; cp $EVIL .git/hooks/reference-transaction",
        control: "git update-ref refs/x HEAD",
    },
    Vector {
        name: "post-checkout",
        plant: "mkdir .git/hooks; cp $EVIL .git/hooks/post-checkout",
        control: "git checkout -q --detach",
    },
    Vector {
        name: "filter.clean",
        plant: "echo '* filter=e' >.gitattributes; git config filter.e.clean $EVIL; git config filter.e.smudge $EVIL",
        control: "git add -A",
    },
    Vector {
        name: "textconv",
        plant: "echo '* diff=e' >.gitattributes; git config diff.e.textconv $EVIL",
        control: "git diff",
    },
    Vector {
        name: "diff.command",
        plant: "echo '* diff=e' >.gitattributes; git config diff.e.command $EVIL",
        control: "git diff",
    },
    Vector {
        name: "merge driver",
        plant: "echo '* merge=e' >.gitattributes; git config merge.e.driver $EVIL; git checkout -q -b m; echo m >a.txt; \
                git commit -qam m; git checkout -q -; echo n >a.txt; git commit -qam n",
        control: "git merge m",
    },
    Vector {
        name: "gpg.program",
        plant: "git config gpg.program $EVIL; git config commit.gpgSign true",
        control: "git commit -qam x",
    },
    Vector {
        name: "sshCommand",
        plant: "git config core.sshCommand $EVIL; git remote add origin ssh://h/x",
        control: "git fetch origin",
    },
    Vector {
        name: "credential.helper",
        plant: "git config credential.helper $EVIL",
        control: "printf 'protocol=https\\nhost=h\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill",
    },
    Vector {
        name: "git file",
        plant: "mv .git ../swapped.git; echo 'gitdir: ../swapped.git' >.git; git config core.fsmonitor $EVIL",
        control: "git status",
    },
    Vector {
        name: "nested",
        plant: "git init -q n; (cd n; echo x >x; git add x; git commit -qm x; git config core.fsmonitor $EVIL; echo y >x); \
                git add n; git commit -qm n",
        control: "git status",
    },
];

/// Everything the host does after an agent: import, compare, check out for the checks, push. No planted command runs.
#[tokio::test]
async fn nothing_planted_in_a_workspace_runs_on_the_host() {
    for vector in &VECTORS {
        let scene = Scene::new().await;
        let lab = &scene.lab;
        git(lab.dir.path(), ["clone", "-q", "--bare", "repo", "remote.git"]);
        let (evil, canary) = (lab.path("evil"), lab.path("canary"));
        fs::write(&evil, format!("#!/bin/sh\ntouch {}\nexit 0\n", canary.display())).unwrap();
        fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
        let sh = |text: &str| {
            let mut sh = command("sh", scene.work());
            sh.env("EVIL", &evil).args(["-c", text]).stdin(std::process::Stdio::null()).output().unwrap()
        };
        let planted = sh(&format!("set -e; echo changed >>kept.txt; {}; echo changed >>a.txt", vector.plant));
        assert!(planted.status.success(), "{}: {planted:?}", vector.name);
        let collected = scene.collect().await;
        // Collecting runs contained, where a planted command gains nothing; from here on it is the host.
        let _ = fs::remove_file(&canary);
        let tip = scene.mirror.graft(&scene.base, collected.tip.as_ref().unwrap()).await.unwrap();
        scene.mirror.patch(&scene.base, &tip, 1 << 20).await.unwrap();
        scene.mirror.changed_paths(&scene.base, &tip).await.unwrap();
        scene.mirror.log_subjects(&scene.base, &tip, 9).await.unwrap();
        let setup = Setup { branch: None, identity: None };
        ready(&scene.mirror, &tip, &lab.path("checks"), &setup).await.unwrap();
        let pushed =
            scene.mirror.push(&local(&lab.path("remote.git")), &branch(), &tip, &Expected::Absent).await;
        assert_eq!(pushed.unwrap(), PushOutcome::Pushed, "{}", vector.name);
        assert!(!canary.exists(), "{} ran on the host", vector.name);
        let control = sh(vector.control);
        assert!(canary.exists(), "the control of {} did not fire: {control:?}", vector.name);
    }
}

#[tokio::test]
async fn a_push_goes_to_the_literal_address_whatever_the_workspace_says() {
    let scene = Scene::new().await;
    let lab = &scene.lab;
    for name in ["remote.git", "evil.git"] {
        git(lab.dir.path(), ["clone", "-q", "--bare", "repo", name]);
    }
    let (remote, evil) = (lab.path("remote.git"), lab.path("evil.git"));
    let key = format!("url.{}.pushInsteadOf", evil.display());
    git(scene.work(), ["config", &key, &remote.display().to_string()]);
    let tip = commit_file(scene.work(), "new", "new");
    let collected = scene.collect().await;
    assert_eq!(collected.tip.as_ref(), Some(&tip));
    scene.mirror.push(&local(&remote), &branch(), &tip, &Expected::Absent).await.unwrap();
    assert_eq!(git(&remote, ["rev-parse", "overnight/app-1"]), tip.as_str());
    assert!(!evil.join("refs/heads/overnight/app-1").exists());
    git(scene.work(), ["push", "-q", &remote.display().to_string(), "HEAD:refs/heads/control"]);
    assert!(evil.join("refs/heads/control").exists(), "the control did not fire");
}

#[tokio::test]
async fn the_out_directory_is_read_without_following_links() {
    let scene = Scene::new().await;
    let out = scene.lab.path("out");
    prepare_out(&out).await.unwrap();
    std::os::unix::fs::symlink("/etc/hostname", out.join("facts")).unwrap();
    let job = JobId::parse("job-1").unwrap();
    assert!(finish_collect(&scene.mirror, &out, &job, 1).await.is_err());
    fs::remove_file(out.join("facts")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", out.join("result.bundle")).unwrap();
    let error = finish_collect(&scene.mirror, &out, &job, 1).await.unwrap_err();
    assert!(matches!(error, GitError::BundleRefused { .. }), "{error}");
}

/// Prints what collecting 5,000 files costs.
#[tokio::test]
async fn collecting_a_large_tree_reads_only_what_changed() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    for number in 0..5_000 {
        let dir = repo.join(format!("d{}", number % 100));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("f{number}")), format!("file {number}\n").repeat(40)).unwrap();
    }
    commit_file(&repo, "z", "z");
    let scene = Scene::of(lab, "repo").await;
    fs::write(scene.work().join("new"), "new").unwrap();
    let started = std::time::Instant::now();
    let collected = scene.collect().await;
    println!("5,000 files: collect and import {:?}", started.elapsed());
    let stat = scene.mirror.diff_stat(&scene.base, collected.tip.as_ref().unwrap()).await.unwrap();
    assert_eq!(stat.files, 1);
}
