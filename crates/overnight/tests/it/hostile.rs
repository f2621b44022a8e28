//! Agents that misbehave, by accident or on purpose. Each attempt is contained, what can be saved of the work is saved, and
//! nobody but the runner decides whether it is any good.

mod history;
mod output;
mod outside;
mod processes;
mod tree;

use crate::harness::Place;

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;

/// The work arrived as one branch that goes on from the person's.
#[track_caller]
fn arrived(place: &Place) -> String {
    let branches = place.branches();
    assert_eq!(branches.len(), 1, "{branches:?}");
    let branch = branches[0].clone();
    assert_eq!(place.show(&branch, "answer"), "42");
    place.git(&["merge-base", "--is-ancestor", "main", &branch]);
    place.git(&["fsck", "--strict", "--no-dangling"]);
    branch
}
