//! Output as the tools print it, by the class that it must be given.

/// Class id and the end of a failed check's output.
pub(super) const SAMPLES: &[(&str, &str)] = &[
    (
        "git.conflict_markers",
        "error: encountered diff marker\n --> src/lib.rs:1:1\n  |\n1 | <<<<<<< HEAD\n  | ^^^^^^^\nerror: could not compile `demo` (lib) due to 1 previous error\n",
    ),
    ("git.conflict_markers", "src/a.ts(3,1): error TS1185: Merge conflict marker encountered.\n"),
    (
        "git.conflict_markers",
        "  File \"/w/app.py\", line 4\n    <<<<<<< HEAD\n    ^^\nSyntaxError: invalid syntax\n",
    ),
    (
        "git.conflict_markers",
        "main.c:3:1: error: version control conflict marker in file\n    3 | <<<<<<< HEAD\n",
    ),
    (
        "machine.disk_full",
        "error: failed to write `/w/target/debug/.fingerprint/x`\n\nCaused by:\n  failed to write /w/x: No space left on device (os error 28)\nerror: could not compile `demo` (lib)\n",
    ),
    ("machine.disk_full", "tar: ./a/b: Cannot write: No space left on device\n"),
    ("machine.disk_full", "npm error code ENOSPC\nnpm error syscall write\n"),
    (
        "machine.out_of_memory",
        "error: could not compile `demo` (lib)\n\nCaused by:\n  process didn't exit successfully: `rustc --crate-name demo` (signal: 9, SIGKILL: kill)\n",
    ),
    (
        "machine.out_of_memory",
        "<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
    ),
    (
        "machine.out_of_memory",
        "g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\nmake: *** [Makefile:9: a.o] Error 1\n",
    ),
    (
        "machine.out_of_memory",
        "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat Main.main(Main.java:5)\n",
    ),
    ("shell.command_missing", "/bin/sh: 1: pytest: not found\nmake: *** [Makefile:3: test] Error 127\n"),
    ("shell.command_missing", "bash: line 1: cmake: command not found\n"),
    ("shell.command_missing", "/usr/bin/python3: No module named pytest\n"),
    (
        "shell.command_missing",
        "error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)\n\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
    ),
    ("shell.command_missing", "/usr/bin/env: ‘node’: No such file or directory\n"),
    (
        "shell.command_missing",
        "make: jq: No such file or directory\nmake: *** [Makefile:2: check] Error 127\n",
    ),
    (
        "shell.permission_denied",
        "sh: 1: ./run-tests.sh: Permission denied\nmake: *** [Makefile:3: test] Error 126\n",
    ),
    (
        "shell.permission_denied",
        "npm error code EACCES\nnpm error syscall mkdir\nnpm error path /usr/lib/node_modules\n",
    ),
    (
        "check.timeout",
        "panic: test timed out after 10m0s\n\trunning tests:\n\t\tTestSlow (10m0s)\n\ngoroutine 17 [running]:\ntesting.(*M).startAlarm.func1()\nFAIL\tdemo\t600.013s\n",
    ),
    ("process.crashed", "Segmentation fault (core dumped)\nmake: *** [Makefile:4: test] Error 139\n"),
    (
        "process.crashed",
        "error: test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: `/w/target/debug/deps/demo-1f` (signal: 11, SIGSEGV: invalid memory reference)\n",
    ),
    (
        "machine.network",
        "npm error code ENOTFOUND\nnpm error network request to https://registry.example.test/left-pad failed, reason: getaddrinfo ENOTFOUND registry.example.test\n",
    ),
    (
        "machine.network",
        "warning: spurious network error (3 tries remaining): [6] Could not resolve hostname (Could not resolve host: index.example.test)\nerror: failed to get `serde` as a dependency of package `demo v0.1.0`\n",
    ),
    (
        "machine.network",
        "fatal: unable to access 'https://git.example/x.git/': Could not resolve host: git.example\n",
    ),
    (
        "machine.network",
        "go: github.com/pkg/errors@v0.9.1: Get \"https://proxy.golang.org/github.com/pkg/errors/@v/v0.9.1.mod\": dial tcp: lookup proxy.golang.org: no such host\n",
    ),
    (
        "machine.network",
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\nERROR: No matching distribution found for requests\n",
    ),
    (
        "machine.network",
        "[ERROR] Failed to execute goal on project demo: Could not resolve dependencies for project x:demo:jar:1: Could not transfer artifact junit:junit:pom:4.13 from/to central (https://maven.example.test/maven2): Unknown host\n",
    ),
    (
        "machine.network",
        "/w/App.csproj : error NU1301: Unable to load the service index for source https://api.nuget.org/v3/index.json.\n",
    ),
    (
        "deps.lock_out_of_date",
        "error: the lock file /w/Cargo.lock needs to be updated but --locked was passed to prevent this\n",
    ),
    (
        "deps.lock_out_of_date",
        "npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.\n",
    ),
    (
        "deps.lock_out_of_date",
        " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date with package.json\n",
    ),
    (
        "deps.lock_out_of_date",
        "main.go:4:2: missing go.sum entry for module providing package github.com/pkg/errors; to add:\n\tgo get demo\n",
    ),
    (
        "deps.unresolvable",
        "error: no matching package named `serdee` found\nlocation searched: crates.io index\n",
    ),
    ("deps.unresolvable", "npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\n"),
    (
        "deps.unresolvable",
        "ERROR: Could not find a version that satisfies the requirement nope==9 (from versions: none)\nERROR: No matching distribution found for nope==9\n",
    ),
    (
        "deps.unresolvable",
        "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':compileJava'.\n> Could not resolve all files for configuration ':compileClasspath'.\n   > Could not find org.example:nope:1.0.\n",
    ),
    (
        "npm.missing_script",
        "npm error Missing script: \"test\"\nnpm error\nnpm error To see a list of scripts, run:\nnpm error   npm run\n",
    ),
    (
        "python.syntax_error",
        "  File \"/w/app.py\", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax\n",
    ),
    (
        "python.syntax_error",
        "E     File \"/w/app.py\", line 3\nE       x\nE   IndentationError: unexpected indent\n=========== short test summary info ===========\nERROR tests/test_app.py\n",
    ),
    (
        "python.import_error",
        "ImportError while importing test module '/w/tests/test_a.py'.\nTraceback:\ntests/test_a.py:1: in <module>\n    import nope\nE   ModuleNotFoundError: No module named 'nope'\n=== short test summary info ===\nERROR tests/test_a.py\n=== 1 error in 0.05s ===\n",
    ),
    (
        "python.name_error",
        "    def test_a():\n>       assert foo() == 1\nE       NameError: name 'foo' is not defined\n\ntests/test_a.py:2: NameError\nFAILED tests/test_a.py::test_a - NameError: name 'foo' is not defined\n",
    ),
    (
        "python.attribute_error",
        "Traceback (most recent call last):\n  File \"/w/a.py\", line 2, in <module>\n    None.x\nAttributeError: 'NoneType' object has no attribute 'x'\n",
    ),
    (
        "python.type_error",
        "Traceback (most recent call last):\n  File \"/w/a.py\", line 2, in <module>\n    f(1, 2)\n    ~^^^^^^\nTypeError: f() takes 1 positional argument but 2 were given\n",
    ),
    (
        "python.type_error",
        "E       TypeError: unsupported operand type(s) for +: 'int' and 'str'\nFAILED tests/test_a.py::test_a - TypeError: unsupported\n",
    ),
    (
        "python.fixture_missing",
        "file /w/tests/test_a.py, line 1\n  def test_a(databse):\nE       fixture 'databse' not found\n>       available fixtures: cache, capfd\nERROR tests/test_a.py::test_a\n=== 1 error in 0.01s ===\n",
    ),
    (
        "python.no_tests",
        "collected 0 items\n\n============================ no tests ran in 0.01s =============================\n",
    ),
    (
        "python.test_failure",
        "    def test_total():\n>       assert total([1, 2]) == 4\nE       assert 3 == 4\n\ntests/test_a.py:5: AssertionError\n=========================== short test summary info ============================\nFAILED tests/test_a.py::test_total - assert 3 == 4\n========================= 1 failed, 2 passed in 0.04s ==========================\n",
    ),
    (
        "python.test_failure",
        "======================================================================\nFAIL: test_total (test_a.T.test_total)\n----------------------------------------------------------------------\nTraceback (most recent call last):\n  File \"/w/test_a.py\", line 6, in test_total\n    self.assertEqual(3, 4)\nAssertionError: 3 != 4\n\n----------------------------------------------------------------------\nRan 1 test in 0.000s\n\nFAILED (failures=1)\n",
    ),
    (
        "python.type_check",
        "app/models.py:12: error: Incompatible return value type (got \"None\", expected \"int\")  [return-value]\nFound 1 error in 1 file (checked 7 source files)\n",
    ),
    (
        "python.lint",
        "app/a.py:1:8: F401 `os` imported but unused\nFound 1 error.\n[*] 1 fixable with the `--fix` option.\n",
    ),
    (
        "ts.cannot_find_module",
        "src/index.ts(1,20): error TS2307: Cannot find module './missing' or its corresponding type declarations.\n",
    ),
    (
        "ts.compile_error",
        "src/index.ts:4:7 - error TS2322: Type 'string' is not assignable to type 'number'.\n\n4 const n: number = 'x';\n        ~\n\nFound 1 error in src/index.ts:4\n",
    ),
    (
        "node.module_not_found",
        "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module 'expres'\nRequire stack:\n- /w/index.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15) {\n  code: 'MODULE_NOT_FOUND',\n",
    ),
    (
        "node.module_not_found",
        " FAIL  src/a.test.js\n  ● Test suite failed to run\n\n    Cannot find module './b' from 'src/a.js'\n\nTest Suites: 1 failed, 1 total\nTests:       0 total\n",
    ),
    (
        "node.syntax_error",
        "/w/index.js:3\nconst = 1;\n      ^\n\nSyntaxError: Unexpected token '='\n    at wrapSafe (node:internal/modules/cjs/loader:1469:18)\n\nNode.js v22.11.0\n",
    ),
    (
        "js.test_failure",
        "  ● adds\n\n    expect(received).toBe(expected) // Object.is equality\n\n    Expected: 4\n    Received: 3\n\n      at Object.toBe (src/sum.test.js:4:21)\n\nTest Suites: 1 failed, 1 total\nTests:       1 failed, 2 passed, 3 total\n",
    ),
    (
        "js.test_failure",
        " FAIL  test/sum.test.ts > adds\nAssertionError: expected 3 to be 4 // Object.is equality\n ❯ test/sum.test.ts:5:20\n\n Test Files  1 failed (1)\n      Tests  1 failed | 2 passed (3)\n",
    ),
    (
        "js.test_failure",
        "  1 passing (3ms)\n  1 failing\n\n  1) adds:\n     AssertionError [ERR_ASSERTION]: 3 == 4\n      at Context.<anonymous> (test/a.js:5:12)\n",
    ),
    ("js.test_failure", "# tests 2\n# pass 1\n# fail 1\n# cancelled 0\n"),
    (
        "eslint.error",
        "/w/src/a.js\n  3:7  error  'x' is assigned a value but never used  no-unused-vars\n\n✖ 1 problem (1 error, 0 warnings)\n",
    ),
    (
        "rust.unresolved_import",
        "error[E0432]: unresolved import `crate::nope`\n --> src/lib.rs:1:5\n  |\n1 | use crate::nope;\n  |     ^^^^^^^^^^^ no `nope` in the root\n\nerror: could not compile `demo` (lib) due to 1 previous error\n",
    ),
    (
        "rust.borrow_error",
        "error[E0382]: borrow of moved value: `s`\n --> src/main.rs:4:20\n\nFor more information about this error, try `rustc --explain E0382`.\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
    ),
    (
        "rust.compile_error",
        "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:20\n  |\n2 |     println!(\"{}\", x);\n  |                    ^ not found in this scope\n\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
    ),
    (
        "rust.compile_error",
        "error: expected `;`, found `}`\n --> src/main.rs:2:14\n\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
    ),
    (
        "rust.lint",
        "error: unneeded `return` statement\n --> src/lib.rs:2:5\n  |\n  = help: for further information visit https://rust-lang.github.io/rust-clippy/master/index.html#needless_return\n  = note: `-D clippy::needless-return` implied by `-D warnings`\n\nerror: could not compile `demo` (lib) due to 1 previous error\n",
    ),
    (
        "rust.test_failure",
        "running 2 tests\ntest tests::adds ... FAILED\n\nfailures:\n\n---- tests::adds stdout ----\n\nthread 'tests::adds' (4711) panicked at src/lib.rs:9:9:\nassertion `left == right` failed\n  left: 3\n right: 4\n\nfailures:\n    tests::adds\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\nerror: test failed, to rerun pass `--lib`\n",
    ),
    (
        "rust.test_failure",
        "        FAIL [   0.005s] demo tests::adds\n     Summary [   0.006s] 2 tests run: 1 passed, 1 failed, 0 skipped\nerror: test run failed\n",
    ),
    ("go.undefined", "# demo\n./main.go:4:2: undefined: foo\n"),
    (
        "go.missing_package",
        "main.go:3:8: no required module provides package github.com/pkg/errors; to add it:\n\tgo get github.com/pkg/errors\n",
    ),
    ("go.vet", "# demo\n# [demo]\n./main.go:6:2: fmt.Printf format %d has arg \"x\" of wrong type string\n"),
    (
        "go.compile_error",
        "# demo\n./main.go:4:15: cannot use \"x\" (untyped string constant) as int value in variable declaration\nFAIL\tdemo [build failed]\n",
    ),
    (
        "go.panic",
        "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4f2]\n\ngoroutine 7 [running]:\ndemo.Run(...)\n\t/w/main.go:9\nFAIL\tdemo\t0.004s\n",
    ),
    (
        "go.test_failure",
        "--- FAIL: TestSum (0.00s)\n    sum_test.go:8: got 3, want 4\nFAIL\nFAIL\tdemo\t0.002s\n",
    ),
    (
        "java.missing_symbol",
        "src/Main.java:5: error: cannot find symbol\n        foo();\n        ^\n  symbol:   method foo()\n  location: class Main\n1 error\n",
    ),
    (
        "java.missing_symbol",
        "[ERROR] COMPILATION ERROR : \n[ERROR] /w/src/main/java/App.java:[3,16] package org.nope does not exist\n[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.11.0:compile\n",
    ),
    (
        "java.wrong_jdk",
        "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.11.0:compile (default-compile) on project demo: Fatal error compiling: error: release version 25 not supported -> [Help 1]\n",
    ),
    (
        "java.wrong_jdk",
        "* What went wrong:\nCould not open cp_settings generic class cache.\n> BUG! exception in phase 'semantic analysis' Unsupported class file major version 69\n",
    ),
    (
        "java.compile_error",
        "> Task :compileJava FAILED\n/w/src/main/java/App.java:4: error: ';' expected\n        int x = 1\n                 ^\n1 error\n\nFAILURE: Build failed with an exception.\n",
    ),
    (
        "java.compile_error",
        "e: file:///w/src/main/kotlin/App.kt:3:9 Type mismatch: inferred type is String but Int was expected\n",
    ),
    (
        "java.test_failure",
        "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0\n[INFO] BUILD FAILURE\n[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test (default-test) on project demo: There are test failures.\n",
    ),
    (
        "java.test_failure",
        "SumTest > adds() FAILED\n    org.opentest4j.AssertionFailedError at SumTest.java:9\n\n2 tests completed, 1 failed\n\nFAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':test'.\n> There were failing tests. See the report at: file:///w/build/reports/tests/test/index.html\n",
    ),
    (
        "maven.build_failed",
        "[INFO] BUILD FAILURE\n[ERROR] Failed to execute goal org.codehaus.mojo:exec-maven-plugin:3.1.0:exec (default) on project demo: Command execution failed. -> [Help 1]\n",
    ),
    (
        "gradle.build_failed",
        "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':generate'.\n> Process 'command 'sh'' finished with non-zero exit value 3\n",
    ),
    (
        "dotnet.missing_type",
        "/w/Program.cs(3,7): error CS0246: The type or namespace name 'Nope' could not be found (are you missing a using directive or an assembly reference?) [/w/App.csproj]\n\nBuild FAILED.\n",
    ),
    (
        "dotnet.build_error",
        "/w/Program.cs(5,20): error CS1002: ; expected [/w/App.csproj]\n    0 Warning(s)\n    1 Error(s)\n",
    ),
    (
        "dotnet.test_failure",
        "  Failed Demo.Tests.Adds [12 ms]\n  Error Message:\n   Assert.Equal() Failure: Values differ\nExpected: 4\nActual:   3\n\nFailed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 15 ms - Demo.Tests.dll (net8.0)\n",
    ),
    (
        "cc.missing_header",
        "main.c:1:10: fatal error: nope.h: No such file or directory\n    1 | #include <nope.h>\n      |          ^~~~~~~~\ncompilation terminated.\nmake: *** [Makefile:2: main.o] Error 1\n",
    ),
    (
        "cc.undefined_reference",
        "/usr/bin/ld: /tmp/ccX.o: in function `main':\nmain.c:(.text+0xe): undefined reference to `foo'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:2: app] Error 1\n",
    ),
    (
        "cc.compile_error",
        "main.c: In function 'main':\nmain.c:4:5: error: expected ';' before '}' token\nmake: *** [Makefile:2: main.o] Error 1\n",
    ),
    (
        "cc.test_failure",
        "[  FAILED  ] SumTest.Adds (0 ms)\n[==========] 2 tests from 1 test suite ran. (0 ms total)\n 1 FAILED TEST\n",
    ),
    (
        "cc.test_failure",
        "50% tests passed, 1 tests failed out of 2\n\nThe following tests FAILED:\n\t  1 - sum (Failed)\nErrors while running CTest\n",
    ),
    ("make.no_rule", "make: *** No rule to make target 'tset'.  Stop.\n"),
    (
        "make.failed",
        "diff expected.txt actual.txt\n1c1\n< 4\n---\n> 3\nmake: *** [Makefile:5: check] Error 1\n",
    ),
    ("format.differs", "Diff in /w/src/lib.rs:3:\n-fn  a() {}\n+fn a() {}\n"),
    (
        "format.differs",
        "would reformat app/a.py\n\nOh no! 💥 💔 💥\n1 file would be reformatted, 3 files would be left unchanged.\n",
    ),
    (
        "tests.failed",
        "Finished in 0.00204 seconds (files took 0.1 seconds to load)\n3 examples, 1 failure\n\nFailed examples:\n\nrspec ./spec/sum_spec.rb:4 # Sum adds\n",
    ),
    ("tests.failed", "FAILURES!\nTests: 3, Assertions: 5, Failures: 1.\n"),
    ("tests.failed", "Finished in 0.03 seconds (0.00s async, 0.03s sync)\n3 tests, 1 failure\n"),
];

