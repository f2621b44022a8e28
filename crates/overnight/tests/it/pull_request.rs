//! `run --pr` against a fake forge: exactly one branch and one pull request, whatever goes wrong between.

mod crash;
mod faults;
mod people;

use overnight_testkit::forge::{Flavour, PullState};
use serde_json::Value;

use crate::harness::Place;
use crate::harness::forge::{BRANCH, FIX, Forge, REPOSITORY, TOKEN, TRUNK, args, run};

const FLAVOURS: [Flavour; 2] = [Flavour::GitHub, Flavour::Gitea];

fn with_forge(flavour: Flavour) -> (Place, Forge) {
    let mut place = Place::new();
    let forge = Forge::beside(&mut place, flavour);
    (place, forge)
}

#[test]
fn a_sentence_becomes_one_branch_and_one_pull_request() {
    for flavour in FLAVOURS {
        let (place, forge) = with_forge(flavour);
        let before = place.git(&["for-each-ref"]);

        let outcome = run(&place, &[]).expect_code(0);

        let pull = forge.expect_one(&place, &format!("{flavour:?}"));
        assert_eq!((pull.head.as_str(), pull.base.as_str(), pull.state), (BRANCH, TRUNK, PullState::Open));
        assert_eq!((pull.author.as_str(), pull.draft), ("robot", false));
        assert_eq!(pull.title, "Make the check pass");
        let url = outcome.stdout.trim();
        assert!(url.starts_with(&format!("{}/{REPOSITORY}/pull", forge.web_base())), "{url}");
        assert_eq!(place.git(&["for-each-ref"]), before, "the person's own branches stay as they are");
        let published = &place.expect_reason("ended", "published")["published"];
        assert_eq!(published["pull_request"]["number"], pull.number);
        assert_eq!(published["commit"], pull.head_commit.as_str());
        place.finish();
    }
}

#[test]
fn the_text_tells_what_was_asked_and_what_was_measured() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let miss = r#"{ write = { path = "answer", content = "40\n" } }, { usage = { input = 1000, output = 234, cost = 0.5 } }"#;
    let says = format!(
        "{FIX}, {{ usage = {{ output = 66, cost = 0.75 }} }}, {{ say = \"Closes #7, @alice: ``` done\" }}"
    );
    let script = place.script(&[miss, &says]);
    place.overnight(&args(&script, &["--attempts", "4"])).expect_code(0);

    let body = forge.expect_one(&place, "the body").body;

    let key = place.job()["id"].as_str().unwrap().to_owned();
    for part in
        ["Make the check pass", "sh check.sh", "Correct the answer", "answer", "2", "1300", "$1.25", &key]
    {
        assert!(body.replace([',', '\u{202f}'], "").contains(part), "{part:?} is not in:\n{body}");
    }
    assert!(
        !body.contains("Closes #7") && !body.contains("@alice"),
        "what the agent says does nothing:\n{body}"
    );
    assert!(body.contains("alice"), "but it is shown:\n{body}");
    place.finish();
}

#[test]
fn a_draft_is_a_draft_on_each_forge() {
    for flavour in FLAVOURS {
        let (place, forge) = with_forge(flavour);
        run(&place, &["--draft"]).expect_code(0);
        assert!(forge.expect_one(&place, &format!("{flavour:?}")).draft, "{flavour:?}");
        place.finish();
    }
}

#[test]
fn the_base_is_the_remotes_and_not_the_persons() {
    let (place, forge) = with_forge(Flavour::GitHub);
    place.write_in(&place.repo(), "private", "not pushed\n");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message=Only here"]);
    let base = forge.commit(REPOSITORY, TRUNK, TRUNK, "newer").unwrap();
    run(&place, &[]).expect_code(0).expect_said(&["not part of the base"]);
    let pull = forge.expect_one(&place, "trunk");
    assert_eq!((pull.base.as_str(), &pull.base_commit), (TRUNK, &base));
    assert_eq!(forge.show(&place, BRANCH, "newer"), format!("{TRUNK} newer"));
    let tree = place.git_in(&place.repo(), &["ls-remote", forge.bare(), &format!("refs/heads/{BRANCH}")]);
    assert!(tree.starts_with(&pull.head_commit), "{tree}");
    place.finish();
}

