//! Sample trees and the checks that they lead to.

use proptest::prelude::*;

use super::*;

/// `name` alone, or `name=content`.
fn checks(tree: &[&str]) -> Vec<String> {
    let detected = run(tree);
    assert!(!detected.reasons.is_empty(), "no reasons for {tree:?}");
    assert!(detected.checks.iter().all(|check| check.timeout == CHECK_TIMEOUT));
    detected.checks.into_iter().map(|check| format!("{}: {}", check.name, check.command)).collect()
}

fn run(tree: &[&str]) -> Detected {
    let split = |entry: &&str| match entry.split_once('=') {
        Some((name, content)) => (name.to_owned(), content.to_owned()),
        None => ((*entry).to_owned(), String::new()),
    };
    let files: Vec<(String, String)> = tree.iter().map(split).collect();
    let root: Vec<Vec<u8>> = files.iter().map(|(name, _)| name.as_bytes().to_vec()).collect();
    let wanted = wanted_files(&root);
    let read = |name: &str| {
        assert!(wanted.contains(&name), "{name} is read but not wanted");
        files.iter().find(|(file, _)| file == name).map(|(_, content)| content.as_bytes().to_vec())
    };
    detect(&root, &read)
}

const TEST: &str = r#"package.json={"scripts":{"test":"vitest"},"devDependencies":{"vitest":"1"}}"#;

#[test]
fn rust_and_go() {
    assert_eq!(checks(&["Cargo.toml=[package]\nname = 'x'"]), ["cargo test: cargo test"]);
    assert_eq!(
        checks(&["Cargo.toml=[workspace]\nmembers=[]", "Cargo.lock"]),
        ["cargo test: cargo test --workspace --locked"]
    );
    assert_eq!(checks(&["go.mod=module x"]), ["go vet: go vet ./...", "go test: go test ./..."]);
    assert_eq!(checks(&["go.work"]), [""; 0]);
}

#[test]
fn the_lock_file_chooses_the_package_manager() {
    let cases: [(&[&str], [&str; 2]); 8] = [
        (&[TEST, "package-lock.json"], ["install: npm ci", "npm test: CI=true npm test"]),
        (&[TEST], ["install: npm install --no-audit --no-fund", "npm test: CI=true npm test"]),
        (
            &[TEST, "pnpm-lock.yaml"],
            ["install: pnpm install --frozen-lockfile", "pnpm test: CI=true pnpm test"],
        ),
        (&[TEST, "yarn.lock"], ["install: yarn install --frozen-lockfile", "yarn test: CI=true yarn test"]),
        (
            &[TEST, "yarn.lock", ".yarnrc.yml"],
            ["install: yarn install --immutable", "yarn test: CI=true yarn test"],
        ),
        (
            &[TEST, "bun.lock"],
            ["install: bun install --frozen-lockfile", "bun run test: CI=true bun run test"],
        ),
        (
            &[TEST, "bun.lockb"],
            ["install: bun install --frozen-lockfile", "bun run test: CI=true bun run test"],
        ),
        (
            &[
                r#"package.json={"packageManager":"pnpm@9.1.0","scripts":{"test":"t"},"dependencies":{"a":"1"}}"#,
            ],
            ["install: pnpm install", "pnpm test: CI=true pnpm test"],
        ),
    ];
    for (tree, expected) in cases {
        assert_eq!(checks(tree), expected, "{tree:?}");
    }
}

