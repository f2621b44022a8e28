//! How tests are written in the languages that people use: what makes one, what skips it, what asserts, and how much.

use std::sync::OnceLock;

use regex::Regex;

/// A family of languages whose tests look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Script,
    Go,
    /// Java, Kotlin, Scala, C#, Groovy.
    Jvm,
    Ruby,
    Elixir,
    Php,
    Swift,
    C,
}

struct Patterns {
    /// A line above a function that makes it a test.
    mark: Option<Regex>,
    /// A line that is the beginning of a test; group 1 is its name.
    test: Option<Regex>,
    function: Regex,
    skip: Regex,
    assertion: Regex,
    test_file: Regex,
}

const NEVER: &str = r"[^\s\S]";
const FOLDERS: &str = r"(?:^|/)(?:tests?|specs?|__tests__|e2e)/";

impl Language {
    const ALL: [Self; 10] = [
        Self::Rust,
        Self::Python,
        Self::Script,
        Self::Go,
        Self::Jvm,
        Self::Ruby,
        Self::Elixir,
        Self::Php,
        Self::Swift,
        Self::C,
    ];

    pub(super) fn of(path: &str) -> Option<Self> {
        let extension = path.rsplit_once('.')?.1;
        Some(match extension.to_ascii_lowercase().as_str() {
            "rs" => Self::Rust,
            "py" => Self::Python,
            "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts" | "cts" | "vue" | "svelte" => Self::Script,
            "go" => Self::Go,
            "java" | "kt" | "kts" | "scala" | "cs" | "groovy" | "fs" | "vb" => Self::Jvm,
            "rb" => Self::Ruby,
            "ex" | "exs" => Self::Elixir,
            "php" => Self::Php,
            "swift" | "m" => Self::Swift,
            "c" | "cc" | "cpp" | "cxx" | "h" | "hpp" | "hh" => Self::C,
            _ => return None,
        })
    }

