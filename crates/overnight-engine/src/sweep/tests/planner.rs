//! What may go, as tables: facts in, kinds of items out.

use std::time::{SystemTime, UNIX_EPOCH};

use overnight_core::git::CommitId;
use overnight_core::id::TaskKey;
use overnight_git::{CommitRef, JobRef, Load, Repack, Site};
use overnight_store::{Ended, JobFate, NeededCommits};

use super::super::Target;
use super::super::plan::{Facts, Inside, JobDir, MirrorFacts, plan};
use super::*;

const NOW: Timestamp = Timestamp(1_900_000_000_000);

fn ago(span: Duration) -> Timestamp {
    Timestamp(NOW.0 - i64::try_from(span.as_millis()).unwrap())
}

fn clock(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap())
}

/// A job that was made so long ago.
fn job(made: Duration) -> JobId {
    let millis = u64::try_from(ago(made).0).unwrap();
    let at = uuid::Timestamp::from_unix(uuid::NoContext, millis / 1_000, 0);
    JobId::parse(&uuid::Uuid::new_v7(at).to_string()).unwrap()
}

fn fate(job: &JobId, ended: Option<(EndReason, Duration)>) -> JobFate {
    let ended = ended.map(|(reason, span)| Ended { at: ago(span), reason: Some(reason) });
    JobFate { id: job.clone(), key: TaskKey::parse("app-1").unwrap(), held: false, ended }
}

fn facts() -> Facts {
    Facts {
        now: NOW,
        certain: true,
        dirs: Vec::new(),
        fates: BTreeMap::new(),
        trees: Vec::new(),
        prunable: Vec::new(),
        workers: Vec::new(),
        mirrors: Vec::new(),
        needed: NeededCommits { all_known: true, ..NeededCommits::default() },
    }
}

fn dir(job: &JobId, touched: Duration) -> JobDir {
    let path = PathBuf::from("/data/jobs").join(job.as_str());
    let (scratch, logs) = (vec![path.join("tmp")], vec![path.join("log/check.log")]);
    JobDir { job: job.clone(), path, touched: ago(touched), scratch, logs, borrows: None }
}

fn planned(facts: &Facts, retention: &Retention) -> Vec<&'static str> {
    kinds(&plan(facts, retention).items)
}

#[test]
fn a_directory_goes_by_what_became_of_its_job() {
    type Case<'a> = (&'a str, Option<Option<(EndReason, Duration)>>, &'a [&'a str]);
    let table: [Case<'_>; 12] = [
        ("unknown", None, &["directory"]),
        ("unfinished", Some(None), &[]),
        ("just published", Some(Some((EndReason::Published, DAY / 24))), &["scratch"]),
        ("published", Some(Some((EndReason::Published, DAY))), &["scratch", "compress"]),
        ("cancelled", Some(Some((EndReason::Cancelled, DAY * 29))), &["scratch", "compress"]),
        ("old", Some(Some((EndReason::Cancelled, DAY * 30))), &["directory"]),
        ("just lost", Some(Some((EndReason::WorkerLost, DAY / 24))), &[]),
        ("lost", Some(Some((EndReason::WorkerLost, DAY))), &["scratch", "compress"]),
        ("just broken off", Some(Some((EndReason::InternalError, DAY / 24))), &[]),
        ("lost long ago", Some(Some((EndReason::WorkerLost, DAY * 31))), &["directory"]),
        ("in the future", Some(Some((EndReason::Published, Duration::ZERO))), &["scratch"]),
        ("forgotten soon", Some(Some((EndReason::Published, DAY * 400))), &["directory"]),
    ];
    for (name, known, wanted) in table {
        let id = job(DAY * 500);
        let mut facts = Facts { dirs: vec![dir(&id, DAY * 2)], ..facts() };
        if let Some(ended) = known {
            facts.fates.insert(id.clone(), fate(&id, ended));
        }
        assert_eq!(planned(&facts, &Retention::default()), wanted, "{name}");
    }
}

