//! Planted leftovers of every kind on a real disk.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use overnight_core::job::ParkReason;
use overnight_git::{Endpoint, LockWait, Remote};
use overnight_store::Database;

use super::super::{Reach, SweepError, Target, open_log};
use super::*;

#[tokio::test]
async fn an_unfinished_job_is_never_touched() {
    let lab = Lab::new().await;
    let queued = lab.queued().await;
    let held = lab.held("held").await;
    let mut parked = lab.held("parked").await;
    let trouble = Trouble::Wait { reason: ParkReason::RateLimited, wake: None };
    lab.advance(&mut parked, Input::Failed { trouble, detail: String::new(), elapsed: Duration::ZERO }).await;
    let taken_back = lab.held("lost").await;
    let taken_back = lab.lose(taken_back, 9).await;
    let all = [&queued.id, &held.job.id, &parked.job.id, &taken_back.id];
    let before: Vec<_> = all.iter().map(|job| names(lab.plant(job).root())).collect();
    let retention = Retention { crashed: Duration::ZERO, ..Retention::default() };
    assert!(lab.sweep(retention, DAY * 1_000).await.is_empty());
    let after: Vec<_> = all.iter().map(|job| names(lab.dirs.job(job).root())).collect();
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_an_ended_job_left_goes_and_its_logs_stay() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    let done = lab.sweep(Retention::default(), Duration::ZERO).await;
    assert_eq!(kinds(&done), ["scratch"]);
    assert_eq!(
        (done[0].job.as_ref(), done[0].why.as_str()),
        (Some(&job.key), "its job has ended (no_checks)")
    );
    assert_eq!(names(dirs.root()), ["log"]);
    assert!(dirs.turn_stdout(1).exists());
}

#[tokio::test]
async fn a_hostile_tree_goes_and_nothing_outside_is_touched() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    let outside = lab.dir.path().join("outside");
    fs::create_dir_all(outside.join("dir")).unwrap();
    fs::write(outside.join("dir/keep"), "keep").unwrap();
    // The root of the workspace is a link, and so is one of its files' place.
    fs::remove_dir_all(dirs.workspace()).unwrap();
    symlink(&outside, dirs.workspace()).unwrap();
    fs::remove_file(dirs.root().join("workspace.index")).unwrap();
    symlink(outside.join("dir/keep"), dirs.root().join("workspace.index")).unwrap();
    symlink(outside.join("dir"), dirs.tmp().join("inner/link")).unwrap();
    let closed = dirs.out().join("closed");
    fs::create_dir_all(closed.join("inner")).unwrap();
    for dir in [closed.join("inner"), closed, dirs.checkouts()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o000)).unwrap();
    }
    lab.sweep(Retention::default(), Duration::ZERO).await;
    assert_eq!(names(dirs.root()), ["log"]);
    assert_eq!(fs::read_to_string(outside.join("dir/keep")).unwrap(), "keep");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_jobs_directory_is_left_alone() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let outside = lab.dir.path().join("outside");
    fs::create_dir_all(outside.join("workspace")).unwrap();
    fs::create_dir_all(lab.dirs.jobs()).unwrap();
    symlink(&outside, lab.dirs.job(&job.id).root()).unwrap();
    assert!(lab.sweep(keep_all(), DAY * 1_000).await.iter().all(|item| item.target.kind() == "worker"));
    assert!(outside.join("workspace").exists());
}

#[tokio::test]
async fn what_a_crash_left_is_kept_for_a_person_to_look_at() {
    let lab = Lab::new().await;
    let job = lab.lost().await;
    assert_eq!(job.state.end().unwrap().reason, EndReason::WorkerLost);
    let dirs = lab.plant(&job.id);
    let tail = overnight_proc::tail_path(&dirs.turn_stdout(1));
    fs::write(&tail, "the key is canary-secret").unwrap();
    assert!(lab.sweep(Retention::default(), DAY / 2).await.is_empty());
    assert!(dirs.workspace().exists());
    let done = lab.sweep(Retention { compress: None, ..Retention::default() }, DAY * 2).await;
    assert_eq!(kinds(&done), ["scratch"]);
    assert_eq!(names(dirs.root()), ["log"]);
    assert_eq!(fs::read_to_string(tail).unwrap(), "the key is [redacted]");
}