    /// Mark, test, function, skip, assertion, name of a test's file.
    fn texts(self) -> [&'static str; 6] {
        match self {
            Self::Rust => [
                r"^\s*#\[(?:\w+::)*(?:test|rstest|test_case|quickcheck|wasm_bindgen_test|proptest)\b",
                NEVER,
                r"\bfn\s+(\w+)",
                r"^\s*#\[ignore\b|#\[cfg\(any\(\)\)\]|^\s*#\[cfg\(not\(test\)\)\]",
                r"\b(?:debug_)?assert(?:_\w+)?!|\bprop_assert\w*!|\.should_panic|#\[should_panic|\binsta::assert",
                r"_tests?\.rs$|(?:^|/)tests?\.rs$",
            ],
            Self::Python => [
                NEVER,
                r"^\s*(?:async\s+)?def\s+(test_\w*)",
                r"\bdef\s+(\w+)",
                r"@pytest\.mark\.(?:skip\b|xfail\b|skipif\(\s*True)|@(?:unittest\.)?skip\(|\bpytest\.(?:skip|xfail)\(|\.skipTest\(|collect_ignore|^\s*__test__\s*=\s*False",
                r"^\s*assert\b|\bself\.assert\w+\(|\bpytest\.raises\(|\bassert_\w+\(",
                r"(?:^|/)test_[^/]*\.py$|_test\.py$|(?:^|/)conftest\.py$",
            ],
            Self::Script => [
                NEVER,
                r#"^\s*(?:it|test)(?:\.(?:only|each|concurrent|failing))?\s*\(\s*['"`]([^'"`]+)"#,
                r"\bfunction\s+(\w+)",
                r"\b(?:it|test|describe|suite|context)\.(?:skip|todo|only|fixme)\b|^\s*(?:xit|xtest|xdescribe|fit|fdescribe)\s*\(|\bthis\.skip\(\)",
                r"\bexpect\s*\(|\bassert(?:\.\w+)?\s*\(|\.should\b|\bt\.(?:is|deepEqual|true|false|throws)\(",
                r"\.(?:test|spec|cy|e2e)\.[mc]?[jt]sx?$",
            ],
            Self::Go => [
                NEVER,
                r"^func\s+((?:Test|Fuzz|Benchmark|Example)\w*)\s*\(",
                r"\bfunc\s+(?:\([^)]*\)\s*)?(\w+)",
                r"\b[tb]\.Skip(?:f|Now)?\(|^//go:build\s+ignore",
                r"\b[tb]\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\(|\b(?:assert|require)\.\w+\(",
                r"_test\.go$",
            ],
            Self::Jvm => [
                r"^\s*@(?:\w+\.)*(?:Test|ParameterizedTest|RepeatedTest|Property)\b|^\s*\[(?:Fact|Theory|Test|TestCase|TestMethod|DataTestMethod)\b",
                NEVER,
                r"(?:\bfun\s+`?([^`(]+?)`?\s*\(|\b(?:void|Task|async\s+Task|def)\s+(\w+)\s*\()",
                r"^\s*@(?:\w+\.)*(?:Disabled|Ignore)\b|^\s*\[Ignore\b|\bSkip\s*=|\bassume(?:True|False)\(\s*(?:true|false)|\bAssert\.(?:Ignore|Inconclusive)\(",
                r"\bassert\w*\s*\(|\bAssert\.\w+\(|\.Should\(\)|\bassertThat\b|\bverify\s*\(|\bshouldBe\b|^\s*assert\b",
                r"(?:Tests?|IT|Spec)\.(?:java|kt|kts|scala|cs|groovy|fs|vb)$",
            ],
            Self::Ruby => [
                NEVER,
                r#"^\s*(?:it|test|specify|scenario)\s*\(?\s*['"]([^'"]+)|^\s*def\s+(test_\w+)"#,
                r"\bdef\s+(\w+)",
                r"^\s*(?:xit|xdescribe|xcontext|fit|fdescribe)\b|^\s*(?:skip|pending)\b|,\s*(?:skip|pending):",
                r"\bexpect\s*[({]|\bassert(?:_\w+)?\b|\brefute(?:_\w+)?\b|\.should\b|\bmust_\w+",
                r"_(?:spec|test)\.rb$",
            ],
            Self::Elixir => [
                NEVER,
                r#"^\s*(?:test|property)\s+"([^"]+)"#,
                r"\bdefp?\s+(\w+)",
                r"^\s*@(?:module)?tag\s+(?::skip|skip:)",
                r"^\s*(?:assert|refute)(?:_\w+)?\b",
                r"_test\.exs$",
            ],
            Self::Php => [
                r"^\s*#\[Test\]|^\s*\*\s*@test\b",
                r"\bfunction\s+(test\w+)\s*\(",
                r"\bfunction\s+(\w+)",
                r"\bmarkTest(?:Skipped|Incomplete)\(|->skip\(",
                r"->assert\w+\(|::assert\w+\(|\bexpect\s*\(",
                r"Test\.php$",
            ],
            Self::Swift => [
                r"^\s*@Test\b",
                r"\bfunc\s+(test\w*)\s*\(",
                r"\bfunc\s+(\w+)",
                r"\bXCTSkip|\.disabled\(",
                r"\bXCTAssert\w*\(|#expect\(|#require\(|\bXCTFail\(",
                r"Tests?\.(?:swift|m)$",
            ],
            Self::C => [
                NEVER,
                r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TEST_CASE|SCENARIO)\s*\(\s*([^)]+)",
                r"\b(\w+)\s*\([^)]*\)\s*\{",
                r"\bGTEST_SKIP\(|\bDISABLED_\w+|\bSKIP\(",
                r"\b(?:EXPECT|ASSERT|REQUIRE|CHECK)(?:_\w+)?\s*\(|\bassert\s*\(",
                r"(?:_test|_unittest|Test|_tests)\.(?:c|cc|cpp|cxx)$",
            ],
        }
    }

    fn patterns(self) -> Option<&'static Patterns> {
        static MADE: [OnceLock<Option<Patterns>>; 10] = [const { OnceLock::new() }; 10];
        let at = Self::ALL.iter().position(|language| *language == self)?;
        let make = || {
            let [mark, test, function, skip, assertion, test_file] = self.texts();
            let some = |text: &str| if text == NEVER { Some(None) } else { Regex::new(text).ok().map(Some) };
            Some(Patterns {
                mark: some(mark)?,
                test: some(test)?,
                function: Regex::new(function).ok()?,
                skip: Regex::new(skip).ok()?,
                assertion: Regex::new(assertion).ok()?,
                test_file: Regex::new(&format!("{FOLDERS}|{test_file}")).ok()?,
            })
        };
        MADE.get(at)?.get_or_init(make).as_ref()
    }

    pub(super) fn marks_test(self, line: &str) -> bool {
        self.patterns().and_then(|made| made.mark.as_ref()).is_some_and(|mark| mark.is_match(line))
    }

    pub(super) fn named_test(self, line: &str) -> Option<String> {
        first_group(self.patterns()?.test.as_ref()?, line)
    }

    pub(super) fn function(self, line: &str) -> Option<String> {
        first_group(&self.patterns()?.function, line)
    }

    pub(super) fn skips(self, line: &str) -> bool {
        self.patterns().is_some_and(|made| made.skip.is_match(line))
    }

    pub(super) fn asserts(self, line: &str) -> bool {
        self.patterns().is_some_and(|made| made.assertion.is_match(line))
    }

    pub(super) fn is_test_file(self, path: &str) -> bool {
        self.patterns().is_some_and(|made| made.test_file.is_match(path))
    }

    pub(super) fn is_comment(self, line: &str) -> bool {
        let line = line.trim_start();
        match self {
            Self::Python | Self::Ruby | Self::Elixir => line.starts_with('#'),
            Self::Rust | Self::Script | Self::Go | Self::Jvm | Self::Swift | Self::C => {
                (line.starts_with("//") && !line.starts_with("//go:build")) || line.starts_with("/*")
            }
            Self::Php => line.starts_with("//"),
        }
    }

    /// How much an assertion asks for: 0 nothing, 1 that there is something, 2 a part or a bound, 3 exactly this.
    pub(super) fn strength(self, line: &str) -> u8 {
        static RANKS: [OnceLock<Option<Regex>>; 3] = [const { OnceLock::new() }; 3];
        let is = |at: usize, text: &str| {
            let made = RANKS.get(at).and_then(|rank| rank.get_or_init(|| Regex::new(text).ok()).as_ref());
            made.is_some_and(|rank| rank.is_match(line))
        };
        if is(0, NOTHING) {
            return 0;
        }
        if is(1, EXACTLY) {
            return 3;
        }
        if is(2, IN_PART) { 2 } else { 1 }
    }
}