#[test]
fn a_named_base_is_the_target() {
    let (place, forge) = with_forge(Flavour::Gitea);
    forge.commit(REPOSITORY, "release/1.x", TRUNK, "released").unwrap();
    run(&place, &["--base", "release/1.x"]).expect_code(0);
    let pull = forge.expect_one(&place, "release");
    assert_eq!(pull.base, "release/1.x");
    assert_eq!(forge.show(&place, BRANCH, "released"), "release/1.x released");
    place.finish();
}

#[test]
fn the_token_comes_from_a_variable_a_file_or_a_command() {
    let (mut place, forge) = with_forge(Flavour::GitHub);
    place.env("FORGE_CANARY", "");
    run(&place, &[]).expect_code(4).expect_said(&["no token"]);
    assert!(
        place.overnight(&["ls", "--all", "--json"]).json()["data"].as_array().unwrap().is_empty(),
        "nothing was queued"
    );

    let file = place.write("token", &format!("{TOKEN}\n"));
    forge.configure(&place, Flavour::GitHub, &format!("token_file = {file:?}"));
    run(&place, &[]).expect_code(0);

    let command = place.write("helper", &format!("#!/bin/sh\necho {TOKEN}\necho noise >&2\n"));
    forge.configure(&place, Flavour::GitHub, &format!("token_command = [\"sh\", {command:?}]"));
    run(&place, &[]).expect_code(0);

    assert_eq!(forge.pulls().len(), 2);
    assert_eq!(forge.leaks(TOKEN), Vec::<String>::new());
    place.expect_not_stored(TOKEN);
    place.finish();
}

#[test]
fn a_token_file_is_out_of_the_agents_reach() {
    let (mut place, forge) = with_forge(Flavour::GitHub);
    let file = place.write("secrets/token", &format!("{TOKEN}\n"));
    forge.configure(&place, Flavour::GitHub, &format!("token_file = {file:?}"));
    place.env("FORGE_CANARY", "");
    let elsewhere = place.write("conf/gh/hosts.yml", "canary-of-configuration\n");
    place.env("XDG_CONFIG_HOME", place.path("conf"));
    let usual = place.home().join(".config/overnight");
    std::fs::rename(usual, place.path("conf/overnight")).unwrap();
    let loot = place.path("loot");
    let looks =
        format!("cat {} {} {} >{} 2>&1", file.display(), elsewhere.display(), "check.sh", loot.display());
    let script = place.script(&[&format!("{{ run = {{ command = \"{looks}\" }} }}, {FIX}")]);
    place.overnight(&args(&script, &[])).expect_code(0);
    let found = std::fs::read_to_string(loot).unwrap();
    assert!(found.contains("cat answer"), "the look was had: {found}");
    if place.only_job().guarded() {
        assert!(!found.contains(TOKEN) && !found.contains("canary-of-configuration"), "{found}");
    }
    forge.expect_one(&place, "out of reach");
    place.finish();
}

#[test]
fn a_forge_below_a_path_of_its_host_is_known_by_that() {
    let mut place = Place::new();
    let forge = Forge::below(&mut place, Flavour::Gitea, "/gitea");
    run(&place, &[]).expect_code(0);
    forge.expect_one(&place, "below a path");
    place.finish();
}

