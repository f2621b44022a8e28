//! The table of output formats: which patterns belong to which failure class. Data; `rules` applies it, first match wins, so
//! specific formats stand before general ones.
//!
//! Every pattern is tied to the format of a tool (an error code, the start of a line, a summary); none is a bare word,
//! because a test suite may have anything as its subject. For the same reason what the machine lacks is looked for after
//! the tests' own summaries, except where no test could print it.

/// One entry: class, texts of which one must occur somewhere (none: always), patterns of which one must match.
pub(super) struct Rule(
    pub(super) &'static str,
    pub(super) &'static [&'static str],
    pub(super) &'static [&'static str],
);

const PYTHON: &[&str] =
    &["Traceback (most recent call last)", "\nE   ", "  File \"", "= FAILURES =", "= ERRORS ="];
const NODE: &[&str] = &["node:internal", "\n    at ", "Node.js v"];

pub(super) const RULES: &[Rule] = &[
    // Unmistakable, and often followed by a general "could not compile".
    Rule(
        "git.conflict_markers",
        &[],
        &[
            r"^.*error TS1185: .*$",
            r"^error: encountered diff marker$",
            r"^\S+:\d+:\d+: (?:fatal )?error: version control conflict marker in file$",
            r"^[ \t>|0-9E]*<{7} (?:HEAD|ours|Updated upstream|[0-9a-f]{7,40}|[\w./-]+)$",
        ],
    ),
    Rule(
        "machine.disk_full",
        &[],
        &[
            r"^(?:error|fatal|warning|caused by|  )[^\n]*: No space left on device(?: \(os error 28\))?\)?$",
            r"^\S*(?:error|fatal error): error writing to [^\n]*: No space left on device$",
            r"^npm (?:ERR!|error) (?:code ENOSPC|nospc .*)$",
        ],
    ),
    Rule(
        "machine.out_of_memory",
        &[],
        &[
            r"\(signal: 9, SIGKILL: kill\)",
            r"fatal error: Killed signal terminated program \w+",
            r"^FATAL ERROR: .*JavaScript heap out of memory$",
            r"^fatal error: runtime: out of memory$",
        ],
    ),
    Rule(
        "shell.command_missing",
        &[],
        &[
            r"^error: linker `[^`]+` not found$",
            r"^\S*python[\d.]*: No module named (?:pytest|tox|unittest|build|nox)$",
        ],
    ),
    Rule(
        "java.wrong_jdk",
        &[],
        &[
            r"^.*Unsupported class file major version \d+.*$",
            r"^.*error: (?:invalid source release: \S+|release version \S+ not supported).*$",
            r"^ERROR: JAVA_HOME is (?:not set|set to an invalid directory).*$",
        ],
    ),
    Rule("check.timeout", &[], &[r"^panic: test timed out after \S+$"]),
    Rule("machine.network", &[], &[r"^.*: error NU1301: .*$"]),
    Rule(
        "deps.lock_out_of_date",
        &[],
        &[
            r"^error: (?:the lock file|cannot update the lock file) \S+ .*--locked.*$",
            r"^npm (?:ERR!|error) .*`npm ci` can only install packages when your package\.json and .*$",
            r"^.*ERR_PNPM_OUTDATED_LOCKFILE.*$",
            r"^.*YN0028: .*$",
            r"^error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`\.$",
            r"^error: lockfile had changes, but lockfile is frozen$",
            r"^error: [Tt]he lockfile at `uv\.lock` needs to be updated.*$",
            r"^.*missing go\.sum entry .*$",
            r"^go: updates to go\.mod needed.*$",
        ],
    ),
    Rule(
        "npm.missing_script",
        &[],
        &[
            r#"^npm (?:ERR!|error) Missing script: ".*$"#,
            r"^.*ERR_PNPM_NO_SCRIPT.*$",
            r#"^error Command "\S+" not found\.$"#,
            r#"^error: Script not found "\S+"$"#,
        ],
    ),
    // Compilers and loaders.
    Rule("ts.cannot_find_module", &[], &[r"^.*error TS(?:2307|7016|2792): .*$", r"^.*: TS2307: .*$"]),
    Rule("ts.compile_error", &[], &[r"^.*error TS\d{4,5}: .*$"]),
    Rule("rust.unresolved_import", &[], &[r"^error\[E0(?:432|433|463|583)\]: .*$"]),
    Rule(
        "rust.borrow_error",
        &[],
        &[
            r"^error\[E0(?:373|382|499|502|503|505|506|507|515|521|594|596|597|716)\]: .*$",
            r"^error: lifetime may not live long enough$",
        ],
    ),
    Rule("rust.compile_error", &[], &[r"^error\[E\d{4}\]: .*$"]),
    Rule("rust.lint", &["= note: `-D ", "= note: `#[deny("], &[r"^error: .*$"]),
    Rule("rust.compile_error", &[], &[r"^error: could not compile `.*$"]),
    Rule(
        "go.missing_package",
        &[],
        &[
            r"^\S*\.go:\d+:\d+: (?:no required module provides package|cannot find (?:package|module)|package \S+ is not in std).*$",
            r"^no required module provides package .*$",
        ],
    ),
    Rule("go.undefined", &[], &[r"^(?:vet: )?\S+\.go:\d+:\d+: undefined: .*$"]),
    Rule(
        "go.vet",
        &[],
        &[
            r"^# \[[^\]\n]+\]\n\S+\.go:\d+:\d+: .*$",
            r"^\S+\.go:\d+:\d+: .* \((?:govet|staticcheck|errcheck|revive|gosec|ineffassign|unused|gocritic|typecheck)\)$",
        ],
    ),
    Rule(
        "go.compile_error",
        &[],
        &[r"^(?:vet: )?\S+\.go:\d+:\d+: .*$", r"^FAIL\s+\S+ \[(?:build|setup) failed\]$"],
    ),
    Rule(
        "java.missing_symbol",
        &[],
        &[
            r"^(?:\[ERROR\] )?\S+\.java:(?:\d+: error: |\[\d+,\d+\] (?:error: )?)(?:cannot find symbol|package \S+ does not exist).*$",
            r"^e: .*[Uu]nresolved reference.*$",
        ],
    ),
    Rule(
        "java.compile_error",
        &[],
        &[
            r"^\S+\.java:\d+: error: .*$",
            r"^\[ERROR\] \S+\.(?:java|kt):\[\d+,\d+\] .*$",
            r"^\[ERROR\] COMPILATION ERROR : ?$",
            r"^e: \S+\.kts?:.*$",
        ],
    ),
    Rule("dotnet.missing_type", &[], &[r"^.*: error CS(?:0246|0234|0103|0012): .*$"]),
    Rule("dotnet.build_error", &[], &[r"^.*: error (?:CS|MSB|NETSDK|NU|FS|BC|CA|IDE|SA)\d{4,}: .*$"]),
    Rule(
        "cc.missing_header",
        &[],
        &[
            r"^\S+:\d+:\d+: fatal error: [^\n]*: No such file or directory$",
            r"^\S+:\d+:\d+: fatal error: '[^']+' file not found$",
        ],
    ),
    Rule(
        "cc.compile_error",
        &[],
        &[r"^\S+\.(?:c|cc|cpp|cxx|h|hh|hpp|m|mm|cu):\d+:\d+: (?:fatal )?error: .*$"],
    ),
    Rule(
        "cc.undefined_reference",
        &[],
        &[
            r"^.*undefined reference to [`'].*$",
            r"^Undefined symbols for architecture \w+:$",
            r"^ld\S*: (?:error: undefined symbol: |cannot find -l|symbol\(s\) not found).*$",
            r"^collect2: error: ld returned \d+ exit status$",
        ],
    ),
    // Python names its exceptions at the start of a line; so do others, hence the context.
    Rule("python.syntax_error", PYTHON, &[r"^(?:E +)?(?:SyntaxError|IndentationError|TabError): .*$"]),
    Rule("python.import_error", PYTHON, &[r"^(?:E +)?(?:ModuleNotFoundError|ImportError): .*$"]),
    Rule("python.fixture_missing", &[], &[r"^E +fixture '.*' not found$"]),
    Rule("python.name_error", PYTHON, &[r"^(?:E +)?(?:NameError|UnboundLocalError): .*$"]),
    Rule("python.attribute_error", PYTHON, &[r"^(?:E +)?AttributeError: .*$"]),
    Rule(
        "python.type_error",
        PYTHON,
        &[r"^E +TypeError: .*$", r#"^  File "[^\n]*\n(?:    [^\n]*\n)*TypeError: .*$"#],
    ),
    Rule(
        "node.module_not_found",
        &[],
        &[
            r"^(?:Uncaught )?Error(?: \[ERR_MODULE_NOT_FOUND\])?: Cannot find (?:module|package) '.*$",
            r"^ *Cannot find module '[^']+' from '[^']+'.*$",
            r"^ *Error: Failed to resolve import .*$",
            r"^Module not found: Error: Can't resolve .*$",
        ],
    ),
    Rule("node.syntax_error", NODE, &[r"^ *SyntaxError: .*$"]),
    // Test programs' own summaries.
    Rule(
        "python.test_failure",
        &[],
        &[
            r"^(?:FAILED|ERROR) \S+\.py(?:::\S.*)?$",
            r"^=+ .*\d+ (?:failed|errors?).* in [\d.]+s.*=+$",
            r"^FAILED \((?:failures|errors)=\d+.*\)$",
        ],
    ),
    Rule("python.no_tests", &[], &[r"^=+ (?:no tests ran|\d+ deselected) in .*=+$", r"^NO TESTS RAN$"]),
    Rule(
        "js.test_failure",
        &[],
        &[
            r"^Tests: +(?:.*, )?\d+ failed,? .*$",
            r"^ *Tests +\d+ failed.*$",
            r"^ *FAIL +\S+\.[cm]?[jt]sx?\b.*$",
            r"^ +[1-9]\d* failing$",
            r"^(?:# |ℹ )fail [1-9]\d*$",
            r"^ +[1-9]\d* fail$",
            r"^FAILED \| \d+ passed.* \| [1-9]\d* failed.*$",
        ],
    ),
    Rule(
        "rust.test_failure",
        &[],
        &[
            r"^---- \S+(?: - .*)? stdout ----$",
            r"^test result: FAILED\. .*$",
            r"^ +FAIL \[ *[\d.]+s\] .*$",
            r"^thread '[^']*' (?:\(\d+\) )?panicked at .*$",
        ],
    ),
    Rule(
        "go.panic",
        &["goroutine "],
        &[r"^panic: .*$", r"^fatal error: all goroutines are asleep - deadlock!$"],
    ),
    Rule("go.test_failure", &[], &[r"^ *--- FAIL: \S+ \([\d.]+s\)$", r"^FAIL\t\S+\t[\d.]+s$"]),
    Rule(
        "java.test_failure",
        &[],
        &[
            r"^\[ERROR\] +(?:Tests run: \d+, |\S+:\d+ ).*$",
            r"^.*There are test failures\.$",
            r"^\S.* > .* FAILED$",
            r"^> There were failing tests\. .*$",
        ],
    ),
    Rule(
        "dotnet.test_failure",
        &[],
        &[
            r"^ *Failed!? +- Failed: +[1-9]\d*, .*$",
            r"^ +Failed \S+ \[[<\d. ]+m?s\]$",
            r"^Test Run Failed\.$",
        ],
    ),
    Rule(
        "cc.test_failure",
        &[],
        &[r"^\[  FAILED  \] .*$", r"^\d+% tests passed, [1-9]\d* tests? failed out of \d+$"],
    ),
    Rule(
        "tests.failed",
        &[],
        &[
            r"^ *\d+ examples?, [1-9]\d* failures?.*$",
            r"^Tests: \d+, Assertions: \d+,.* (?:Failures|Errors): [1-9].*$",
            r"^ *\d+ (?:tests?|doctests?)(?:, \d+ \w+)*, [1-9]\d* failures?.*$",
            r"^\d+ runs, \d+ assertions, .*$",
            r"^not ok \d+ .*$",
        ],
    ),
    // Linters.
    Rule(
        "python.type_check",
        &[],
        &[
            r"^\S+\.pyi?:\d+(?::\d+)?: error: .*$",
            r"^ +\S+\.pyi?:\d+:\d+ - error: .*$",
            r"^Found \d+ errors? in \d+ files? \(checked \d+ source files?\)$",
        ],
    ),
    Rule(
        "python.lint",
        &[],
        &[r"^\S+\.pyi?:\d+:\d+: [A-Z]+\d{3,4}:? .*$", r"^[A-Z]+\d{3,4} .*\n +--> \S+\.pyi?:\d+:\d+$"],
    ),
    Rule(
        "eslint.error",
        &[],
        &[r"^ +\d+:\d+ +error +.* {2,}[\w@/-]+$", r"^✖ \d+ problems? \([1-9]\d* errors?.*$"],
    ),
    Rule(
        "format.differs",
        &[],
        &[
            r"^Diff in .*:\d+:$",
            r"^would reformat .*$",
            r"^Would reformat: .*$",
            r"^\[warn\] Code style issues found in .*$",
        ],
    ),
    // What the machine lacks, in the words of shells and package managers.
    Rule(
        "shell.command_missing",
        &[],
        &[
            r"^(?:\S*/)?(?:ba|da|z|k|a)?sh: (?:line )?(?:\d+: )?(?:\S+: (?:command )?not found|command not found: \S+)$",
            r"^make(?:\[\d+\])?: \S+: No such file or directory$",
            r"^(?:/usr/bin/)?env: [‘'`]?\S+: No such file or directory$",
            r#"^.*exec: "[^"]+": executable file not found in \$PATH$"#,
        ],
    ),
    Rule(
        "shell.permission_denied",
        &[],
        &[
            r"^(?:\S*/)?(?:ba|da|z|k|a)?sh: (?:line )?(?:\d+: )?\S+: Permission denied$",
            r"^make(?:\[\d+\])?: \S+: Permission denied$",
            r"^npm (?:ERR!|error) code EACCES$",
            r"^(?:error|fatal): [^\n]*: Permission denied(?: \(os error 13\))?$",
        ],
    ),
    Rule(
        "machine.network",
        &[],
        &[
            r"^npm (?:ERR!|error) code (?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT)$",
            r"^.*ERR_PNPM_META_FETCH_FAIL.*$",
            r"^(?:fatal|error|curl|warning|  )[^\n]*[Cc]ould not resolve host:? .*$",
            r"^warning: spurious network error .*$",
            r"^(?:WARNING|ERROR): [^\n]*(?:Temporary failure in name resolution|Failed to establish a new connection).*$",
            r"^go: .*dial tcp: .*$",
            r"^\S+\.go:\d+: .*: dial tcp: lookup .*$",
            r"^(?:\[ERROR\]|>)[^\n]*(?:Could not transfer artifact|UnknownHostException).*$",
            r"^ *> Could not (?:GET|HEAD) 'https?://.*$",
            r"^error: Failed to fetch: `https?://.*$",
        ],
    ),
    Rule(
        "machine.disk_full",
        &[],
        &[
            r"^[^\n]*: (?:No space left on device|Disk quota exceeded)$",
            r"^Error: ENOSPC: no space left on device, .*$",
            r"^OSError: \[Errno 28\] No space left on device.*$",
        ],
    ),
    Rule(
        "machine.out_of_memory",
        &[],
        &[
            r"^(?:Exception in thread .* )?java\.lang\.OutOfMemoryError: .*$",
            r"^MemoryError$",
            r"^Killed$",
            r"^virtual memory exhausted: Cannot allocate memory$",
        ],
    ),
    Rule(
        "deps.unresolvable",
        &[],
        &[
            r"^error: (?:no matching package|failed to select a version for) .*$",
            r"^npm (?:ERR!|error) code (?:ERESOLVE|E404|ETARGET)$",
            r"^.*ERR_PNPM_(?:FETCH_404|NO_MATCHING_VERSION).*$",
            r"^ERROR: (?:No matching distribution found for|ResolutionImpossible).*$",
            r"^ *× No solution found when resolving dependencies.*$",
            r"^\[ERROR\] .*Could not resolve dependencies for project .*$",
            r"^ *> Could not (?:find|resolve) [\w.-]+:[\w.-]+:.*$",
            r"^go: .*: (?:unknown revision|invalid version): ?.*$",
        ],
    ),
    Rule(
        "process.crashed",
        &[],
        &[
            r"^.*(?:Segmentation fault|Aborted|Bus error|Illegal instruction) +\(core dumped\).*$",
            r"^Segmentation fault$",
            r"^Fatal Python error: .*$",
            r"\(signal: (?:6|11), SIG\w+: .*\)",
        ],
    ),
    // Build programs, which only pass on that something below them failed.
    Rule("make.no_rule", &[], &[r"^make(?:\[\d+\])?: \*\*\* No rule to make target .*$"]),
    Rule("make.failed", &[], &[r"^make(?:\[\d+\])?: \*\*\* \[.*\] Error \d+.*$"]),
    Rule("maven.build_failed", &[], &[r"^\[ERROR\] Failed to execute goal .*$"]),
    Rule(
        "gradle.build_failed",
        &[],
        &[r"^Execution failed for task '.*$", r"^FAILURE: Build failed with an exception\.$"],
    ),
];
