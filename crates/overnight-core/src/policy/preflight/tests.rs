use super::*;

const MODE: u32 = 0o100_644;

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn changed(path: &str, before: &str, after: &str) -> FileChange {
    let hunk = Hunk { old_start: 10, new_start: 20, removed: lines(before), added: lines(after) };
    FileChange {
        path: path.into(),
        old_mode: MODE,
        new_mode: MODE,
        size: Some(100),
        binary: false,
        hunks: vec![hunk],
    }
}

fn new(path: &str, text: &str) -> FileChange {
    let hunk = Hunk { old_start: 0, new_start: 1, removed: Vec::new(), added: lines(text) };
    FileChange { old_mode: 0, hunks: vec![hunk], ..changed(path, "", "") }
}

fn gone(path: &str, text: &str) -> FileChange {
    let hunk = Hunk { old_start: 1, new_start: 0, removed: lines(text), added: Vec::new() };
    FileChange { new_mode: 0, size: None, hunks: vec![hunk], ..changed(path, "", "") }
}

fn look(files: Vec<FileChange>) -> Inspection {
    let change = Change { files, ..Change::default() };
    let asked = Asked { author: "A <a@example.org>", ..Asked::default() };
    inspect(&change, &Preflight::default(), &[], asked, Timestamp(1_000))
}

fn rules(files: Vec<FileChange>) -> Vec<Rule> {
    let mut found: Vec<Rule> = look(files).findings.iter().map(|finding| finding.rule).collect();
    found.sort();
    found.dedup();
    found
}

// Put together here, so that no scanner takes this file for a leak.
fn github() -> String {
    format!("ghp_{}", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx")
}

#[test]
fn every_rule_can_be_used() {
    assert!(secrets::all_rules_can_be_used() > 200);
    tamper::all_can_be_used();
    let mut codes: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert_eq!(
            (Rule::parse(rule.code()), serde_json::to_value(rule).unwrap()),
            (Some(*rule), rule.code().into())
        );
    }
}

#[test]
fn secrets_are_found_and_never_told() {
    let key = github();
    let (head, tail) = key.split_at(17);
    let aws = format!("AKIA{}", "Z7RAMQ5QKVT2YHNB");
    let pem = format!(
        "-----BEGIN RSA PRIVATE {}-----\n{}\n-----END RSA PRIVATE KEY-----",
        "KEY",
        "MIIEpAIBAAKCAQEA7bq0zX\n".repeat(12)
    );
    let table = [
        ("a.py", format!("token = \"{key}\"")),
        ("README", format!("use {key} there")),
        ("split.js", format!("const t = \"{head}\" +\n  \"{tail}\";")),
        ("one_line.js", format!("const t = \"{head}\" + \"{tail}\";")),
        ("shell.sh", format!("T={head}\\\n{tail}\n")),
        ("blob.bin", format!("\0\0{key}\0")),
        ("node_modules/x/index.js", format!("t='{key}'")),
        ("aws.tf", format!("access_key = \"{aws}\"")),
        ("key.txt", pem),
    ];
    for (path, text) in table {
        let inspection = look(vec![new(path, &text)]);
        let found = inspection.findings.iter().find(|finding| finding.rule == Rule::Secret);
        let found = found.unwrap_or_else(|| panic!("{path}: {:?}", inspection.findings));
        assert_eq!((found.level, found.file.as_str()), (Level::Block, path));
        assert!(found.line.is_some());
        let told = serde_json::to_string(&inspection).unwrap();
        assert!(!told.contains(&key) && !told.contains(tail) && !told.contains(&aws), "{path}: {told}");
    }
}

#[test]
fn what_is_no_secret_or_no_news_passes() {
    let key = github();
    let quiet = [
        vec![new("a.py", "token = os.environ[\"GITHUB_TOKEN\"]\npassword = \"changeme\"\n")],
        vec![new("b.rs", "let key = map.get(\"api_key\").unwrap_or_default();\n")],
        vec![new("c.yml", "token: ${{ secrets.GITHUB_TOKEN }}\n")],
        // It was there already, and only moved.
        vec![gone("old.py", &format!("t = \"{key}\"")), new("new.py", &format!("t = \"{key}\""))],
        // It goes away.
        vec![changed("a.py", &format!("t = \"{key}\""), "t = env()")],
        vec![new("Cargo.txt", &"checksum = \"9d4a1f0c7a2d2f7f3c1d\"\n".repeat(3))],
    ];
    for files in quiet {
        assert!(!rules(files.clone()).contains(&Rule::Secret), "{files:?}");
    }
}

