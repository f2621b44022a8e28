//! A job with which every worker dies: it ends, and the others do not wait for it.

use crate::harness::fleet::{Engine, FIX, place_on};

#[test]
fn a_job_that_costs_worker_after_worker_ends_and_blocks_nobody() {
    for engine in Engine::BOTH {
        let Some(mut place) = place_on(engine, "a_job_that_costs_worker_after_worker") else { continue };
        place.env("OVERNIGHT_WORKER_MOST_LOSSES", "2");
        place.make_repo("other");
        let poison = place.add("repo", &["\"hang\""], &["--priority", "100"]);
        let mut others = Vec::new();
        for loss in 1..=3 {
            let other = place.add("other", &[FIX], &[]);
            let mut worker = place.worker(&["--slots=2"]);
            let mut tables = place.tables();
            crate::harness::eventually(&format!("turn {loss} of the poison"), || {
                let turns =
                    tables.events(&poison).into_iter().filter(|event| event["type"] == "turn_started");
                (turns.count() == loss).then_some(())
            });
            assert_eq!(place.until_ended(&other), "published", "beside the poison");
            worker.kill();
            others.push(other);
        }
        let last = place.add("other", &[FIX], &[]);

        place.work_off().expect_code(0);

        let job = place.tables().job(&poison);
        assert_eq!((job.end_reason.as_deref(), job.lost), (Some("worker_lost"), 3));
        assert_eq!(place.until_ended(&last), "published");
        let events = place.tables().events(&poison);
        assert!(events.iter().all(|event| event["type"] != "attempt_failed"), "losses are no attempts");
        place.check_fleet();
    }
}