#[tokio::test]
async fn a_directory_without_a_job_goes_only_when_it_is_old_and_the_store_is_certain() {
    let lab = Lab::new().await;
    let unknown = JobId::parse(&uuid::Uuid::now_v7().to_string()).unwrap();
    let dirs = lab.plant(&unknown);
    let foreign = lab.dirs.jobs().join("notes-of-a-person");
    fs::create_dir_all(&foreign).unwrap();
    assert!(lab.sweep(Retention::default(), DAY / 2).await.is_empty());

    let elsewhere = Database::parse("postgres://u@h/d").unwrap();
    note_store(&lab.dirs, &elsewhere).unwrap();
    assert!(lab.sweep(Retention::default(), DAY * 1_000).await.is_empty());
    fs::write(lab.dirs.root().join("stores"), "overnight.db\n").unwrap();

    let done = lab.sweep(Retention::default(), DAY * 2).await;
    assert_eq!(kinds(&done), ["directory"]);
    assert!(!dirs.root().exists() && foreign.exists());
}

#[tokio::test]
async fn logs_are_compressed_then_removed_and_at_last_the_record_goes() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    let plain = fs::read_to_string(dirs.turn_stdout(1)).unwrap();
    lab.sweep(Retention::default(), Duration::ZERO).await;

    assert_eq!(kinds(&lab.sweep(Retention::default(), DAY * 2).await), ["compress"]);
    assert!(!dirs.turn_stdout(1).exists());
    let mut text = String::new();
    open_log(&dirs.turn_stdout(1)).unwrap().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, plain);
    assert!(dirs.check_log(1, "tip", 0).exists(), "too small to be worth it");

    assert_eq!(kinds(&lab.sweep(Retention::default(), DAY * 31).await), ["directory"]);
    assert!(!dirs.root().exists());
    assert_eq!(kinds(&lab.sweep(Retention::default(), DAY * 91).await), ["record"]);
    assert!(lab.store.job_fates(&[job.id]).await.unwrap().is_empty());
    assert!(lab.store.queue_stats().await.unwrap().ended[0].jobs == 1);
}

#[tokio::test]
async fn nothing_is_forgotten_that_is_to_be_kept_for_ever() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    lab.sweep(keep_all(), Duration::ZERO).await;
    assert!(lab.sweep(keep_all(), DAY * 100_000).await.is_empty());
    assert!(dirs.turn_stdout(1).exists());
}

#[tokio::test]
async fn workers_that_are_gone_are_forgotten() {
    let lab = Lab::new().await;
    let row = |name: &str| WorkerRow {
        id: WorkerId::parse(name).unwrap(),
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid: 1,
        start_ticks: 1,
        version: "0".to_owned(),
        place: label("here"),
    };
    for name in ["gone", "too", "holds"] {
        lab.store.worker_register(&row(name)).await.unwrap();
    }
    let held = lab.held("holds").await;
    assert!(lab.sweep(keep_all(), DAY / 2).await.is_empty());
    assert_eq!(kinds(&lab.sweep(keep_all(), DAY * 2).await), ["worker", "worker"]);
    let left = lab.store.workers().await.unwrap();
    assert_eq!(left.iter().map(|seen| seen.worker.id.as_str()).collect::<Vec<_>>(), ["holds"]);
    drop(held);
}

