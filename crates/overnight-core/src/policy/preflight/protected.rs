//! Places that a person guards: what others run, what agents are told, who has to review, and what is installed.

use super::{Change, FileChange, Finding, Preflight, Rule};

/// What runs pipelines, by the beginning of its path or its whole name.
const CI: &[&str] = &[
    ".github/workflows/",
    ".github/actions/",
    ".gitea/workflows/",
    ".forgejo/workflows/",
    ".woodpecker/",
    ".circleci/",
    ".buildkite/",
    ".gitlab/ci/",
    ".teamcity/",
];
const CI_NAMES: &[&str] = &[
    ".gitlab-ci.yml",
    ".gitlab-ci.yaml",
    ".woodpecker.yml",
    ".woodpecker.yaml",
    ".travis.yml",
    ".drone.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "Jenkinsfile",
    "appveyor.yml",
    ".appveyor.yml",
    ".cirrus.yml",
];
const AGENT_FOLDERS: &[&str] = &[
    ".claude",
    ".cursor",
    ".codex",
    ".gemini",
    ".qwen",
    ".opencode",
    ".aider",
    ".windsurf",
    ".roo",
    ".continue",
    ".clinerules",
];
const AGENT_NAMES: &[&str] = &[
    "claude.md",
    "claude.local.md",
    "agents.md",
    "agents.override.md",
    "gemini.md",
    "qwen.md",
    ".cursorrules",
    ".windsurfrules",
    ".clinerules",
    ".mcp.json",
    "mcp.json",
    "copilot-instructions.md",
    ".aider.conf.yml",
    "opencode.json",
];
const MANIFESTS: &[&str] = &[
    "cargo.toml",
    "cargo.lock",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "pipfile",
    "pipfile.lock",
    "requirements.txt",
    "go.mod",
    "go.sum",
    "gemfile",
    "gemfile.lock",
    "composer.json",
    "composer.lock",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gradle.lockfile",
    "mix.exs",
    "mix.lock",
    "pubspec.yaml",
    "pubspec.lock",
    "packages.lock.json",
    "deno.lock",
    "flake.lock",
];
/// Scripts of a package that run on whoever installs it.
const HOOKS: &[&str] = &[
    "\"preinstall\"",
    "\"install\"",
    "\"postinstall\"",
    "\"prepare\"",
    "\"prepublish\"",
    "\"prepack\"",
    "\"postprepare\"",
];

pub(super) fn is_ci(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    CI.iter().any(|start| path.starts_with(start)) || CI_NAMES.contains(&name)
}

pub(super) fn findings(change: &Change, policy: &Preflight) -> Vec<Finding> {
    change.files.iter().flat_map(|file| of_file(file, policy)).collect()
}

fn of_file(file: &FileChange, policy: &Preflight) -> Vec<Finding> {
    let path = file.name();
    let mut found = Vec::new();
    let mut tell = |rule, detail: &str| found.push(with_first_line(Finding::new(rule, &path, detail), file));
    if let Some(glob) = policy.protect.iter().find(|glob| glob.matches(&path)) {
        tell(Rule::ProtectedPath, &format!("is protected by {glob:?}", glob = glob.as_str()));
        return found;
    }
    if policy.unprotect.iter().any(|glob| glob.matches(&path)) {
        return found;
    }
    if is_ci(&path) {
        tell(Rule::CiFile, "is run by the forge");
    }
    if is_agent_file(&path) {
        tell(Rule::AgentFile, "is what agents are told or allowed");
    }
    let name = path.rsplit('/').next().unwrap_or(&path).to_ascii_lowercase();
    if path == "overnight.toml" {
        tell(Rule::RunnerFile, "says how changes of this repository are checked");
    }
    if name == "codeowners" {
        tell(Rule::CodeOwners, "says who has to review");
    }
    if let Some(finding) = install_script(file, &path, &name) {
        found.push(finding);
    } else if MANIFESTS.contains(&name.as_str()) {
        found.push(with_first_line(
            Finding::new(Rule::Manifest, &path, "dependencies or their versions"),
            file,
        ));
    }
    found
}

fn is_agent_file(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let (parents, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    AGENT_NAMES.contains(&name) || parents.split('/').any(|part| AGENT_FOLDERS.contains(&part))
}

fn install_script(file: &FileChange, path: &str, name: &str) -> Option<Finding> {
    let in_hooks = [".husky/", ".githooks/"].iter().any(|start| path.starts_with(start));
    if in_hooks || ["build.rs", ".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml"].contains(&name) {
        let detail = "is run when the repository is built or committed to";
        return Some(with_first_line(Finding::new(Rule::InstallScript, path, detail), file));
    }
    if name != "package.json" {
        return None;
    }
    let (line, text) =
        file.added().find(|(_, text)| HOOKS.iter().any(|hook| text.trim_start().starts_with(hook)))?;
    let finding =
        Finding::new(Rule::InstallScript, path, "a script that runs on whoever installs the package");
    Some(finding.at(line).evidence(None, Some(text)))
}

fn with_first_line(finding: Finding, file: &FileChange) -> Finding {
    match file.added().next() {
        Some((line, text)) => finding.at(line).evidence(None, Some(text)),
        None => match file.removed().next() {
            Some((line, text)) => finding.at(line).evidence(Some(text), None),
            None => finding,
        },
    }
}