/// The code comes from the remote; the repository that the person stands in is no less theirs.
#[test]
fn the_persons_own_repository_stays_as_it_is() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let repo = place.repo();
    let tries = format!(
        "echo bad > {0}/answer; git -C {0} branch planted; echo bad > {0}/.git/hooks/post-commit",
        repo.display()
    );
    let script = place.script(&[&format!("{{ run = {{ command = \"{tries}\" }} }}, {FIX}")]);
    let before = place.git(&["status", "--porcelain", "--branch"]);
    place.overnight(&args(&script, &[])).expect_code(0);
    if place.only_job().guarded() {
        assert_eq!(place.git(&["status", "--porcelain", "--branch"]), before);
        assert_eq!(place.git(&["branch", "--list", "planted"]), "");
        assert!(!repo.join(".git/hooks/post-commit").exists());
    }
    forge.expect_one(&place, "as it is");
    place.finish();
}

#[test]
fn what_cannot_be_published_is_refused_before_the_agent_is_paid() {
    let place = Place::new();
    run(&place, &[]).expect_code(2).expect_said(&["no", "remote"]);
    place.git(&["remote", "add", "origin", "https://git.example.invalid/a/b.git"]);
    run(&place, &[]).expect_code(2).expect_said(&["no forge is known", "git.example.invalid"]);
    place.git(&["remote", "set-url", "origin", &format!("https://user:{TOKEN}@github.com/a/b.git")]);
    run(&place, &[]).expect_code(2).expect_said(&["plain URL"]);
    assert!(!place.data().join("jobs").exists());
    place.finish();
}

/// `x-access-token:` and [`TOKEN`] in Base64, as git sends it.
const ENCODED: &str = "eC1hY2Nlc3MtdG9rZW46Zm9yZ2UtY2FuYXJ5LXRva2VuLTkzYjFjMDdl";

/// Every process's arguments, and the environment of those that work in the place.
fn looked_at(place: &Place) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let text = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(path.join(name)).unwrap_or_default()).into_owned()
        };
        let ours = std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(place.data()));
        seen.push((text("cmdline"), if ours { text("environ") } else { String::new() }));
    }
    seen
}

#[test]
fn the_token_is_in_no_argument_and_in_no_environment_of_the_agent() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let held = format!(
        "{{ run = {{ command = \"env > {0}/seen; touch {0}/started; while [ ! -e {0}/go ]; do sleep 0.05; done\" }} }}, {FIX}",
        place.path("").display().to_string().trim_end_matches('/')
    );
    let script = place.script(&[&held]);
    forge.inject(overnight_testkit::forge::On::GitPush, overnight_testkit::forge::Fault::CommitThenHang);
    let live = place.start(&args(&script, &["--events"]));
    crate::harness::eventually("the agent runs", || place.path("started").exists().then_some(()));
    let mut seen = looked_at(&place);
    place.write("go", "");
    forge.wait_for(overnight_testkit::forge::On::GitPush, 1);
    seen.extend(looked_at(&place));
    live.kill();
    for (arguments, environment) in seen {
        for secret in [TOKEN, ENCODED] {
            assert!(!arguments.contains(secret), "{arguments}");
        }
        assert!(environment.contains("GIT_CONFIG_VALUE_0") || !environment.contains(TOKEN), "{environment}");
    }
    let pushed = forge.requests_on(overnight_testkit::forge::On::GitPush);
    assert!(
        pushed.iter().any(|request| request.header("authorization") == Some(&*format!("Basic {ENCODED}")))
    );
    assert!(!std::fs::read_to_string(place.path("seen")).unwrap().contains(TOKEN));
    place.overnight(&["resume"]).expect_code(0);
    forge.expect_one(&place, "after the hang");
    place.finish();
}

#[test]
fn the_job_as_json_names_the_pull_request() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let outcome = run(&place, &["--json"]).expect_code(0);
    let job: Value = outcome.json()["data"].clone();
    let number = forge.expect_one(&place, "json").number;
    assert_eq!((&job["state"], &job["reason"]), (&"ended".into(), &"published".into()), "{job:#}");
    assert_eq!(job["published"]["pull_request"]["number"], number, "{job:#}");
    assert_eq!(job["published"]["branch"], BRANCH, "{job:#}");
    place.finish();
}
