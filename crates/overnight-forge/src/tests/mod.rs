//! The client against the fake forge: every fault and its outcome, and the fake's shapes against GitHub's description.

mod edits;
mod faults;
mod lookups;
mod shapes;

use std::time::Duration;

use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::JobId;
use overnight_testkit::forge::{FakeForge, FakeToken, Flavour};

use crate::{Forge, ForgeAddress, ForgeKind, NewPullRequest, Secret, Settings, body};

pub(super) const FLAVOURS: [Flavour; 2] = [Flavour::GitHub, Flavour::Gitea];
pub(super) const REPOSITORY: &str = "octo/app";
pub(super) const TOKEN: &str = "tok_0nly-in-the-authorization-header";
const BRANCH: &str = "overnight/app-1";

/// A fake forge with one repository whose branch is ready for a pull request, and a client for it.
pub(super) struct Bench {
    pub(super) fake: FakeForge,
    pub(super) forge: Forge,
    pub(super) request: NewPullRequest,
}

/// Short pauses; a timeout that is long for loopback and short for a person.
pub(super) fn quick() -> Settings {
    Settings {
        request_timeout: Duration::from_secs(10),
        total: Duration::from_secs(60),
        retries: 3,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_secs(5),
        proxy: None,
    }
}

pub(super) fn client(fake: &FakeForge, flavour: Flavour, token: &str, settings: Settings) -> Forge {
    let kind = match flavour {
        Flavour::GitHub => ForgeKind::GitHub,
        Flavour::Gitea => ForgeKind::Gitea,
    };
    let address = ForgeAddress::new(kind, &fake.api_base(), "octo", "app").unwrap();
    Forge::connect(address, Secret::new(token), settings).unwrap()
}

pub(super) fn request(job: &str, tip: &str) -> NewPullRequest {
    let job = JobId::parse(job).unwrap();
    NewPullRequest {
        title: "Close the door".to_owned(),
        body: format!("text\n{}\n", body::marker(&job)),
        head: BranchName::parse(BRANCH).unwrap(),
        base: "main".to_owned(),
        tip: CommitId::parse(tip).unwrap(),
        draft: false,
        job,
    }
}

pub(super) async fn bench(flavour: Flavour) -> Bench {
    bench_with(flavour, quick()).await
}

pub(super) async fn bench_with(flavour: Flavour, settings: Settings) -> Bench {
    let fake = FakeForge::start_below(flavour, "/some/where").await.unwrap();
    fake.add_token(TOKEN, FakeToken::writer("nightly"));
    fake.create_repository(REPOSITORY).unwrap();
    let tip = fake.commit(REPOSITORY, BRANCH, "main", "door.txt").unwrap();
    let forge = client(&fake, flavour, TOKEN, settings);
    Bench { fake, forge, request: request("job-1", &tip) }
}

impl Bench {
    /// What must hold after every scenario: the token went nowhere but into its header, and every fault was met.
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.fake.leaks(TOKEN), Vec::<String>::new());
        assert_eq!(self.fake.unused_faults(), 0, "a fault was not met");
        assert!(!format!("{:?}", self.forge).contains(TOKEN));
    }

    pub(super) fn count(&self) -> usize {
        self.fake.pull_requests(REPOSITORY).len()
    }
}
