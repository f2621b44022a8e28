//! Several logins of one vendor, and one login of several jobs.

use overnight_testkit::model::{Action, Scenario};
use serde_json::Value;

use super::{order, refusal, with_quota, work};
use crate::harness::fleet::hasten;
use crate::harness::{Place, eventually};

const TWO: &str = "[agent.accounts.claude.work]\nbilling = \"key\"\nkey_env = \"WORK_KEY\"\n\
                   [agent.accounts.claude.home]\nbilling = \"key\"\nkey_env = \"HOME_KEY\"\n";

fn accounts(place: &Place, key: &str) -> Vec<Value> {
    let events = place.tables().events(key);
    let announced = events.iter().filter(|event| event["type"] == "turn_announced");
    announced.map(|event| event["account"].clone()).collect()
}

/// A turn that is refused on the first login goes on with the second, in the same attempt and without a wait.
fn goes_on_with_the_other(test: &str, first: Action) {
    let scenario = Scenario::new().then(first).then(work());
    let Some((mut place, model)) = with_quota(test, scenario) else { return };
    place.env("WORK_KEY", "dummy-work-key-55aa").env("HOME_KEY", "dummy-home-key-66bb");
    place.configure(TWO);
    order(&place, 1);
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended("repo-1"), "published");
    assert_eq!(accounts(&place, "repo-1"), ["work", "home"]);
    let keys: Vec<String> =
        model.asked().iter().map(|request| request.headers["x-api-key"].clone()).collect();
    assert_eq!(keys, ["dummy-work-key-55aa", "dummy-home-key-66bb", "dummy-home-key-66bb"]);
    let events = place.tables().events("repo-1");
    assert!(events.iter().all(|event| event["type"] != "parked" && event["type"] != "attempt_failed"));
    for key in ["dummy-work-key-55aa", "dummy-home-key-66bb"] {
        place.expect_not_stored(key);
    }
    place.check_fleet();
    place.finish();
}

#[test]
fn when_one_login_is_used_up_another_goes_on() {
    goes_on_with_the_other("when_one_login_is_used_up_another_goes_on", refusal());
}

#[test]
fn when_one_login_has_expired_another_goes_on() {
    let refused = Action::Http { status: 401, retry_after: None, reset_at: None, message: None };
    goes_on_with_the_other("when_one_login_has_expired_another_goes_on", refused);
}

#[test]
fn accounts_that_cannot_be_told_apart_are_refused() {
    let place = Place::new();
    place.configure("[agent.accounts.claude.a]\nmin_quota = 5\n[agent.accounts.claude.b]\nmin_quota = 7\n");
    place.overnight(&["ls"]).expect_code(2).expect_said(&["use the same login", "login_dir"]);
    place.configure("[agent.accounts.claud.a]\nmin_quota = 5\n");
    place.overnight(&["ls"]).expect_code(2).expect_said(&["did you mean `claude`?"]);
    place.configure("[agent.accounts.claude.a]\nmin_qota = 5\n");
    place.overnight(&["ls"]).expect_code(2).expect_said(&["did you mean `min_quota`?"]);
    place.configure("[agent.accounts.claude.a]\nmin_quota = 101\n");
    place.overnight(&["ls"]).expect_code(2).expect_said(&["a number from 0 to 100"]);
}

/// A CLI that renews its login as vendors' CLIs do: with a token that works once. Whoever comes with a used one has lost the login.
const RENEWS: &str = r#"#!/bin/sh
case "$1" in --version) echo "2.1.328 (Claude Code)"; exit 0;; esac
cat > /dev/null
login="$HOME/.claude/.credentials.json"
token=$(sed -n 's/.*"refreshToken":"\([0-9]*\)".*/\1/p' "$login")
expires=$(sed -n 's/.*"expiresAt":\([0-9]*\).*/\1/p' "$login")
now=$(date +%s)
if [ "$expires" -lt "$now"000 ]; then
    if ! mkdir "$HOME/used-$token" 2> /dev/null; then touch "$HOME/lost"; exit 1; fi
    sleep 0.2
    printf '{"claudeAiOauth":{"refreshToken":"%s","expiresAt":%s000}}' $((token + 1)) $((now + 3600)) > "$login.new"
    mv "$login.new" "$login"
fi
echo 42 > answer
echo '{"type":"system","subtype":"init","session_id":"6b1f0d5e-37a5-4b60-9d26-0d8f6f3d9b11","model":"m"}'
echo '{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"6b1f0d5e-37a5-4b60-9d26-0d8f6f3d9b11","usage":{"input_tokens":1,"output_tokens":1},"total_cost_usd":0.01,"num_turns":1}'
"#;

#[test]
fn eight_jobs_at_once_renew_one_login_once() {
    use std::os::unix::fs::PermissionsExt;
    let mut place = Place::new();
    hasten(&mut place);
    let program = place.write("bin/claude", RENEWS);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.env("OVERNIGHT_AGENT_DEFAULT", "claude").env("OVERNIGHT_AGENT_PROGRAM_CLAUDE", program);
    let login = place.write_in(
        &place.home(),
        ".claude/.credentials.json",
        "{\"claudeAiOauth\":{\"refreshToken\":\"1\",\"expiresAt\":1000}}",
    );
    order(&place, 16);
    let workers = [place.worker(&["--slots", "4"]), place.worker(&["--slots", "4"])];
    for n in 1..=16 {
        assert_eq!(place.until_ended(&format!("repo-{n}")), "published");
    }
    for worker in workers {
        worker.stop().expect_code(0);
    }
    assert!(!place.home().join("lost").exists(), "two renewed at once");
    let renewed = std::fs::read_to_string(login).unwrap();
    assert!(renewed.contains("\"refreshToken\":\"2\""), "{renewed}");
    let parked = place.tables().rows("SELECT job_id FROM events WHERE event LIKE '%\"type\":\"parked\"%'");
    assert!(parked.is_empty(), "{parked:?}");
    eventually("no process left", || place.agents().is_empty().then_some(()));
    place.check_fleet();
    place.finish();
}
