//! The planner in tables, and the whole of it on real directories, mirrors and processes.

mod planner;
mod processes;
mod trees;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::command::ProcessIdentity;
use overnight_core::git::CommitId;
use overnight_core::id::{JobId, WorkerId};
use overnight_core::job::{
    Base, Choice, EndReason, Ground, Input, Job, JobLimits, JobSpec, Label, Order, Publication, StageOutput,
    Trouble, VerifyRequest, transition,
};
use overnight_core::units::Timestamp;
use overnight_core::verdict::CheckSource;
use overnight_git::{Git, HostEnv, Mirrors};
use overnight_store::{Claim, Claimant, Claimed, NewJob, NewRepository, ReclaimPolicy, Store, WorkerRow};

use super::{DAY, Item, Report, Retention, Sweeper, SweeperParts, note_store};
use crate::dirs::{Dirs, JobDirs};
use crate::host::Host;

const LEASE: Duration = Duration::from_secs(60);

/// A data directory with its store.
struct Lab {
    dir: tempfile::TempDir,
    dirs: Dirs,
    store: Store,
    git: Git,
}

fn label(word: &str) -> Label {
    Label::parse(word).unwrap()
}

impl Lab {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::new(dir.path().join("data"));
        let store = Store::open(&dirs.database()).await.unwrap();
        note_store(&dirs, store.database()).unwrap();
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let env = HostEnv::from_vars([("PATH".into(), path.into())]);
        let git = Git::start(env, &dir.path().join("git-home")).await.unwrap();
        Self { dir, dirs, store, git }
    }

    fn sweeper(&self, retention: Retention) -> Sweeper {
        let env = BTreeMap::from([("API_TOKEN".into(), "canary-secret".into())]);
        let host =
            Host { env, home: None, root: false, secrets: Vec::new(), self_exe: PathBuf::from("/bin/true") };
        let parts = SweeperParts {
            store: self.store.clone(),
            dirs: self.dirs.clone(),
            git: self.git.clone(),
            host,
            place: label("here"),
        };
        Sweeper::new(parts, retention)
    }

    fn mirrors(&self) -> Mirrors {
        Mirrors::new(self.git.clone(), self.dirs.mirrors())
    }

    /// The time so long from now.
    async fn later(&self, span: Duration) -> Timestamp {
        self.store.now().await.unwrap().plus(span)
    }

    /// What a sweep so long from now does. What it planned is what it did, and a second one has nothing to do.
    async fn sweep(&self, retention: Retention, span: Duration) -> Vec<Item> {
        let now = self.later(span).await;
        let sweeper = self.sweeper(retention);
        let plan = sweeper.plan(now).await.unwrap();
        let planned = plan.items.clone();
        let report = sweeper.carry_out(plan, &|_, _| {}).await.unwrap();
        assert!(report.failed.is_empty() && report.left.is_empty(), "{report:?}");
        let in_order = |items: &[Item]| {
            let mut texts: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            texts.sort();
            texts
        };
        assert_eq!(in_order(&report.done), in_order(&planned));
        let again = sweeper.plan(now).await.unwrap();
        assert!(again.items.is_empty(), "{:?}", again.items);
        report.done
    }

    async fn queued(&self) -> Job {
        let new = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
        let repository = self.store.repository_ensure(&new).await.unwrap().id;
        self.store.job_enqueue(&NewJob::new(repository, spec())).await.unwrap()
    }

    async fn held(&self, worker: &str) -> Claimed {
        let job = self.queued().await;
        self.claim(&job.id, worker).await
    }

    async fn claim(&self, job: &JobId, worker: &str) -> Claimed {
        let worker = WorkerId::parse(worker).unwrap();
        let claimant = Claimant { worker, place: label("here"), lease: LEASE };
        match self.store.job_claim(job, &claimant, &[]).await.unwrap() {
            Claim::Taken(claimed) => *claimed,
            other => panic!("{other:?}"),
        }
    }

    async fn ended(&self, reason: EndReason) -> Job {
        let mut claimed = self.held("w").await;
        let trouble = Trouble::End(reason);
        let failed = Input::Failed { trouble, detail: String::new(), elapsed: Duration::ZERO };
        let cleaned = Input::Done { output: StageOutput::Cleaned, elapsed: Duration::ZERO };
        self.advance(&mut claimed, failed).await;
        self.advance(&mut claimed, cleaned).await;
        claimed.job
    }

    /// Its worker was lost once too often.
    async fn lost(&self) -> Job {
        let claimed = self.held("lost").await;
        self.lose(claimed, 0).await
    }

    async fn lose(&self, claimed: Claimed, most_losses: u32) -> Job {
        let worker = claimed.job.holder.clone().unwrap().worker;
        let policy = ReclaimPolicy { most_losses, lease: LEASE, seen: None };
        Box::pin(self.store.jobs_reclaim(&[worker], policy)).await.unwrap();
        self.store.job(&claimed.job.id).await.unwrap()
    }

    async fn advance(&self, claimed: &mut Claimed, input: Input) {
        let Claimed { lease, job, .. } = claimed;
        let order = Order { key: &job.key, spec: &job.spec };
        let step = transition(&job.state, input, job.created_at, order).unwrap();
        let next = step.next.clone();
        self.store.apply(lease, &job.state, step).await.unwrap();
        job.state = next;
    }

    /// A held job whose turn has this process.
    async fn in_turn(&self, worker: &str, process: ProcessIdentity) -> Claimed {
        let mut claimed = self.held(worker).await;
        let session =
            overnight_core::agent::SessionStart::Fresh(overnight_core::id::SessionId::parse("s").unwrap());
        for input in
            [prepared(), Input::TurnAnnounced { session, account: None }, Input::TurnStarted { process }]
        {
            self.advance(&mut claimed, input).await;
        }
        claimed
    }

    /// A directory as a job has it while it is worked on.
    fn plant(&self, job: &JobId) -> JobDirs {
        let dirs = self.dirs.job(job);
        for dir in dirs.scratch().iter().chain([&dirs.given(), &dirs.log()]) {
            fs::create_dir_all(dir.join("inner")).unwrap();
            fs::write(dir.join("inner/file"), "text").unwrap();
        }
        fs::write(dirs.root().join("workspace.ready"), "aa\n/mirror\n").unwrap();
        fs::write(dirs.root().join("workspace.index"), "index").unwrap();
        fs::write(dirs.turn_stdout(1), "{}\n".repeat(5_000)).unwrap();
        fs::write(dirs.check_log(1, "tip", 0), "short\n").unwrap();
        dirs
    }
}

fn spec() -> JobSpec {
    JobSpec {
        title: "Fix the door".to_owned(),
        prompt: "Fix it".to_owned(),
        source: "/repo".to_owned(),
        ordered_in: None,
        base: Base::RemoteDefault,
        publication: Publication::LocalBranch { repository: "/repo".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Rehearsal),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: Default::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

fn prepared() -> Input {
    let ground = Ground {
        base: CommitId::parse(&"a".repeat(40)).unwrap(),
        base_branch: None,
        check_source: CheckSource::None,
        checks: Vec::new(),
        line: None,
    };
    Input::Done { output: StageOutput::Prepared { ground }, elapsed: Duration::ZERO }
}

fn kinds(items: &[Item]) -> Vec<&'static str> {
    items.iter().map(|item| item.target.kind()).collect()
}

/// Names in a directory, in order.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every kind of thing is kept for ever, but for what is said.
fn keep_all() -> Retention {
    Retention { crashed: DAY, compress: None, logs: None, jobs: None, mirrors: None }
}
