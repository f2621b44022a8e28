//! A fake forge beside a place: its one repository is the remote of the place's repository.

use std::path::PathBuf;

use overnight_testkit::forge::{FakeForge, FakePullRequest, FakeToken, Fault, Flavour, On};
use tokio::runtime::{Builder, Runtime};

use super::{Outcome, Place, eventually};

/// The forge token. Of no known shape, so that only its value can give it away.
pub(crate) const TOKEN: &str = "forge-canary-token-93b1c07e";
pub(crate) const REPOSITORY: &str = "acme/app";
/// The remote's default branch: a name that nobody guesses.
pub(crate) const TRUNK: &str = "trunk";
/// The branch of the place's first job.
pub(crate) const BRANCH: &str = "overnight/repo-1-make-the-check-pass";
/// More refusals in a row than a request is repeated.
const ENOUGH: usize = 8;

/// A forge that answers while the test waits for the program.
pub(crate) struct Forge {
    forge: FakeForge,
    bare: PathBuf,
    _runtime: Runtime,
}

impl Forge {
    /// A forge whose repository holds what the place's repository holds, on the branch [`TRUNK`]; the place's repository
    /// gets it as `origin`, and the person's configuration names it and where its token is.
    pub(crate) fn beside(place: &mut Place, flavour: Flavour) -> Self {
        Self::below(place, flavour, "")
    }

    /// The same with everything below a path of its host.
    pub(crate) fn below(place: &mut Place, flavour: Flavour, sub_path: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let forge = runtime.block_on(FakeForge::start_below(flavour, sub_path)).unwrap();
        forge.add_token(TOKEN, FakeToken::writer("robot"));
        let bare = forge.create_repository(REPOSITORY).unwrap();
        let path = bare.to_str().unwrap();
        place.git(&["push", "--quiet", path, &format!("main:{TRUNK}")]);
        place.git_in(&bare, &["symbolic-ref", "HEAD", &format!("refs/heads/{TRUNK}")]);
        place.git_in(&bare, &["branch", "--delete", "--force", "main"]);
        place.git(&["remote", "add", "origin", &forge.clone_url(REPOSITORY)]);
        place.env("FORGE_CANARY", TOKEN);
        let new = Self { forge, bare, _runtime: runtime };
        new.configure(place, flavour, "token_env = \"FORGE_CANARY\"");
        new
    }

    /// Writes the person's configuration: this forge, and this line about its token.
    pub(crate) fn configure(&self, place: &Place, flavour: Flavour, token: &str) {
        let host = self.forge.web_base();
        let host = host.trim_start_matches("http://");
        let kind = match flavour {
            Flavour::GitHub => "github",
            Flavour::Gitea => "forgejo",
            Flavour::GitLab => "gitlab",
        };
        let text = format!(
            "[forge.hosts.\"{host}\"]\nkind = \"{kind}\"\napi = \"{}\"\n{token}\n",
            self.forge.api_base()
        );
        place.write_in(&place.home(), ".config/overnight/config.toml", &text);
    }

    /// Lets this kind of request go wrong until the faults are lifted: longer than anybody repeats it.
    pub(crate) fn break_down(&self, on: On, fault: &Fault) {
        for _ in 0..ENOUGH {
            self.forge.inject(on, fault.clone());
        }
    }

    pub(crate) fn pulls(&self) -> Vec<FakePullRequest> {
        self.forge.pull_requests(REPOSITORY)
    }

    /// The directory of its repository.
    pub(crate) fn bare(&self) -> &str {
        self.bare.to_str().unwrap()
    }

    /// Our branches there.
    pub(crate) fn branches(&self, place: &Place) -> Vec<String> {
        let listed =
            place.git_in(&self.bare, &["for-each-ref", "--format=%(refname:short)", "refs/heads/overnight"]);
        listed.lines().map(str::to_owned).collect()
    }

    pub(crate) fn show(&self, place: &Place, branch: &str, file: &str) -> String {
        place.git_in(&self.bare, &["show", &format!("{branch}:{file}")])
    }

    /// Exactly one branch, with the fix, and exactly one pull request for it, and the token nowhere but in its header.
    #[track_caller]
    pub(crate) fn expect_one(&self, place: &Place, what: &str) -> FakePullRequest {
        let pulls = self.pulls();
        assert_eq!(pulls.len(), 1, "{what}: {pulls:#?}");
        assert_eq!(self.branches(place), [pulls[0].head.clone()], "{what}");
        assert_eq!(self.show(place, &pulls[0].head, "answer"), "42", "{what}");
        assert_eq!(self.forge.leaks(TOKEN), Vec::<String>::new(), "{what}");
        place.expect_not_stored(TOKEN);
        pulls[0].clone()
    }

    /// Waits until this many requests of one kind have come.
    pub(crate) fn wait_for(&self, on: On, count: usize) {
        eventually("a request to the forge", || (self.forge.requests_on(on).len() >= count).then_some(()));
    }
}

impl std::ops::Deref for Forge {
    type Target = FakeForge;

    fn deref(&self) -> &FakeForge {
        &self.forge
    }
}

/// A script that does the usual job.
pub(crate) const FIX: &str =
    r#"{ write = { path = "answer", content = "42\n" } }, { commit = { message = "Correct the answer" } }"#;

pub(crate) fn args<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "--pr", "--agent", "rehearsal", "--script", script], more, &["Make the check pass"]].concat()
}

/// The usual job with a pull request, done by the scripted agent.
pub(crate) fn run(place: &Place, more: &[&str]) -> Outcome {
    let script = place.script(&[FIX]);
    place.overnight(&args(&script, more)).expect_silent_about(TOKEN)
}
