//! The git commands that any design would need for the same steps: a private clone of a mirror at a commit, the agent's
//! commit out of it by a bundle, a clean checkout of what arrived, a push. Nothing is asked, checked or recorded beside.

use std::path::PathBuf;
use std::time::Instant;

use crate::ours::{Parts, now};
use crate::place::Place;

/// Both sides write files with as many workers as there are processors.
const WORKERS: [&str; 2] = ["-c", "checkout.workers=0"];

pub(crate) struct Raw<'a> {
    place: &'a Place,
    runs: u32,
}

impl<'a> Raw<'a> {
    pub(crate) fn new(place: &'a Place) -> Self {
        std::fs::create_dir(place.path("raw")).unwrap();
        Self { place, runs: 0 }
    }

    /// One run. The first also makes the mirror.
    pub(crate) fn run(&mut self) -> Parts {
        self.runs += 1;
        let mut parts =
            Parts { start: self.timed(Self::look), prepare: self.timed(Self::prepare), ..Parts::default() };
        self.act();
        parts.take_over = self.timed(Self::take_over);
        parts.publish = self.timed(Self::publish);
        parts.leave = self.timed(Self::clean_up);
        parts.whole = parts.start + parts.prepare + parts.take_over + parts.publish + parts.leave;
        parts
    }

    fn timed(&self, step: impl Fn(&Self)) -> f64 {
        let began = Instant::now();
        step(self);
        began.elapsed().as_secs_f64() * 1e3
    }

    /// Mirror and bundle are kept as safe as ours; work trees lie where ours lie.
    fn dir(&self, name: &str) -> PathBuf {
        match name {
            "mirror.git" | "" => self.place.path("raw").join(name),
            _ => self.place.tree("raw").join(name),
        }
    }

    fn text(&self, name: &str) -> String {
        self.dir(name).to_str().unwrap().to_owned()
    }

    /// What is at the person's place: uncommitted changes, and HEAD.
    fn look(&self) {
        self.place.git(&self.place.repo(), &["status", "--porcelain"]);
        self.place.git(&self.place.repo(), &["rev-parse", "HEAD"]);
    }

    /// The base is in the mirror already, but for the first run.
    fn prepare(&self) {
        let mirror = self.dir("mirror.git");
        if self.runs == 1 {
            self.place.git(&self.dir(""), &["init", "--quiet", "--bare", "mirror.git"]);
            let source = self.place.repo();
            let from = source.to_str().unwrap();
            self.place.git(&mirror, &["fetch", "--quiet", from, "main:refs/heads/main"]);
        }
        self.place.git(&mirror, &["cat-file", "-e", "main^{commit}"]);
        self.check_out("workspace", "origin/main");
    }

    fn check_out(&self, name: &str, what: &str) {
        let (mirror, place) = (self.text("mirror.git"), self.text(name));
        let clone = ["clone", "--quiet", "--shared", "--no-checkout", &mirror, &place];
        self.place.git(&self.dir(""), &clone);
        let check_out = [WORKERS[0], WORKERS[1], "checkout", "--quiet", "--detach", what];
        self.place.git(&self.dir(name), &check_out);
    }

    /// The agent's part, not measured: one edit, one commit.
    fn act(&self) {
        let workspace = self.dir("workspace");
        std::fs::write(workspace.join(Place::EDITED), format!("{}\n", now())).unwrap();
        self.place.git(&workspace, &["add", "--all"]);
        self.place.git(&workspace, &["commit", "--quiet", "--message", "Change one file"]);
    }

    /// Whatever was not committed, the commits themselves, and a clean checkout of them.
    fn take_over(&self) {
        let (workspace, mirror) = (self.dir("workspace"), self.dir("mirror.git"));
        let (bundle, job) = (self.text("result.bundle"), format!("refs/jobs/{}", self.runs));
        self.place.git(&workspace, &["add", "--all"]);
        self.place.git(&workspace, &["diff-index", "--cached", "--quiet", "HEAD"]);
        self.place.git(&workspace, &["bundle", "create", "--quiet", &bundle, "HEAD", "^origin/main"]);
        self.place.git(&mirror, &["fetch", "--quiet", &bundle, &format!("HEAD:{job}")]);
        let tip = self.place.git(&mirror, &["rev-parse", "--verify", &job]);
        self.check_out("verify", &tip);
    }

    fn publish(&self) {
        let refs = format!("refs/jobs/{0}:refs/heads/raw/{0}", self.runs);
        let repo = self.place.repo();
        self.place.git(&self.dir("mirror.git"), &["push", "--quiet", repo.to_str().unwrap(), &refs]);
    }

    fn clean_up(&self) {
        for name in ["workspace", "verify"] {
            std::fs::remove_dir_all(self.dir(name)).unwrap();
        }
        std::fs::remove_file(self.dir("result.bundle")).unwrap();
    }
}
