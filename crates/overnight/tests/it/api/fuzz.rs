//! Whatever the description of the API allows, and what it does not, sent by a fuzzer: no answer is a mistake of ours, and
//! each is one that the description names.

use std::process::Command;

use overnight_testkit::tools;

use super::client::Client;
use crate::harness::fleet::FIX;
use crate::harness::skipped;

/// What is looked at in each answer. What a fuzzer thinks should be accepted is not among it: whether a job may be cancelled is not
/// for the description to say.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn a_fuzzer_finds_no_mistake_of_the_server() {
    let test = "a_fuzzer_finds_no_mistake_of_the_server";
    let Ok(program) = tools::schemathesis().inspect_err(|reason| skipped(test, reason)) else { return };
    let place = super::place();
    place.add("repo", &[FIX], &[]);
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let client = Client::new(&place, &served, "fuzzer", "admin");
    let described = place.overnight_in(&place.home(), &["api", "openapi"]).expect_code(0);
    let file = place.write("openapi.json", &described.stdout);
    let mut fuzzer = Command::new(program);
    fuzzer.arg("run").arg(&file).args(["--url", &format!("http://{}", client.address)]);
    fuzzer.args(["-H", &format!("Authorization: Bearer {}", client.token), "--checks", CHECKS]);
    fuzzer.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "20",
        "--seed",
        "1",
        "--no-color",
    ]);
    // A stream has no end.
    fuzzer.args(["--exclude-operation-id", "streamEvents", "--exclude-operation-id", "streamJobEvents"]);
    fuzzer.args(["--suppress-health-check", "all", "--request-timeout", "60"]);
    let output = fuzzer.current_dir(place.home()).output().expect("the fuzzer starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    served.until_health(200, "idle");
    served.worker.stop().expect_code(0);
}
