//! The worker is killed with SIGKILL at every point of the way of an idea: each part is written once, and the way goes to its end.

use super::{good, place, texts};
use crate::harness::eventually;

#[test]
fn killed_after_events_of_all_kinds_an_idea_still_gets_each_document_once() {
    let all = good();
    let mut nth = 1;
    loop {
        let (place, script) = place(&texts(&all));
        place.idea("run", &script, &[]).expect_code(0);
        let mut worker = place.worker(&["--exit-when-idle"]);
        let over = eventually("an event", || {
            let events = place.tables().count_events();
            let over = worker.ended().is_some();
            (over || events >= nth).then_some(over)
        });
        worker.kill();
        place.work_off().expect_code(0);
        assert_eq!(place.idea_state(), "plan_reviewed", "killed after event {nth}");
        let parts = ["grill 1", "plan 1", "plan 2", "plan 3", "review 1", "review 2"];
        assert_eq!(place.written(), parts, "killed after event {nth}");
        assert_eq!(place.keys().len(), 4, "killed after event {nth}");
        place.check_fleet();
        place.finish();
        if over {
            assert!(nth > 30, "only {nth} events");
            return;
        }
        // One in three keeps the test short; their places shift with the timing of each run.
        nth += 3;
    }
}