#[test]
fn files_that_do_not_belong_there() {
    let link = |path: &str, target: &str| FileChange { new_mode: 0o120_000, ..new(path, target) };
    let table: Vec<(FileChange, Option<Rule>)> = vec![
        (new(".env", "A=1"), Some(Rule::ForbiddenFile)),
        (new("app/.env.production", "A=1"), Some(Rule::ForbiddenFile)),
        (new(".env.example", "A=1"), None),
        (new("id_rsa", "x"), Some(Rule::ForbiddenFile)),
        (new("certs/server.pfx", "x"), Some(Rule::ForbiddenFile)),
        (new("src/credentials.rs", "x"), None),
        (gone(".env", "A=1"), None),
        (new("a.rs", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other"), Some(Rule::ConflictMarker)),
        (new("a.md", "Heading\n======="), None),
        (link("l", "/etc/passwd"), Some(Rule::LinkOutside)),
        (link("a/l", "../../x"), Some(Rule::LinkOutside)),
        (link("a/l", "../x"), None),
        (new("a\u{202e}gpj.exe", "x"), Some(Rule::FileName)),
        (new("a\nb", "x"), Some(Rule::FileName)),
        (FileChange { path: b"a\xff".to_vec(), ..new("a", "x") }, Some(Rule::FileName)),
        (FileChange { size: Some(2_000_000), ..new("big", "x") }, Some(Rule::FileSize)),
        (FileChange { new_mode: 0o160_000, ..new("sub", "Subproject commit x") }, Some(Rule::Submodule)),
        (FileChange { new_mode: 0o100_755, ..changed("run", "", "") }, Some(Rule::Executable)),
        (FileChange { binary: true, ..new("x.bin", "") }, Some(Rule::BinaryFile)),
        (new("node_modules/x/i.js", "x"), Some(Rule::GeneratedFile)),
        (new("a.go", "// Code generated by x. DO NOT EDIT."), Some(Rule::GeneratedFile)),
        (new(".github/workflows/ci.yml", "on: push"), Some(Rule::CiFile)),
        (new(".gitlab-ci.yml", "a: b"), Some(Rule::CiFile)),
        (new(".forgejo/workflows/x.yaml", "a: b"), Some(Rule::CiFile)),
        (new("sub/CLAUDE.md", "x"), Some(Rule::AgentFile)),
        (new(".cursor/rules/a.mdc", "x"), Some(Rule::AgentFile)),
        (changed("AGENTS.md", "a", "b"), Some(Rule::AgentFile)),
        (changed("overnight.toml", "a", "b"), Some(Rule::RunnerFile)),
        (new(".github/CODEOWNERS", "x"), Some(Rule::CodeOwners)),
        (changed("Cargo.toml", "a", "b"), Some(Rule::Manifest)),
        (changed("package.json", "", "    \"postinstall\": \"curl x | sh\","), Some(Rule::InstallScript)),
        (new("build.rs", "fn main() {}"), Some(Rule::InstallScript)),
        (new("src/main.rs", "fn main() {}"), None),
    ];
    for (file, wanted) in table {
        let found = rules(vec![file.clone()]);
        assert_eq!(found, wanted.into_iter().collect::<Vec<_>>(), "{file:?}");
    }
}

#[test]
fn tests_that_were_weakened_and_changes_that_were_not() {
    use Rule::{CiLaxer, TestRemoved, TestSkipped, TestWeakened};
    let rust = "    #[test]\n    fn adds() {\n        assert_eq!(add(1, 1), 2);\n    }";
    let table: Vec<(Vec<FileChange>, Option<Rule>)> = vec![
        (vec![changed("src/a.rs", rust, "")], Some(TestRemoved)),
        (vec![changed("src/a.rs", "    #[test]", "")], Some(TestRemoved)),
        (vec![gone("tests/a.rs", rust)], Some(TestRemoved)),
        (vec![changed("src/a.rs", rust, ""), new("tests/a.rs", rust)], None),
        (vec![gone("tests/a.rs", rust), new("tests/b.rs", rust)], None),
        (vec![changed("src/a.rs", "fn adds() {\n}", "")], None),
        (vec![changed("src/a.rs", rust, &rust.replace("adds", "sums"))], None),
        (vec![changed("src/a.rs", "", "    #[ignore]")], Some(TestSkipped)),
        (vec![new("tests/a.rs", &rust.replace("    fn", "    #[ignore]\n    fn"))], None),
        (
            vec![
                gone("tests/a.rs", rust),
                new("tests/b.rs", &rust.replace("    fn", "    #[ignore]\n    fn")),
            ],
            Some(TestSkipped),
        ),
        (vec![changed("src/a.rs", "assert_eq!(a(), 2);", "assert!(a() > 0);")], Some(TestWeakened)),
        (vec![changed("src/a.rs", "assert_eq!(a(), 2);", "assert_eq!(a(), 3);")], None),
        (vec![changed("src/a.rs", "assert_eq!(a(), 2);", "assert!(true);")], Some(TestWeakened)),
        (vec![changed("src/a.rs", "assert!(x);", "assert_eq!(x, 1);")], None),
        (vec![changed("tests/a.rs", "assert!(x);\nassert!(y);", "assert!(x);")], Some(TestWeakened)),
        (vec![changed("tests/a.rs", "assert!(x);", "    assert!(x);")], None),
        (vec![changed("test_a.py", "def test_a():\n    assert f() == 3", "")], Some(TestRemoved)),
        (vec![changed("test_a.py", "    assert f() == 3", "    assert f() >= 1")], Some(TestWeakened)),
        (vec![changed("test_a.py", "", "@pytest.mark.skip(reason=\"flaky\")")], Some(TestSkipped)),
        (vec![changed("test_a.py", "", "@pytest.mark.skipif(sys.platform == \"win32\")")], None),
        (vec![changed("test_a.py", "", "# @pytest.mark.skip")], None),
        (vec![changed("a.test.ts", "it('adds', () => {", "it.skip('adds', () => {")], Some(TestRemoved)),
        (
            vec![changed("a.test.ts", "  expect(f()).toBe(2);", "  expect(f()).toBeTruthy();")],
            Some(TestWeakened),
        ),
        (vec![changed("a.test.ts", "", "describe.only('x', () => {")], Some(TestSkipped)),
        (vec![changed("a_test.go", "", "\tt.Skip(\"later\")")], Some(TestSkipped)),
        (vec![changed("a_test.go", "func TestA(t *testing.T) {", "")], Some(TestRemoved)),
        (vec![changed("src/ATest.java", "", "    @Disabled")], Some(TestSkipped)),
        (vec![changed("src/ATest.java", "  @Test\n  void adds() {\n", "")], Some(TestRemoved)),
        (vec![changed("a_spec.rb", "  it 'adds' do", "  xit 'adds' do")], Some(TestRemoved)),
        (vec![changed("package.json", "\"test\": \"jest\"", "\"test\": \"jest || true\"")], Some(CiLaxer)),
        (vec![changed("Makefile", "", "build:\n\tmkdir -p out || true")], None),
        (vec![changed("docs/a.md", "#[test]\nfn a() {}", "")], None),
    ];
    for (files, wanted) in table {
        let found = rules(files.clone());
        let tamper: Vec<Rule> = found
            .into_iter()
            .filter(|rule| [TestRemoved, TestSkipped, TestWeakened, CiLaxer].contains(rule))
            .collect();
        match wanted {
            None => assert!(tamper.is_empty(), "{files:?}: {tamper:?}"),
            Some(rule) => assert!(tamper.contains(&rule), "{files:?}: {tamper:?}"),
        }
    }
}

#[test]
fn a_pipeline_that_fails_less_often_is_told_with_its_lines() {
    let ci = ".github/workflows/ci.yml";
    for (before, after) in [
        ("", "        continue-on-error: true"),
        ("      - run: make test", "      - run: make test || true"),
        ("      - run: make test", ""),
        ("", "    if: false"),
    ] {
        let inspection = look(vec![changed(ci, before, after)]);
        let found = inspection.findings.iter().find(|finding| finding.rule == Rule::CiLaxer);
        let found = found.unwrap_or_else(|| panic!("{before} {after}: {:?}", inspection.findings));
        assert!(found.before.is_some() || found.after.is_some());
        assert_eq!(found.level, Level::Approve);
    }
    assert_eq!(rules(vec![changed(ci, "      - run: make test", "      - run: make check")]), [Rule::CiFile]);
}

#[test]
fn levels_limits_and_exceptions() {
    let policy = Preflight {
        levels: [(Rule::CiFile, Level::Off), (Rule::Manifest, Level::Block)].into(),
        protect: vec![Glob::parse("infra/").unwrap()],
        unprotect: vec![Glob::parse("AGENTS.md").unwrap()],
        max_files: 3,
        ..Preflight::default()
    };
    let files = vec![
        new(".gitlab-ci.yml", "x"),
        changed("Cargo.lock", "a", "b"),
        new("infra/x/main.tf", "x"),
        new("AGENTS.md", "x"),
    ];
    let change = Change { files, unread: Some("too large".to_owned()), commits: Vec::new() };
    let exception = |rule, path: &str, until| Exception {
        id: "e-1".to_owned(),
        rule,
        path: Some(Glob::parse(path).unwrap()),
        until: Timestamp(until),
    };
    let look = |exceptions: &[Exception]| {
        inspect(&change, &policy, exceptions, Asked::default(), Timestamp(1_000)).findings
    };
    let found = look(&[]);
    let levels: Vec<(Rule, Level)> = found.iter().map(|finding| (finding.rule, finding.weight())).collect();
    assert_eq!(levels.first(), Some(&(Rule::Manifest, Level::Block)), "the gravest first: {levels:?}");
    for rule in [Rule::FileCount, Rule::NotRead, Rule::ProtectedPath] {
        assert!(levels.contains(&(rule, Level::Approve)), "{rule:?}: {levels:?}");
    }
    assert_eq!(levels.len(), 4);
    let over = look(&[exception(Rule::Manifest, "*.lock", 1_000)]);
    assert_eq!(over, found, "an exception that is over, at its very end");
    let excused =
        look(&[exception(Rule::Manifest, "*.lock", 1_001), exception(Rule::ProtectedPath, "*.lock", 9_999)]);
    let of = |rule| excused.iter().find(|finding| finding.rule == rule).unwrap();
    assert_eq!(
        (of(Rule::Manifest).weight(), of(Rule::Manifest).excused.as_deref()),
        (Level::Off, Some("e-1"))
    );
    assert_eq!(of(Rule::ProtectedPath).weight(), Level::Approve, "another path");
    let stricter = Preflight::default().stricter(&Preflight {
        levels: [(Rule::Secret, Level::Warn), (Rule::Manifest, Level::Approve)].into(),
        max_files: u32::MAX,
        max_file_size: 5,
        ..Preflight::default()
    });
    assert_eq!(
        (stricter.level(Rule::Secret), stricter.level(Rule::Manifest)),
        (Level::Block, Level::Approve)
    );
    assert_eq!((stricter.max_files, stricter.max_file_size), (500, 5));
}

#[test]
fn other_names_on_commits_are_told() {
    let own = "A <a@example.org>";
    let who = |author: &str, committer: &str| Commit {
        id: "c".repeat(40),
        author: author.to_owned(),
        committer: committer.to_owned(),
        ..Commit::default()
    };
    let commits = vec![who(own, own), who("Boss <b@example.org>", own), who(own, "Forge <f@example.org>")];
    let change = Change { commits, ..Change::default() };
    let found =
        inspect(&change, &Preflight::default(), &[], Asked { author: own, ..Asked::default() }, Timestamp(0))
            .findings;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| finding.rule == Rule::Author));
}