/// Output whose subject is what the classes are about, from checks that failed for quite another reason.
pub(super) const ABOUT_TROUBLE: &[(&str, &str)] = &[
    (
        "python.test_failure",
        "tests/test_auth.py::test_authentication_required PASSED\ntests/test_auth.py::test_429_rate_limit PASSED\ntests/test_timeout.py::test_timed_out_connection FAILED\nE       AssertionError: assert 'permission denied' == 'timeout after 30s'\nFAILED tests/test_timeout.py::test_timed_out_connection - AssertionError: assert 'permission denied'...\n==== 1 failed, 2 passed in 0.10s ====\n",
    ),
    (
        "js.test_failure",
        "  api\n    ✓ answers 401 authentication_error\n    ✓ answers 429 Too Many Requests\n    ✓ maps ENOSPC: no space left on device to disk-full\n    ✗ says command not found\n\n  3 passing (9ms)\n  1 failing\n",
    ),
    (
        "go.test_failure",
        "2026/01/01 http: rate limit exceeded (429)\n2026/01/01 dial tcp: lookup db: no such host (expected)\n--- FAIL: TestRetryAfterTimeout (0.00s)\n    client_test.go:20: got timeout, want permission denied\nFAIL\tdemo/client\t0.010s\n",
    ),
    (
        "rust.test_failure",
        "test error_text_of_E0425_is_shown ... ok\ntest no_space_left_on_device_is_reported ... ok\n---- killed_children_are_reaped stdout ----\nthread 'killed_children_are_reaped' panicked at src/lib.rs:3:5:\nKilled by signal 9: Permission denied, connection refused\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
    ),
    (
        "python.test_failure",
        "E       AssertionError: assert \"TypeError: f() takes 1\" == 'SyntaxError: x'\nFAILED tests/test_errors.py::test_text - AssertionError\n",
    ),
];

/// Output that no known tool printed: no class.
pub(super) const UNKNOWN: &[&str] = &[
    "",
    "\n\n  \n",
    "authentication failed: invalid api key\n429 Too Many Requests\n",
    "case 7: timeout while waiting for a lock: expected, got permission denied\n3 of 9 cases went wrong\n",
    "handles ENOSPC, ENOTFOUND and EACCES\ncommand not found is reported\nundefined: 4 | error: 2\n",
    "the word <<<<<<< appears; make: nothing to be done\n",
    "FAILED\n",
];