#[test]
fn scripts_are_run_cheap_ones_first_and_only_when_they_are_there() {
    let all = r#"package.json={"scripts":{"test":"jest","build":"tsc -b","typecheck":"tsc","lint":"eslint","dev":"vite"}}"#;
    assert_eq!(
        checks(&[all, "package-lock.json"]),
        [
            "npm run typecheck: npm run typecheck",
            "npm run build: npm run build",
            "npm test: CI=true npm test"
        ]
    );
    let placeholder = r#"package.json={"scripts":{"test":"echo \"Error: no test specified\" && exit 1"},"dependencies":{"a":"1"}}"#;
    assert_eq!(checks(&[placeholder, "package-lock.json"]), [""; 0]);
    assert_eq!(checks(&["package.json={broken"]), [""; 0]);
    assert!(run(&["package.json={broken"]).reasons[0].contains("JSON"));
    assert_eq!(checks(&[r#"package.json=[1]"#]), [""; 0]);
    assert_eq!(checks(&[r#"package.json={"scripts":{"test":7,"build":["x"]}}"#]), [""; 0]);
}

#[test]
fn deno() {
    assert_eq!(checks(&["deno.json={}"]), ["deno test: deno test --allow-all --permit-no-files"]);
    let task = "deno.jsonc={ // comment\n \"tasks\": { \"test\": \"deno test -A\" } }";
    assert_eq!(checks(&[task]), ["deno task test: deno task test"]);
}

#[test]
fn python() {
    let cases: [(&[&str], &[&str]); 14] = [
        (&["pyproject.toml=[tool.pytest.ini_options]", "uv.lock"], &["uv run pytest: uv run pytest"]),
        (&["pyproject.toml", "uv.lock", "tests/"], &["uv run pytest: uv run pytest"]),
        (&["pyproject.toml", "uv.lock", "test_a.py"], &["unittest: uv run python -m unittest"]),
        (
            &["pyproject.toml=[tool.poetry]\npytest = '8'", "poetry.lock", "tests"],
            &["install: poetry install --no-interaction", "poetry run pytest: poetry run pytest"],
        ),
        (&["tox.ini=[tox]\nenvlist = py312", "setup.py", "tests"], &["tox: tox"]),
        (&["tox.ini=[pytest]\naddopts = -q", "setup.py"], &["pytest: python3 -m pytest"]),
        (&["setup.cfg=[tool:pytest]"], &["pytest: python3 -m pytest"]),
        (&["pytest.ini"], &["pytest: python3 -m pytest"]),
        (&["setup.py", "tests"], &["pytest: python3 -m pytest"]),
        (&["requirements-dev.txt=pytest==8.0\n", "test_a.py"], &["pytest: python3 -m pytest"]),
        (&["a.py", "test_a.py"], &["unittest: python3 -m unittest"]),
        (&["a.py", "a_test.py"], &["unittest: python3 -m unittest"]),
        (&["setup.py"], &[]),
        (&["tests", "README.md"], &[]),
    ];
    for (tree, expected) in cases {
        assert_eq!(checks(tree), expected, "{tree:?}");
    }
}

#[test]
fn the_other_platforms() {
    let cases: [(&[&str], &[&str]); 13] = [
        (&["Gemfile", "spec/"], &["install: bundle install", "rspec: bundle exec rspec"]),
        (
            &["Gemfile", "Rakefile=Rake::TestTask.new"],
            &["install: bundle install", "rake test: bundle exec rake test"],
        ),
        (&["Gemfile", "Rakefile=task :deploy"], &[]),
        (
            &[r#"composer.json={"scripts":{"test":"phpunit"}}"#],
            &["install: composer install --no-interaction", "composer test: composer test"],
        ),
        (
            &["composer.json={}", "phpunit.xml.dist"],
            &["install: composer install --no-interaction", "phpunit: vendor/bin/phpunit"],
        ),
        (&["mix.exs"], &["install: mix deps.get", "mix test: mix test"]),
        (&["App.sln"], &["dotnet test: dotnet test"]),
        (&["App.csproj"], &["dotnet test: dotnet test"]),
        (&["b.csproj", "My App's.sln"], &[r"dotnet test: dotnet test 'My App'\''s.sln'"]),
        (&["pom.xml", "mvnw"], &["mvn test: ./mvnw -B test"]),
        (&["pom.xml"], &["mvn test: mvn -B test"]),
        (&["settings.gradle.kts", "gradlew"], &["gradle test: ./gradlew --no-daemon test"]),
        (&["build.gradle"], &["gradle test: gradle --no-daemon test"]),
    ];
    for (tree, expected) in cases {
        if expected.is_empty() {
            assert!(run(tree).checks.is_empty(), "{tree:?}");
        } else {
            assert_eq!(checks(tree), expected, "{tree:?}");
        }
    }
}

#[test]
fn make_and_just_only_where_the_target_is_there_and_nothing_else_is() {
    let cases: [(&[&str], &[&str]); 11] = [
        (&["Makefile=all:\n\tcc x.c\ntest: all\n\t./x"], &["make test: make test"]),
        (&["Makefile=check:\n\t./x"], &["make check: make check"]),
        (&["Makefile=lint test::\n\t./x"], &["make test: make test"]),
        (&["makefile=test:"], &["make test: make test"]),
        (&["Makefile=.PHONY: test\ntest-unit:\n\tx\ntest := 1\ntest = 2\ntest ::= 3"], &[]),
        (&["GNUmakefile=all:", "Makefile=test:\n"], &[]),
        (&["justfile=build:\n  x\n@test:\n  y"], &["just test: just test"]),
        (&["Justfile=test filter:\n  y"], &[]),
        (&["justfile=test := 'x'"], &[]),
        (&["justfile=test: build\n  y", "Makefile=test:\n\ty"], &["just test: just test"]),
        (&["Cargo.toml", "Makefile=test:\n\tcargo test"], &["cargo test: cargo test"]),
    ];
    for (tree, expected) in cases {
        assert_eq!(checks(tree), expected, "{tree:?}");
    }
    assert!(run(&["Cargo.toml", "Makefile=test:\n\tcargo test"]).reasons[1].contains("left out"));
}

#[test]
fn several_ecosystems_give_the_union_in_one_order() {
    let tree = ["mix.exs", TEST, "go.mod", "package-lock.json", "pytest.ini", "Cargo.toml"];
    let expected = [
        "install (npm): npm ci",
        "install (mix): mix deps.get",
        "cargo test: cargo test",
        "go vet: go vet ./...",
        "go test: go test ./...",
        "npm test: CI=true npm test",
        "pytest: python3 -m pytest",
        "mix test: mix test",
    ];
    assert_eq!(checks(&tree), expected);
    let mut turned = tree;
    turned.reverse();
    assert_eq!(checks(&turned), expected);
}

#[test]
fn an_unknown_repository_has_no_checks_and_says_so() {
    let root = vec![b"README".to_vec(), vec![0xff, 0xfe, b'.', b'p', b'y'], b"Cargo.toml.orig".to_vec()];
    let detected = detect(&root, &|_| None);
    assert_eq!(detected.checks, []);
    assert_eq!(detected.reasons.len(), 1);
}

proptest! {
    #[test]
    fn whatever_the_files_contain_nothing_breaks(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut root: Vec<Vec<u8>> = CONTENT.iter().map(|name| name.as_bytes().to_vec()).collect();
        root.push(content.clone());
        let detected = detect(&root, &|_| Some(content.clone()));
        prop_assert!(!detected.reasons.is_empty());
    }

    #[test]
    fn file_names_cannot_leave_their_place_in_a_command(name in "[-a-z '\"$;`\\\\]{1,20}") {
        let word = shell_word(&name);
        prop_assert!(!word.starts_with('-'));
        if let Some(inside) = word.strip_prefix('\'') {
            let inside = inside.strip_suffix('\'').unwrap();
            prop_assert!(!inside.replace(r"'\''", "").contains('\''));
        } else {
            prop_assert!(word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b)));
        }
    }
}
