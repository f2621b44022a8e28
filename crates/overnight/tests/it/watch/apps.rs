//! A GitHub App instead of a token: for the API, for git, and in comments.

use overnight_testkit::forge::{FakeResult, Flavour};

use super::{check, head, look};
use crate::harness::Place;
use crate::harness::fleet::hasten;
use crate::harness::forge::{FIX, Forge, REPOSITORY, args};

/// Made for tests; without its first and last line.
const KEY: &str = include_str!("../../../../overnight-forge/src/tests/app_key.txt");

fn key(place: &Place, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt;
    let pem = format!("-----BEGIN {0}-----\n{KEY}-----END {0}-----\n", "RSA PRIVATE KEY");
    let file = place.write("app.pem", &pem);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    format!("app_id = \"Iv1.abc\"\napp_key_file = {file:?}")
}

#[test]
fn an_app_is_spoken_for_in_everything() {
    let mut place = Place::new();
    hasten(&mut place);
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    place.env("FORGE_CANARY", "").env("OVERNIGHT_WATCH_CI_FIXES", "0");
    // Over long ago, by our clock: each call needs a new token.
    forge.add_app(3_600);
    let script = place.script(&[FIX]);
    forge.configure(&place, Flavour::GitHub, &key(&place, 0o644));
    place.overnight(&args(&script, &[])).expect_code(4).expect_said(&["can be read by others", "chmod 600"]);
    let doctor = || place.overnight(&["doctor"]).stdout;
    assert!(doctor().contains("the GitHub App's key cannot be used"), "{}", doctor());
    forge.configure(&place, Flavour::GitHub, &key(&place, 0o600));
    assert!(doctor().contains("GitHub App Iv1.abc can be used"), "{}", doctor());
    place.overnight(&args(&script, &[])).expect_code(0);
    let pull = forge.pulls()[0].clone();
    assert!(pull.author.ends_with("[bot]"), "{pull:?}");
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
    look(&place, pull.number);
    look(&place, pull.number);
    let comments = forge.comments(REPOSITORY, pull.number);
    assert_eq!(comments.len(), 1, "{comments:#?}");
    place.expect_not_stored("MII");
    place.finish();
}

#[test]
fn half_an_app_and_one_of_another_forge_are_refused() {
    let mut place = Place::new();
    let forge = Forge::beside(&mut place, Flavour::Gitea);
    let script = place.script(&[FIX]);
    for (text, said) in [
        ("app_id = \"1\"", "half of a GitHub App"),
        ("app_id = \"1\"\napp_key_file = \"/nowhere\"", "only GitHub has Apps"),
    ] {
        forge.configure(&place, Flavour::Gitea, text);
        place.overnight(&args(&script, &[])).expect_code(2).expect_said(&[said]);
    }
    place.finish();
}
