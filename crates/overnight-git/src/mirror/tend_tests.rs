//! Looking after real mirrors.

use overnight_core::id::JobId;

use super::*;
use crate::testing::{Lab, commit_file, git, local, wait};
use crate::{Mirror, Wanted};

const JOB: &str = "01890000-0000-7000-8000-000000000001";

async fn tend(lab: &Lab, mirror: &Mirror) -> Tending {
    lab.mirrors().tend(mirror.path()).await.unwrap().unwrap()
}

fn keep_ref(mirror: &Mirror, job: &str, attempt: u32, commit: &str) {
    git(mirror.path(), ["--git-dir=.", "update-ref", &format!("{JOB_REFS}{job}/{attempt}"), commit]);
}

#[tokio::test]
async fn leftovers_of_dead_processes_are_found_and_removed_and_nothing_else() {
    let lab = Lab::new().await;
    let (mirror, head) = lab.mirror_with_head(&lab.repo("repo")).await;
    let path = mirror.path().to_owned();
    let new = path.with_extension("git.new");
    fs::create_dir_all(new.join("objects")).unwrap();
    fs::write(path.with_extension("git.import"), "half a bundle").unwrap();
    for stale in ["HEAD.lock", "refs/overnight/bases/x.lock", "objects/pack/.tmp-1-pack", "objects/tmp_obj_1"]
    {
        fs::write(path.join(stale), "").unwrap();
    }
    fs::create_dir_all(path.join("objects/incoming-1/ab")).unwrap();
    std::os::unix::fs::symlink(&new, path.with_extension("git.broken-9")).unwrap();

    let site = lab.mirrors().sites().unwrap().pop().unwrap();
    assert_eq!((site.exists, site.half_made.len(), site.aside.len()), (true, 2, 0), "{site:?}");
    let tending = tend(&lab, &mirror).await;
    let found = tending.leftovers().unwrap();
    assert_eq!(found.len(), 5, "{found:?}");
    tending.remove_leftovers(&[found, site.half_made].concat()).unwrap();
    assert!(tending.leftovers().unwrap().is_empty() && !new.exists());
    drop(tending);
    mirror.list_root(&head).await.unwrap();
}

#[tokio::test]
async fn a_mirror_in_use_is_left_alone_and_looking_after_it_is_no_use() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let mirror = lab.mirror(&repo).await;
    let used = || lab.mirrors().sites().unwrap()[0].last_used.unwrap();
    let lock = mirror.path().with_extension("lock");
    fs::File::options().write(true).open(&lock).unwrap().set_modified(UNIX_EPOCH).unwrap();
    let tending = tend(&lab, &mirror).await;
    assert!(lab.mirrors().tend(mirror.path()).await.unwrap().is_none());
    drop(tending);
    assert_eq!(used(), UNIX_EPOCH);
    lab.mirror(&repo).await;
    assert!(used() > UNIX_EPOCH);
}

#[tokio::test]
async fn only_named_refs_go_and_their_commits_after_a_grace() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    for (attempt, job) in [(1, JOB), (2, JOB), (1, "other")] {
        keep_ref(&mirror, job, attempt, base.as_str());
    }
    let tending = tend(&lab, &mirror).await;
    let refs = tending.job_refs().await.unwrap();
    let (gone, kept): (Vec<_>, Vec<_>) = refs.into_iter().partition(|one| one.job == JOB);
    assert_eq!((gone.len(), kept.len()), (2, 1));
    tending.drop_refs(&gone).await.unwrap();
    assert_eq!(tending.job_refs().await.unwrap(), kept);
    // Doing it again, or after the ref has come to hold something else, touches nothing.
    tending.drop_refs(&gone).await.unwrap();
    let moved = JobRef { target: "0".repeat(40), ..kept[0].clone() };
    tending.drop_refs(&[moved]).await.unwrap();
    assert_eq!(tending.job_refs().await.unwrap(), kept);
}

#[tokio::test]
async fn bases_and_grafts_are_listed_by_age_and_only_named_ones_go() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let mirror = lab.mirror(&repo).await;
    let mut bases = Vec::new();
    for number in 0..3 {
        let commit = commit_file(&repo, "a.txt", &format!("{number}\n"));
        mirror.fetch_commit(&local(&repo), &Wanted::Commit(commit.clone())).await.unwrap();
        bases.push(commit);
    }
    keep_ref(&mirror, JOB, 1, bases[2].as_str());
    git(
        mirror.path(),
        ["--git-dir=.", "update-ref", &format!("{GRAFT_REFS}{}", bases[0]), bases[0].as_str()],
    );
    let tending = tend(&lab, &mirror).await;
    let refs = tending.commit_refs().await.unwrap();
    assert_eq!(refs.iter().filter(|one| one.is_base).count(), 3);
    assert_eq!(refs.len(), 4);
    let (gone, kept): (Vec<_>, Vec<_>) = refs.into_iter().partition(|one| one.commit == bases[0]);
    assert_eq!(gone.len(), 2);
    tending.drop_commit_refs(&gone).await.unwrap();
    tending.drop_commit_refs(&gone).await.unwrap();
    assert_eq!(tending.commit_refs().await.unwrap(), kept);
    assert_eq!(tending.job_refs().await.unwrap().len(), 1);
    drop(tending);
    // What is needed again is fetched again.
    let again = mirror.fetch_commit(&local(&repo), &Wanted::Commit(bases[0].clone())).await.unwrap();
    assert_eq!(again.commit, bases[0]);
}

#[tokio::test]
async fn many_packs_become_one_and_every_commit_stays() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let mirror = lab.mirror(&repo).await;
    let mut commits = Vec::new();
    for number in 0..5 {
        commits.push(commit_file(&repo, "a.txt", &format!("{number}\n")));
        mirror.fetch_commit(&local(&repo), &Wanted::Commit(commits[number].clone())).await.unwrap();
    }
    for how in [Repack::Small, Repack::Whole] {
        let tending = tend(&lab, &mirror).await;
        assert!(how == Repack::Whole || tending.load().unwrap().packs == 5);
        tending.repack(how, Duration::from_secs(60)).await.unwrap();
        assert_eq!(tending.load().unwrap().packs, 1, "{how:?}");
        assert_eq!(tending.leftovers().unwrap(), Vec::<PathBuf>::new());
    }
    let again = lab.mirrors().open_or_create(&local(&repo), &wait()).await.unwrap();
    for commit in &commits {
        again.list_root(commit).await.unwrap();
    }
}

#[tokio::test]
async fn a_repack_ends_with_its_time_and_the_mirror_is_whole() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let error = tend(&lab, &mirror).await.repack(Repack::Whole, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    lab.mirror(&repo).await.list_root(&base).await.unwrap();
}

#[tokio::test]
async fn a_removed_mirror_is_made_anew_and_one_put_aside_is_listed() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let aside = lab.mirrors().quarantine(&mirror, &wait()).await.unwrap();
    let site = lab.mirrors().sites().unwrap().pop().unwrap();
    assert!(!site.exists && site.aside.len() == 1 && site.aside[0].0 == aside, "{site:?}");
    let (mirror, _) = lab.mirror_with_head(&repo).await;
    tend(&lab, &mirror).await.remove().await.unwrap();
    assert!(!mirror.path().exists());
    lab.mirror_with_head(&repo).await.0.list_root(&base).await.unwrap();
    assert!(JobId::parse(JOB).is_ok());
}
