//! One case: jobs, the kills they live through, and what is looked at after each.

use std::fmt;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use crate::harness::fleet::Engine;

use super::kill::Kill;
use super::shape::{Scene, Shape};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) shape: Shape,
    /// Each strikes at the worker that took over after the one before.
    pub(super) kills: Vec<Kill>,
}

/// What a case had to tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Kinds of the kills that struck, with the states that the jobs were in then.
    pub(super) kills: Vec<(String, Vec<String>)>,
    /// Kills that came too late: the jobs had ended.
    pub(super) missed: u32,
    /// Reasons of the jobs' ends.
    pub(super) ends: Vec<String>,
    pub(super) checks: u32,
    /// Longest time from a kill until no process of the dead worker was left.
    pub(super) gone: Duration,
    /// From the start of the last worker to the end of all jobs.
    pub(super) recovery: Duration,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills: Vec<String> = self.kills.iter().map(ToString::to_string).collect();
        write!(f, "{}: {}", self.shape.word(), kills.join(", "))
    }
}

impl Case {
    /// As [`Display`](fmt::Display) writes it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (word, kills) = text.split_once(": ").ok_or("expected \"shape: kill, kill, …\"")?;
        let shape = Shape::ALL.into_iter().find(|shape| shape.word() == word).ok_or("no such shape")?;
        let kills: Option<Vec<Kill>> = kills.split(", ").map(Kill::parse).collect();
        Ok(Self { shape, kills: kills.ok_or("a kill is \"event N\", \"after N\" or \"CALL N\"")? })
    }

    /// Runs it. Panics when something does not hold, and then leaves its directory.
    pub(super) fn run(&self, engine: Engine) -> Told {
        // Dropped only when all is well: what did not hold can then be looked at.
        let scene = ManuallyDrop::new(self.shape.set(engine));
        let mut told = Told::default();
        for kill in &self.kills {
            if !kill.strike(&scene.place) {
                told.missed += 1;
                break;
            }
            let died = Instant::now();
            scene.place.check_fleet();
            told.gone = told.gone.max(died.elapsed());
            told.checks += 1;
            let states = scene.place.tables().jobs().into_iter().map(|job| job.state).collect();
            told.kills.push((kill.kind(), states));
        }
        let began = Instant::now();
        scene.place.work_off().expect_code(0);
        told.recovery = began.elapsed();
        let jobs = scene.expect_ended(self.shape);
        scene.place.check_fleet();
        told.checks += 1;
        told.ends = jobs.into_iter().filter_map(|job| job.end_reason).collect();
        drop::<Scene>(ManuallyDrop::into_inner(scene));
        told
    }
}