#[tokio::test]
async fn mirrors_are_tidied_and_keep_what_is_not_forgotten() {
    let lab = Lab::new().await;
    let repo = lab.dir.path().join("repo");
    let endpoint = Endpoint::open(Remote::path(&repo));
    git(lab.dir.path(), &["init", "-q", "-b", "main", "repo"]);
    git(&repo, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let wait = LockWait::silent(Duration::from_secs(20));
    let mirror = lab.mirrors().open_or_create(&endpoint, &wait).await.unwrap();
    let wanted = overnight_git::Wanted::DefaultBranch;
    let base = mirror.fetch_commit(&endpoint, &wanted).await.unwrap().commit;
    let (old, kept) = (lab.ended(EndReason::NoChecks).await, lab.held("w2").await);
    for job in [&old.id, &kept.job.id] {
        let name = format!("refs/overnight/jobs/{job}/1");
        git(mirror.path(), &["--git-dir=.", "update-ref", &name, base.as_str()]);
    }
    fs::write(mirror.path().join("packed-refs.lock"), "").unwrap();
    fs::create_dir_all(mirror.path().with_extension("git.new").join("objects")).unwrap();
    fs::create_dir_all(lab.dirs.mirrors().join("gone.git.broken-1/objects")).unwrap();

    let short = Retention { logs: Some(DAY), jobs: Some(DAY), mirrors: Some(DAY), ..keep_all() };
    assert_eq!(kinds(&lab.sweep(short, Duration::ZERO).await), ["leftovers"]);
    assert!(!mirror.path().join("packed-refs.lock").exists());
    // A held job keeps the mirror, whatever its age; the forgotten one's ref goes with its record.
    assert_eq!(kinds(&lab.sweep(short, DAY * 2).await), ["broken-mirror", "refs", "record"]);
    let listed =
        git(mirror.path(), &["--git-dir=.", "for-each-ref", "--format=%(refname)", "refs/overnight/jobs"]);
    assert_eq!(listed, format!("refs/overnight/jobs/{}/1", kept.job.id));

    let mut ending = kept;
    let trouble = Trouble::End(EndReason::NoChecks);
    lab.advance(&mut ending, Input::Failed { trouble, detail: String::new(), elapsed: Duration::ZERO }).await;
    let cleaned = Input::Done { output: StageOutput::Cleaned, elapsed: Duration::ZERO };
    lab.advance(&mut ending, cleaned).await;
    assert_eq!(kinds(&lab.sweep(short, DAY * 2).await), ["mirror", "record"]);
    assert!(!mirror.path().exists());
    lab.mirrors().open_or_create(&endpoint, &wait).await.unwrap();
}

#[tokio::test]
async fn bases_go_when_no_job_needs_them_and_not_while_one_is_fetching() {
    let lab = Lab::new().await;
    let repo = lab.dir.path().join("repo");
    let endpoint = Endpoint::open(Remote::path(&repo));
    git(lab.dir.path(), &["init", "-q", "-b", "main", "repo"]);
    let wait = LockWait::silent(Duration::from_secs(20));
    let mut bases = Vec::new();
    let open = || async { lab.mirrors().open_or_create(&endpoint, &wait).await.unwrap() };
    for (number, date) in ["1000000000", "1000000001", "1000000002"].into_iter().enumerate() {
        let dated = format!("@{date} +0000");
        let env = [("GIT_COMMITTER_DATE", dated.as_str())];
        git_with(&repo, &env, &["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
        let fetched =
            open().await.fetch_commit(&endpoint, &overnight_git::Wanted::DefaultBranch).await.unwrap();
        bases.push(fetched.commit);
    }
    let mirror = open().await;
    let named = |commit: &CommitId| format!("refs/overnight/bases/{commit}");
    let left = || {
        git(mirror.path(), &["--git-dir=.", "for-each-ref", "--format=%(refname)", "refs/overnight/bases"])
    };

    // One job is being given its base, which nobody but itself knows yet.
    let mut claimed = lab.held("w").await;
    lab.plant(&claimed.job.id);
    assert!(lab.sweep(keep_all(), Duration::ZERO).await.is_empty());
    let ground = Ground {
        base: bases[0].clone(),
        base_branch: None,
        check_source: CheckSource::None,
        checks: Vec::new(),
        line: None,
    };
    let output = StageOutput::Prepared { ground };
    lab.advance(&mut claimed, Input::Done { output, elapsed: Duration::ZERO }).await;

    // A mirror that a job has opened since the plan was made is left for the next time.
    let sweeper = lab.sweeper(keep_all());
    let plan = sweeper.plan(lab.later(Duration::ZERO).await).await.unwrap();
    assert_eq!(kinds(&plan.items), ["bases"]);
    open().await;
    let report = sweeper.carry_out(plan, &|_, _| {}).await.unwrap();
    assert_eq!((report.done.len(), kinds(&report.left)), (0, vec!["bases"]));

    // The one in the middle goes: a job stands on the first, and the last is the youngest.
    assert_eq!(kinds(&lab.sweep(keep_all(), Duration::ZERO).await), ["bases"]);
    let mut wanted = [named(&bases[0]), named(&bases[2])];
    wanted.sort();
    assert_eq!(left(), wanted.join("\n"));
}

#[tokio::test]
async fn a_mirror_that_a_job_uses_is_passed_over() {
    let lab = Lab::new().await;
    let mirror = lab.dirs.mirrors().join("app.git");
    fs::create_dir_all(mirror.with_extension("git.new")).unwrap();
    let using = lab.mirrors().tend(&mirror).await.unwrap().unwrap();
    assert!(lab.sweep(Retention::default(), Duration::ZERO).await.is_empty());
    drop(using);
    assert_eq!(kinds(&lab.sweep(Retention::default(), Duration::ZERO).await), ["leftovers"]);
}

#[tokio::test]
async fn what_cannot_be_done_keeps_nothing_else_from_being_done() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    let sweeper = lab.sweeper(keep_all());
    let mut plan = sweeper.plan(lab.later(Duration::ZERO).await).await.unwrap();
    let impossible = Target::JobDirectory(PathBuf::from("/no\0such/path"));
    plan.items.insert(0, Item { target: impossible, job: None, why: String::new() });
    let told = std::sync::Mutex::new(Vec::new());
    let progress = |_: &Item, done: Result<(), &str>| told.lock().unwrap().push(done.is_ok());
    let report: Report = sweeper.carry_out(plan, &progress).await.unwrap();
    assert_eq!((report.done.len(), report.failed.len()), (1, 1), "{report:?}");
    assert_eq!(*told.lock().unwrap(), [false, true]);
    assert_eq!(names(dirs.root()), ["log"]);
}

#[tokio::test]
async fn two_do_not_clear_up_at_the_same_time_and_a_round_needs_no_directories() {
    let lab = Lab::new().await;
    let sweeper = lab.sweeper(Retention::default()).reaching(Reach::Round);
    assert!(sweeper.round().await.unwrap().done.is_empty());
    let plan = sweeper.plan(lab.later(Duration::ZERO).await).await.unwrap();
    let lock = fs::File::create(lab.dirs.root().join("sweep.lock")).unwrap();
    lock.lock().unwrap();
    let refused = sweeper.carry_out(plan, &|_, _| {}).await;
    assert!(matches!(refused, Err(SweepError::Busy)), "{refused:?}");
}

#[tokio::test]
async fn a_keeper_clears_up_as_soon_as_it_is_there() {
    let lab = Lab::new().await;
    let job = lab.ended(EndReason::NoChecks).await;
    let dirs = lab.plant(&job.id);
    let keeping = tokio::spawn(lab.sweeper(Retention::default()).reaching(Reach::Round).keep(DAY));
    let gone = async {
        while names(dirs.root()) != ["log"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
    keeping.abort();
}

fn git(cwd: &Path, args: &[&str]) -> String {
    git_with(cwd, &[], args)
}

#[expect(
    clippy::disallowed_methods,
    reason = "fixtures are made by plain git, apart from the code under test"
)]
fn git_with(cwd: &Path, env: &[(&str, &str)], args: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=T", "-c", "user.email=t@t.test"]).args(args).current_dir(cwd);
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").envs(env.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