#[test]
fn an_unknown_directory_needs_age_and_a_certain_store() {
    let id = job(DAY * 500);
    for (certain, touched, goes) in
        [(true, DAY, true), (true, DAY / 2, false), (false, DAY * 100, false), (true, Duration::ZERO, false)]
    {
        let facts = Facts { certain, dirs: vec![dir(&id, touched)], ..facts() };
        assert_eq!(planned(&facts, &Retention::default()).len(), usize::from(goes), "{certain} {touched:?}");
    }
    // A clock that went backwards makes nothing old.
    let mut young = dir(&id, Duration::ZERO);
    young.touched = NOW.plus(DAY * 100);
    let facts = Facts { dirs: vec![young], ..facts() };
    assert!(planned(&facts, &Retention::default()).is_empty());
}

#[test]
fn with_the_record_goes_the_directory_even_before_the_logs_are_old() {
    let id = job(DAY * 10);
    let ended = fate(&id, Some((EndReason::Published, DAY * 3)));
    let retention = Retention { jobs: Some(DAY * 2), ..Retention::default() };
    let mut facts = Facts { dirs: vec![dir(&id, DAY)], prunable: vec![ended.clone()], ..facts() };
    facts.fates.insert(id, ended);
    assert_eq!(planned(&facts, &retention), ["directory", "record"]);
}

fn mirror(last_used: Duration, refs: Vec<JobRef>) -> MirrorFacts {
    let path = PathBuf::from("/data/mirrors/app-1.git");
    let site = Site { path, exists: true, last_used: Some(clock(ago(last_used))), ..Site::default() };
    MirrorFacts { site, inside: Some(Inside { refs, ..Inside::default() }) }
}

fn job_ref(job: &str) -> JobRef {
    JobRef { job: job.to_owned(), name: format!("refs/overnight/jobs/{job}/1"), target: "a".repeat(40) }
}

#[test]
fn a_ref_goes_with_its_record_or_long_after_it() {
    let (old, young, known, pruned) = (job(DAY * 91), job(DAY * 89), job(DAY * 900), job(DAY * 900));
    let all = [&old, &young, &known, &pruned].map(|job| job_ref(job.as_str()));
    let all = [all.to_vec(), vec![job_ref("not_2da_2djob")]].concat();
    let mut facts = Facts { mirrors: vec![mirror(DAY, all)], ..facts() };
    facts.fates.insert(known.clone(), fate(&known, None));
    facts.prunable = vec![fate(&pruned, Some((EndReason::Published, DAY * 91)))];
    facts.fates.insert(pruned.clone(), facts.prunable[0].clone());
    let gone = |facts: &Facts, retention: &Retention| {
        let items = plan(facts, retention).items;
        let refs = items.into_iter().find_map(|item| match item.target {
            Target::JobRefs { refs, .. } => Some(refs.into_iter().map(|one| one.job).collect::<Vec<_>>()),
            _ => None,
        });
        refs.unwrap_or_default()
    };
    assert_eq!(gone(&facts, &Retention::default()), [old.to_string(), pruned.to_string()]);
    facts.certain = false;
    assert_eq!(gone(&facts, &Retention::default()), [pruned.to_string()]);
    facts.prunable.clear();
    facts.certain = true;
    assert!(gone(&facts, &keep_all()).is_empty());
}

