//! Python: uv, Poetry, tox, pytest, unittest. Pure; owns nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Root};

static TOX_SECTION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^\[(?:tox|testenv)\b").ok());

static PYTEST_WORD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?im)(?:^|[\s\x22'\[,])pytest\b").ok());

pub(super) fn python(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if !is_python(root) {
        return found;
    }
    let pytest = pytest_evidence(root);
    let plain_tests = plain_tests(root);
    if root.has("uv.lock") && pytest.is_some() {
        found.check("uv run pytest");
        found.because("uv.lock says that uv runs pytest");
    } else if root.has("poetry.lock") && pytest.is_some() {
        found.install = Some(("poetry", "poetry install --no-interaction".to_owned()));
        found.check("poetry run pytest");
        found.because("poetry.lock says that Poetry runs pytest");
    } else if let Some(file) = tox_file(root) {
        found.check("tox");
        found.because(format!("{file} configures tox"));
    } else if let Some(evidence) = pytest {
        found.named("pytest", "python3 -m pytest");
        found.because(format!("{evidence}; python3 is expected to have what the tests need"));
    } else if let Some(file) = plain_tests {
        let runner = if root.has("uv.lock") { "uv run python" } else { "python3" };
        found.named("unittest", format!("{runner} -m unittest"));
        found.because(format!("{file} is a test and nothing mentions pytest"));
    }
    found
}

fn is_python(root: &Root<'_>) -> bool {
    const MARKS: [&str; 9] = [
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "requirements.txt",
        "requirements-dev.txt",
        "tox.ini",
        "pytest.ini",
        "conftest.py",
        "uv.lock",
    ];
    root.first_of(&MARKS).is_some() || !root.ending(&[".py"]).is_empty()
}

/// Why pytest is the way to run the tests, if it is.
fn pytest_evidence(root: &Root<'_>) -> Option<String> {
    if let Some(file) = root.first_of(&["pytest.ini", ".pytest.ini", "conftest.py"]) {
        return Some(format!("{file} belongs to pytest"));
    }
    let sections =
        [("pyproject.toml", "[tool.pytest"), ("setup.cfg", "[tool:pytest]"), ("tox.ini", "[pytest]")];
    if let Some((file, _)) = sections.into_iter().find(|(file, section)| root.text(file).contains(section)) {
        return Some(format!("{file} configures pytest"));
    }
    let mentions = ["pyproject.toml", "requirements-dev.txt", "requirements.txt"];
    let asks = |file: &&str| PYTEST_WORD.as_ref().is_some_and(|word| word.is_match(&root.text(file)));
    let tested = root.first_of(&["tests", "test"]);
    if let Some(file) = mentions.into_iter().find(asks)
        && (tested.is_some() || plain_tests(root).is_some())
    {
        return Some(format!("{file} asks for pytest"));
    }
    tested.map(|directory| format!("there is a directory {directory}"))
}

fn plain_tests<'a>(root: &Root<'a>) -> Option<&'a str> {
    root.ending(&[".py"]).into_iter().find(|name| name.starts_with("test_") || name.ends_with("_test.py"))
}

fn tox_file(root: &Root<'_>) -> Option<&'static str> {
    let has_section = |text: &str| TOX_SECTION.as_ref().is_some_and(|section| section.is_match(text));
    if has_section(&root.text("tox.ini")) {
        return Some("tox.ini");
    }
    if root.has("tox.toml") {
        return Some("tox.toml");
    }
    if root.text("setup.cfg").contains("[tox:tox]") {
        return Some("setup.cfg");
    }
    root.text("pyproject.toml").contains("[tool.tox").then_some("pyproject.toml")
}
