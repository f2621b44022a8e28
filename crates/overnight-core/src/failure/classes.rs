//! The public table of failure classes. Data; which output belongs to which class is in `rules`.

use super::FailureClass;

const fn soft(id: &'static str, hint: &'static str) -> FailureClass {
    FailureClass { id, hint, hard: false }
}

const fn hard(id: &'static str, hint: &'static str) -> FailureClass {
    FailureClass { id, hint, hard: true }
}

static CLASSES: &[FailureClass] = &[
    // The machine and the check itself.
    hard(
        "shell.command_missing",
        "A program that the check calls is not installed here; no change to the code brings it.",
    ),
    hard(
        "shell.permission_denied",
        "The check may not execute or open something; look at file modes and owners.",
    ),
    soft(
        "check.timeout",
        "The check did not end in its time; look for endless loops, watch modes, waits for input, and leaked servers.",
    ),
    hard(
        "check.not_started",
        "The check could not be started at all; its checkout or its shell is at fault, not the change.",
    ),
    soft(
        "process.crashed",
        "A signal ended the program (segmentation fault, abort); look for invalid memory access or a failed assertion.",
    ),
    soft(
        "machine.out_of_memory",
        "The process ran out of memory; use less at a time, fewer parallel jobs, or smaller test data.",
    ),
    hard("machine.disk_full", "No space is left on the disk; nothing can be built until there is."),
    hard(
        "machine.network",
        "A host could not be reached; without network, dependencies must be there already.",
    ),
    soft(
        "git.conflict_markers",
        "A file still has merge conflict markers; resolve the conflict and remove the markers.",
    ),
    // Dependencies.
    soft(
        "deps.lock_out_of_date",
        "The lock file does not match the manifest; update it with the package manager and commit both.",
    ),
    soft(
        "deps.unresolvable",
        "A dependency or version that the manifest asks for does not exist or contradicts another one; correct the manifest.",
    ),
    soft("npm.missing_script", "package.json has no script of this name; add it or call one that exists."),
    // Python.
    soft(
        "python.syntax_error",
        "Python cannot parse a file; correct the named line (brackets, indentation, quotes).",
    ),
    soft(
        "python.import_error",
        "An import fails; check the module's name and path, and that the dependency is declared.",
    ),
    soft(
        "python.name_error",
        "A name is used that is not defined there; import or define it, or correct its spelling.",
    ),
    soft(
        "python.attribute_error",
        "An object lacks the attribute that is used; check its type and the attribute's spelling.",
    ),
    soft(
        "python.type_error",
        "A call or an operation does not fit its types; check arguments and signatures.",
    ),
    soft(
        "python.fixture_missing",
        "A test asks for a pytest fixture that is not defined in its reach; define it or import it in conftest.py.",
    ),
    soft("python.no_tests", "pytest collected no tests; check file names (test_*.py), paths and filters."),
    soft(
        "python.test_failure",
        "Python tests fail; compare expected and actual values in the assertions shown.",
    ),
    soft(
        "python.type_check",
        "The type checker reports errors; correct annotations or code at the named lines.",
    ),
    soft(
        "python.lint",
        "The Python linter reports errors; correct the named lines or run it with its fix option.",
    ),
    // TypeScript and JavaScript.
    soft(
        "ts.cannot_find_module",
        "TypeScript cannot find a module or its types; check the path, the extension and @types packages.",
    ),
    soft(
        "ts.compile_error",
        "TypeScript reports type errors; correct the named lines instead of silencing them.",
    ),
    soft(
        "node.module_not_found",
        "Node cannot find a module; check the path and that the package is in package.json.",
    ),
    soft(
        "node.syntax_error",
        "JavaScript cannot be parsed; check the named line, and ES module against CommonJS syntax.",
    ),
    soft(
        "js.test_failure",
        "JavaScript tests fail; compare expected and received values in the failures shown.",
    ),
    soft("eslint.error", "ESLint reports errors; correct the named lines or run it with --fix."),
    // Rust.
    soft(
        "rust.unresolved_import",
        "A path or crate is not found; check the use lines, module declarations and Cargo.toml.",
    ),
    soft(
        "rust.borrow_error",
        "The borrow checker refuses the code; change ownership, lifetimes or the order of borrows.",
    ),
    soft("rust.lint", "A lint that is denied fires; change the named lines as the lint suggests."),
    soft(
        "rust.compile_error",
        "Rust code does not compile; start with the first error, later ones often follow from it.",
    ),
    soft("rust.test_failure", "Rust tests fail; look at the panic messages of the failed tests."),
    // Go.
    soft("go.undefined", "A Go name is not defined; declare it, import its package or correct its spelling."),
    soft(
        "go.missing_package",
        "A Go package is not found; check the import path and add its module with go get.",
    ),
    soft("go.vet", "go vet or a Go linter reports problems; correct the named lines."),
    soft("go.compile_error", "Go code does not compile; correct the named lines."),
    soft("go.panic", "A Go program panics; follow the first goroutine's stack to the line that fails."),
    soft("go.test_failure", "Go tests fail; look at the messages below each FAIL line."),
    // Java and Kotlin.
    soft(
        "java.missing_symbol",
        "Java cannot find a symbol or package; check imports, spelling and dependencies.",
    ),
    hard(
        "java.wrong_jdk",
        "The installed JDK does not fit the build; another Java version is needed on this machine.",
    ),
    soft("java.compile_error", "Java or Kotlin code does not compile; correct the named lines."),
    soft("java.test_failure", "Java tests fail; look at the named tests and their reports."),
    soft("maven.build_failed", "A Maven goal fails; the first [ERROR] line names it."),
    soft("gradle.build_failed", "A Gradle task fails; the section 'What went wrong' names it."),
    // .NET.
    soft(
        "dotnet.missing_type",
        "A C# type, namespace or name is not found; check usings, references and spelling.",
    ),
    soft("dotnet.build_error", "The .NET build reports errors; correct the named lines."),
    soft("dotnet.test_failure", "Tests under .NET fail; look at the named tests' messages."),
    // C, C++ and make.
    soft(
        "cc.missing_header",
        "A header is not found; check its name, the include paths and the needed library.",
    ),
    soft(
        "cc.undefined_reference",
        "The linker misses a definition; add the source file or library that has it.",
    ),
    soft("cc.compile_error", "C or C++ code does not compile; start with the first error."),
    soft("cc.test_failure", "Tests run by CTest or GoogleTest fail; look at the named tests."),
    soft(
        "make.no_rule",
        "make knows no rule for a target; check the target's name and the files it depends on.",
    ),
    soft("make.failed", "A command in the Makefile fails; the lines above name the reason."),
    // Whatever else.
    soft(
        "format.differs",
        "Files are not formatted as the project wants; run its formatter and commit the result.",
    ),
    soft("tests.failed", "Tests fail; look at the messages of the failed ones."),
];

/// Every class, in the order of the documentation.
#[must_use]
pub fn classes() -> &'static [FailureClass] {
    CLASSES
}

pub(super) fn by_id(id: &str) -> Option<&'static FailureClass> {
    CLASSES.iter().find(|class| class.id == id)
}