#[test]
fn a_base_goes_when_no_job_that_is_kept_needs_it() {
    let commit = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
    let of = |digit: &str, is_base| CommitRef { name: digit.to_owned(), commit: commit(digit), is_base };
    let commits = vec![of("1", false), of("2", true), of("3", true), of("4", true), of("5", false)];
    let (known, foreign) = (job(DAY * 10), job(DAY * 10));
    let mut facts = facts();
    facts.mirrors = vec![mirror(DAY, vec![job_ref(known.as_str())])];
    facts.mirrors[0].inside.as_mut().unwrap().commits = commits;
    facts.fates.insert(known.clone(), fate(&known, None));
    facts.needed.commits = [commit("3"), commit("5")].into();
    let gone = |facts: &Facts| {
        let items = plan(facts, &Retention::default()).items;
        let refs = items.into_iter().find_map(|item| match item.target {
            Target::CommitRefs { refs, .. } => Some(refs.into_iter().map(|one| one.name).collect::<String>()),
            _ => None,
        });
        refs.unwrap_or_default()
    };
    // The second is the youngest base.
    assert_eq!(gone(&facts), "14");
    facts.needed.all_known = false;
    assert_eq!(gone(&facts), "", "a job is being given its base");
    facts.needed.all_known = true;
    facts.certain = false;
    assert_eq!(gone(&facts), "", "the jobs may be another store's");
    facts.certain = true;
    facts.mirrors[0].inside.as_mut().unwrap().refs.push(job_ref(foreign.as_str()));
    assert_eq!(gone(&facts), "", "what that job needs is not known");
}

#[test]
fn a_mirror_goes_when_it_was_not_used_for_long_and_nothing_needs_it() {
    let retention = Retention { mirrors: Some(DAY * 60), ..Retention::default() };
    let id = job(DAY);
    let with = |change: &dyn Fn(&mut Facts)| {
        let mut facts = Facts { mirrors: vec![mirror(DAY * 61, Vec::new())], ..facts() };
        facts.fates.insert(id.clone(), fate(&id, None));
        change(&mut facts);
        planned(&facts, &retention)
    };
    let workspace = |borrows: Option<&str>| {
        let (scratch, logs, borrows) = (Vec::new(), Vec::new(), borrows.map(Into::into));
        JobDir { scratch, logs, borrows, ..dir(&id, Duration::ZERO) }
    };
    assert_eq!(with(&|_| {}), ["mirror"]);
    assert!(with(&|facts| facts.mirrors = vec![mirror(DAY * 59, Vec::new())]).is_empty());
    assert!(with(&|facts| facts.mirrors[0].inside = None).is_empty(), "in use");
    assert!(with(&|facts| facts.mirrors[0].site.last_used = None).is_empty());
    assert!(with(&|facts| facts.mirrors = vec![mirror(DAY * 61, vec![job_ref(id.as_str())])]).is_empty());
    assert!(with(&|facts| facts.dirs = vec![workspace(Some("app-1.git"))]).is_empty(), "borrowed from");
    assert_eq!(with(&|facts| facts.dirs = vec![workspace(Some("other.git"))]), ["mirror"]);
    assert_eq!(with(&|facts| facts.dirs = vec![workspace(None)]), ["mirror"]);
    let held = JobFate { held: true, ..fate(&id, None) };
    let about_to = |facts: &mut Facts| {
        facts.dirs = vec![workspace(None)];
        facts.fates.insert(id.clone(), held.clone());
    };
    assert!(with(&about_to).is_empty(), "a job is about to make its workspace");
    assert!(
        planned(&Facts { mirrors: vec![mirror(DAY * 999, Vec::new())], ..facts() }, &Retention::default())
            .is_empty()
    );
}

#[test]
fn many_packs_or_loose_objects_are_put_in_order_as_far_as_the_size_allows() {
    let table = [
        (Load { packs: 50, loose: 6_700, bytes: 1 }, None),
        (Load { packs: 51, loose: 0, bytes: 1 << 30 }, Some(Repack::Whole)),
        (Load { packs: 51, loose: 0, bytes: (1 << 30) + 1 }, Some(Repack::Small)),
        (Load { packs: 1, loose: 6_701, bytes: 1 }, Some(Repack::Whole)),
    ];
    for (load, wanted) in table {
        let mut one = mirror(DAY, Vec::new());
        one.inside = Some(Inside { load, ..Inside::default() });
        let items = plan(&Facts { mirrors: vec![one], ..facts() }, &Retention::default()).items;
        let how = items.iter().find_map(|item| match &item.target {
            Target::MirrorPacks { how, .. } => Some(*how),
            _ => None,
        });
        assert_eq!(how, wanted, "{load:?}");
    }
}