#[test]
fn a_huge_change_is_looked_at_in_bounded_time_and_told_in_bounded_space() {
    let text =
        format!("{}password = \"{}\"\n", "x".repeat(80), "token api_key secret ".repeat(4)).repeat(2_000);
    let files: Vec<FileChange> = (0..20_000)
        .map(|n| if n < 10 { new(&format!("f{n}.txt"), &text) } else { new(&format!(".env{n}/.env"), "A=1") })
        .collect();
    let began = std::time::Instant::now();
    let inspection = look(files);
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(inspection.findings.len(), MOST_FINDINGS);
    assert!(inspection.more > 19_000);
    assert!(serde_json::to_string(&inspection).unwrap().len() < 100_000);
}

#[test]
fn patterns_of_paths() {
    let table = [
        ("*.sql", "a/b.sql", true),
        ("*.sql", "a/b.sqlx", false),
        ("docs/**", "docs/a/b.md", true),
        ("docs/**", "x/docs/a", false),
        ("docs/*", "docs/a/b", false),
        ("infra/", "infra/a/b", true),
        ("infra/", "infra", false),
        ("infra/", "x/infra/a", true),
        ("a/**/z", "a/z", true),
        ("a/**/z", "a/b/c/z", true),
        ("a?c", "abc", true),
        ("a.c", "abc", false),
        ("(x", "(x", true),
    ];
    for (pattern, path, wanted) in table {
        assert_eq!(Glob::parse(pattern).unwrap().matches(path), wanted, "{pattern} {path}");
    }
    for bad in ["", "/a", "../a", "a/../b", "a\n"] {
        assert!(Glob::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_the_plan_does_not_name_is_refused_where_that_is_wanted() {
    let files = ["src/door.rs", "src/deep/x.rs", "Cargo.lock", "README.md"];
    let change = Change { files: files.map(|path| new(path, "x")).into(), ..Change::default() };
    let strict = |beside: &[&str]| Preflight {
        levels: [(Rule::OutsidePlan, Level::Block)].into(),
        beside_plan: beside.iter().map(|text| Glob::parse(text).unwrap()).collect(),
        ..Preflight::default()
    };
    let outside = |policy: &Preflight, plan: Option<&str>, merged: &[&str]| -> Vec<String> {
        let merged: Vec<String> = merged.iter().map(|path| (*path).to_owned()).collect();
        let asked = Asked { plan, merged: &merged, ..Asked::default() };
        let found = inspect(&change, policy, &[], asked, Timestamp(0)).findings;
        let of_rule = found.into_iter().filter(|finding| finding.rule == Rule::OutsidePlan);
        of_rule
            .map(|finding| {
                assert_eq!(finding.weight(), Level::Block);
                finding.file
            })
            .collect()
    };
    let plan = Some("Change `src/door.rs`; see `origin/main`.");
    type Row<'a> = (Preflight, Option<&'a str>, &'a [&'a str], &'a [&'a str]);
    let table: &[Row<'_>] = &[
        (Preflight::default(), plan, &[], &[]),
        (strict(&[]), None, &[], &[]),
        // A plan that names no path holds nothing, and a branch is none.
        (strict(&[]), Some("Mend `origin/main`, and all is well."), &[], &[]),
        (strict(&[]), plan, &[], &["Cargo.lock", "README.md", "src/deep/x.rs"]),
        (strict(&["*.lock"]), plan, &[], &["README.md", "src/deep/x.rs"]),
        (strict(&["*.lock"]), plan, &["src/deep/x.rs", "README.md"], &[]),
        (strict(&[]), Some("All of `src/`"), &[], &["Cargo.lock", "README.md"]),
        (
            strict(&[]),
            Some("All of `lib/`"),
            &[],
            &["Cargo.lock", "README.md", "src/deep/x.rs", "src/door.rs"],
        ),
        // Traps are no paths: they let nothing through.
        (
            strict(&[]),
            Some("`door.rs` and `../README.md`, `*`"),
            &[],
            &["Cargo.lock", "README.md", "src/deep/x.rs"],
        ),
    ];
    for (policy, plan, merged, wanted) in table {
        assert_eq!(outside(policy, *plan, merged), *wanted, "{plan:?} {merged:?} {policy:?}");
    }
}