const NOTHING: &str = r"(?i)(?:assert\w*!?|expect|require|check|xctassert\w*)(?:\.\w+)?\s*\(?\s*(?:true\b\s*(?:,|\)|;|$)|1\s*==\s*1|not\s+false\b|!false\b)|expect\((?:true|1)\)\.(?:toBe(?:Truthy)?|toEqual)\((?:true|1)?\)|assert\w*\(\s*t\s*,\s*true\s*[,)]";
const EXACTLY: &str = r"(?i)assert_?eq|assert_?equals?\b|assertsame|assert_matches|assert_\w*snapshot|\.(?:to_?be|to_?equal|tostrictequal|equals?|deepequal|eq|tohavelength|tohavebeencalledwith|be\.equal|be\.eq)\s*\(|===?|\b(?:expect|assert)_(?:str)?eq\b|assertthat\(.*isequalto|\.isequalto\(|\bequal\(|\bexactly\b|\bto\s+eq\b|must_equal|shouldbe\b|\bis\s+none\b";
const IN_PART: &str = r"(?i)>=|<=|!=|<|>|assert_?ne\b|not_?equal|\.(?:tocontain|tomatch|toinclude|tomatchobject|contains?|starts_with|ends_with|tobegreater\w*|tobeless\w*|toThrow)\b|\bin\b|assertin\b|greater|less|contain|regex|matches|raises|throws";

fn first_group(regex: &Regex, line: &str) -> Option<String> {
    let captures = regex.captures(line)?;
    captures.iter().skip(1).flatten().next().map(|name| name.as_str().trim().to_owned())
}

/// Files that say how tests are run.
pub(super) fn is_task_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let config = [
        "pytest.ini",
        "tox.ini",
        "setup.cfg",
        "pyproject.toml",
        "package.json",
        "makefile",
        "justfile",
        "codecov.yml",
    ];
    config.contains(&name.as_str())
        || [
            "jest.config.",
            "vitest.config.",
            "playwright.config.",
            "cypress.config.",
            ".nycrc",
            "karma.conf.",
        ]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Whether a line makes a failure not count. `ci`: of a pipeline; elsewhere only what is about tests is looked at.
pub(super) fn forgives(line: &str, ci: bool) -> bool {
    static PIPELINE: OnceLock<Option<Regex>> = OnceLock::new();
    static TASK: OnceLock<Option<Regex>> = OnceLock::new();
    let line = line.trim();
    if line.starts_with('#') || line.starts_with("//") {
        return false;
    }
    let in_pipeline = PIPELINE.get_or_init(|| {
        Regex::new(r"continue-on-error:\s*(?:true|\$)|allow_failure:\s*true|failure:\s*ignore|\|\|\s*(?:true|:|exit\s+0|echo)\b|\|\|\s*:|\bset\s+\+e\b|\bif:\s*(?:\$\{\{\s*)?false\b|--passWithNoTests|--no-verify|fail_ci_if_error:\s*false|exit_zero|--exit-zero").ok()
    });
    let in_task = TASK.get_or_init(|| {
        Regex::new(r#"(?i)(?:test|check|lint|pytest|jest|vitest|cargo)\b.*(?:\|\|\s*(?:true|:|exit 0|echo)|;\s*(?:true|exit 0)\b)|"test"\s*:\s*"(?:true|exit 0|echo\b[^"&|]*)"|--deselect|--ignore=|testPathIgnorePatterns|testIgnore|passWithNoTests|bail:\s*false"#).ok()
    });
    let made = if ci { in_pipeline } else { in_task };
    made.as_ref().is_some_and(|made| made.is_match(line))
}

/// Whether a line of a pipeline makes something run.
pub(super) fn is_step(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    ["run:", "uses:", "script:", "commands:", "command:"].iter().any(|key| line.starts_with(key))
}

#[cfg(test)]
pub(in super::super) fn all_can_be_used() {
    for language in Language::ALL {
        assert!(language.patterns().is_some(), "{language:?}");
    }
    for text in [NOTHING, EXACTLY, IN_PART] {
        Regex::new(text).unwrap();
    }
    assert!(forgives("x || true", true) && forgives("\"test\": \"jest || true\"", false));
    assert_eq!(
        (Language::Rust.strength("assert!(true)"), Language::Rust.strength("assert_eq!(a, b)")),
        (0, 3)
    );
}
