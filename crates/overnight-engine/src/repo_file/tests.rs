//! What a repository may and may not say.

use super::*;

const TEN: Duration = Duration::from_secs(600);

fn error(text: &str) -> String {
    parse(text, TEN).unwrap_err().to_string()
}

#[test]
fn a_list_of_commands_becomes_named_checks() {
    let file = parse("[verify]\nchecks = [\"cargo test\", \"cargo test\"]\n", TEN).unwrap();
    let checks = file.checks.unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["cargo test", "cargo test #2"]);
    assert!(checks.iter().all(|check| check.command == "cargo test" && check.timeout == TEN));
}

#[test]
fn full_checks_carry_name_and_timeout() {
    let text = "[[verify.check]]\nname = \"unit\"\ncommand = \"make test\"\ntimeout = \"1h30m\"\n\n\
                [[verify.check]]\ncommand = \"make lint\"\n";
    let checks = parse(text, TEN).unwrap().checks.unwrap();
    let unit = Check { name: "unit".into(), command: "make test".into(), timeout: Duration::from_secs(5400) };
    let lint = Check { name: "make lint".into(), command: "make lint".into(), timeout: TEN };
    assert_eq!(checks, [unit, lint]);
}

#[test]
fn an_empty_file_says_nothing() {
    assert_eq!(parse("# nothing\n", TEN).unwrap(), RepoFile::default());
    assert_eq!(parse("[verify]\n", TEN).unwrap(), RepoFile::default());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    assert_eq!(
        error("\n[verify]\n  chekcs = [\"x\"]\n"),
        "overnight.toml line 3, column 3: unknown key \"verify.chekcs\"; did you mean \"verify.checks\"?"
    );
    assert_eq!(
        error("[[verify.check]]\ncommand = \"x\"\ntimout = \"1s\"\n"),
        "overnight.toml line 3, column 1: unknown key \"verify.check.timout\"; did you mean \"verify.check.timeout\"?"
    );
    assert!(error("zzz = 1").contains("a repository may only set \"verify\""));
}

#[test]
fn settings_of_the_person_are_refused_as_such() {
    for section in USER_SECTIONS {
        let text = format!("[{section}]\nmodel = \"x\"\n");
        assert!(error(&text).contains("belongs in your own configuration"), "{section}");
    }
}

#[test]
fn wrong_values_are_told_with_their_key() {
    let table = [
        ("[verify]\nchecks = \"cargo test\"", "\"verify.checks\" must be a list"),
        ("[verify]\nchecks = []", "\"verify.checks\" must be a list"),
        ("[verify]\nchecks = [\" \"]", "\"verify.checks\" must be a list"),
        ("[verify]\nchecks = [1]", "\"verify.checks\" must be a list"),
        ("verify = 1", "\"verify\" must be a table"),
        ("[[verify.check]]\nname = \"x\"", "\"verify.check.command\" is missing"),
        ("[[verify.check]]\ncommand = \"x\"\ntimeout = 5", "\"verify.check.timeout\" must be a time"),
        ("[[verify.check]]\ncommand = \"x\"\nname = \"a\\nb\"", "\"verify.check.name\" must be a short text"),
        ("[[verify.check]]\ncommand = \"x\"\n[[verify.check]]\ncommand = \"x\"", "is given twice"),
        ("[verify]\nchecks = [\"x\"]\n[[verify.check]]\ncommand = \"x\"", "cannot both be given"),
        ("[verify", "not valid TOML"),
    ];
    for (text, want) in table {
        assert!(error(text).contains(want), "{text:?}: {}", error(text));
    }
}

#[test]
fn durations_are_read_as_people_write_them() {
    let seconds = |text: &str| duration(text).map(|span| span.as_secs());
    assert_eq!(seconds("90s"), Some(90));
    assert_eq!(seconds("1h 30m"), Some(5400));
    assert_eq!(seconds("2d"), Some(172_800));
    for bad in ["", "5", "-5s", "0s", "1.5h", "5w", "99999999999999999999s", "s", "1h30", "400000d"] {
        assert_eq!(seconds(bad), None, "{bad:?}");
    }
}

#[test]
fn a_long_command_gets_a_short_name() {
    let checks = named_checks(&[format!("run {}", "x".repeat(200)), "y".repeat(200)], TEN);
    assert!(checks.iter().all(|check| check.name.chars().count() <= MAX_NAME));
    assert_eq!(checks[0].name, "run");
}