#[test]
fn what_a_commit_says_is_read_too_and_never_told() {
    let key = github();
    let one = |header: &str, message: &str| Commit {
        id: "0123456789abcdef".to_owned(),
        header: header.to_owned(),
        message: message.to_owned(),
        ..Commit::default()
    };
    let (head, tail) = key.split_at(20);
    let table = [
        (one("", &format!("Use {key}")), Some("message")),
        (one("", &format!("Subject\n\nbody\n\ncurl -H 'Authorization: token {key}'\n")), Some("message")),
        (one("", &format!("Split\n\n\"{head}\" + \"{tail}\"")), Some("message")),
        (one(&format!("author {key} <a@b.c> 1 +0000"), "x"), Some("header")),
        (one(&format!("author A <{key}@b.c> 1 +0000"), "x"), Some("header")),
        (one(&format!("author A <a@b.c> 1 +0000\nx-note {key}"), "x"), Some("header")),
        (
            one(
                "author A <a@b.c> 1 +0000",
                "Read the token from GITHUB_TOKEN\n\nReverts 0123456789abcdef0123456789abcdef01234567",
            ),
            None,
        ),
    ];
    for (commit, place) in table {
        let change = Change { commits: vec![commit.clone()], ..Change::default() };
        let found = inspect(&change, &Preflight::default(), &[], Asked::default(), Timestamp(0));
        let secrets: Vec<&Finding> = found.with(Level::Block).collect();
        assert_eq!(has_secrets(&change), place.is_some(), "{commit:?}");
        assert_eq!(secrets.len(), usize::from(place.is_some()), "{found:?}");
        if let Some(place) = place {
            let told = secrets[0].line_of_text();
            assert!(told.contains(&format!("in the {place} of commit 0123456789ab")), "{told}");
        }
        // Not in the warning of a foreign name either.
        assert!(!serde_json::to_string(&found).unwrap().contains(&key), "{found:?}");
    }
    // What the change takes away is out already in its file, and new in the message.
    let message = one("", &format!("Remove {key}"));
    let files = vec![changed("c.py", &format!("t = '{key}'"), "t = env()")];
    assert!(has_secrets(&Change { files, commits: vec![message], ..Change::default() }));
}
