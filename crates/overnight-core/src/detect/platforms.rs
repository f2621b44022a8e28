//! Rust, Go, Ruby, PHP, Elixir, .NET and the JVM. Pure; owns nothing.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Found, Root, shell_word};

static WORKSPACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^\s*\[workspace[\].]").ok());

static RAKE_TASK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?m)Rake::TestTask|Minitest::TestTask|^\s*task\s*\(?\s*(?::test\b|test:|["']test["'])"#)
        .ok()
});

pub(super) fn cargo(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if !root.has("Cargo.toml") {
        return found;
    }
    let mut command = "cargo test".to_owned();
    if WORKSPACE.as_ref().is_some_and(|section| section.is_match(&root.text("Cargo.toml"))) {
        command.push_str(" --workspace");
    }
    if root.has("Cargo.lock") {
        command.push_str(" --locked");
    }
    found.named("cargo test", command);
    found.because("Cargo.toml is a Rust project");
    found
}

pub(super) fn go(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if root.has("go.mod") {
        found.named("go vet", "go vet ./...");
        found.named("go test", "go test ./...");
        found.because("go.mod is a Go module");
    } else if root.has("go.work") {
        found.because("go.work has no module in the root directory: say which ones to test");
    }
    found
}

pub(super) fn ruby(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if !root.has("Gemfile") {
        return found;
    }
    found.install = Some(("bundle", "bundle install".to_owned()));
    if let Some(mark) = root.first_of(&[".rspec", "spec"]) {
        found.named("rspec", "bundle exec rspec");
        found.because(format!("{mark} belongs to RSpec"));
    }
    if RAKE_TASK.as_ref().is_some_and(|task| task.is_match(&root.text("Rakefile"))) {
        found.named("rake test", "bundle exec rake test");
        found.because("Rakefile has a test task");
    }
    found
}

pub(super) fn php(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if !root.has("composer.json") {
        return found;
    }
    found.install = Some(("composer", "composer install --no-interaction".to_owned()));
    let composer: Value = serde_json::from_str(&root.text("composer.json")).unwrap_or_default();
    if composer["scripts"].get("test").is_some() {
        found.check("composer test");
        found.because("composer.json has a test script");
    } else if let Some(file) = root.first_of(&["phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml"]) {
        found.named("phpunit", "vendor/bin/phpunit");
        found.because(format!("{file} configures PHPUnit"));
    }
    found
}

pub(super) fn elixir(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if root.has("mix.exs") {
        found.install = Some(("mix", "mix deps.get".to_owned()));
        found.check("mix test");
        found.because("mix.exs is an Elixir project");
    }
    found
}

/// With several candidates `dotnet` refuses to choose; the first solution, or else the first project, is named.
pub(super) fn dotnet(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    let solutions = root.ending(&[".sln", ".slnx"]);
    let projects = root.ending(&[".csproj", ".fsproj", ".vbproj"]);
    let Some(first) = solutions.first().or(projects.first()) else { return found };
    if solutions.len() + projects.len() == 1 {
        found.check("dotnet test");
    } else {
        found.named("dotnet test", format!("dotnet test {}", shell_word(first)));
    }
    found.because(format!("{first} is a .NET project"));
    found
}

pub(super) fn maven(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if root.has("pom.xml") {
        let program = if root.has("mvnw") { "./mvnw" } else { "mvn" };
        found.named("mvn test", format!("{program} -B test"));
        found.because(format!("pom.xml is a Maven project, run by {program}"));
    }
    found
}

/// Without the daemon, which would outlive the check that started it.
pub(super) fn gradle(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    let files = ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];
    let Some(file) = root.first_of(&files) else { return found };
    let program = if root.has("gradlew") { "./gradlew" } else { "gradle" };
    found.named("gradle test", format!("{program} --no-daemon test"));
    found.because(format!("{file} is a Gradle project, run by {program}"));
    found
}
