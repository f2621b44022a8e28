//! Processes of turns that no runner watches over: exactly those are ended.

use overnight_core::command::{CommandSpec, Isolation};
use overnight_proc::{Capture, Line, LineHandler, NoRedaction, Reply, is_alive};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::*;

struct Silent;

impl LineHandler for Silent {
    fn on_line(&mut self, _: Line<'_>) -> Reply {
        Reply::default()
    }
}

/// A process tree as a runner starts one.
struct Turn {
    identity: ProcessIdentity,
    /// The tree ends with it.
    _driving: AbortOnDropHandle<()>,
}

fn running(lab: &Lab, name: &str) -> Turn {
    let mut spec = CommandSpec::new("/bin/sleep", "/").arg("600");
    spec.isolation = Isolation::Tethered;
    let at = |ending: &str| lab.dir.path().join(format!("{name}.{ending}"));
    let capture = Capture { stdout: at("out"), stderr: at("err"), exit_record: None };
    let running = overnight_proc::spawn(&spec, &capture, std::sync::Arc::new(NoRedaction)).unwrap();
    let identity = running.identity().clone();
    let driving = async move {
        running.drive(&mut Silent, &CancellationToken::new()).await;
    };
    Turn { identity, _driving: AbortOnDropHandle::new(tokio::spawn(driving)) }
}

#[tokio::test]
async fn a_turn_of_a_job_that_nobody_holds_is_ended() {
    let lab = Lab::new().await;
    let (lost, last, held) = (running(&lab, "lost"), running(&lab, "last"), running(&lab, "held"));
    let claimed = lab.in_turn("w1", lost.identity.clone()).await;
    let lost_job = lab.lose(claimed, 9).await;
    let claimed = lab.in_turn("w2", last.identity.clone()).await;
    let ended = lab.lose(claimed, 0).await;
    assert!(ended.state.is_ended() && !lost_job.state.is_ended());
    lab.plant(&ended.id);
    let _held = lab.in_turn("w3", held.identity.clone()).await;

    let done = lab.sweep(Retention::default(), Duration::ZERO).await;
    assert_eq!(kinds(&done), ["processes", "processes"]);
    assert!(!is_alive(&lost.identity) && !is_alive(&last.identity));
    assert!(is_alive(&held.identity));
}

#[tokio::test]
async fn another_process_of_the_same_number_is_left_alone() {
    let lab = Lab::new().await;
    let stranger = running(&lab, "stranger");
    let mut namesake = stranger.identity.clone();
    namesake.start_ticks -= 1;
    let other_boot = ProcessIdentity { boot_id: "another boot".to_owned(), ..stranger.identity.clone() };
    for (worker, identity) in [("w1", namesake), ("w2", other_boot)] {
        let claimed = lab.in_turn(worker, identity).await;
        lab.lose(claimed, 9).await;
    }
    assert!(lab.sweep(Retention::default(), Duration::ZERO).await.is_empty());
    assert!(is_alive(&stranger.identity));
}

#[tokio::test]
async fn a_turn_of_another_place_is_left_alone() {
    let lab = Lab::new().await;
    let running = running(&lab, "far");
    let claimed = lab.in_turn("w", running.identity.clone()).await;
    lab.lose(claimed, 9).await;
    let mut sweeper = lab.sweeper(Retention::default());
    sweeper.place = label("elsewhere");
    assert!(sweeper.plan(lab.later(Duration::ZERO).await).await.unwrap().items.is_empty());
    assert!(is_alive(&running.identity));
}
