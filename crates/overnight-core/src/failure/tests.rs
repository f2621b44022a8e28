//! The table of classes against real output: every class is reached, by its own samples only.

use std::time::Duration;

use proptest::prelude::*;

use super::samples::{ABOUT_TROUBLE, SAMPLES, UNKNOWN};
use super::*;
use crate::git::CommitId;

fn report(verdict: Verdict, output: &str) -> CheckReport {
    CheckReport {
        check: "test".to_owned(),
        commit: CommitId::parse(&"a".repeat(40)).unwrap(),
        verdict,
        output_tail: output.to_owned(),
        elapsed: Duration::from_secs(1),
    }
}

fn fail(output: &str) -> CheckReport {
    report(Verdict::Fail { status: 1 }, output)
}

fn could_not(why: CouldNotRun, output: &str) -> CheckReport {
    report(Verdict::CouldNotRun { why }, output)
}

fn id(report: &CheckReport) -> Option<&'static str> {
    classify(report).class.map(|class| class.id)
}

#[test]
fn every_sample_is_of_its_class() {
    for (expected, output) in SAMPLES.iter().chain(ABOUT_TROUBLE) {
        assert_eq!(id(&fail(output)), Some(*expected), "{output}");
    }
}

#[test]
fn every_class_is_reached_and_described_once() {
    // Reached by the verdict alone; the test of verdicts below covers it.
    let by_verdict = ["check.not_started"];
    for (index, class) in classes().iter().enumerate() {
        let sampled = SAMPLES.iter().any(|(id, _)| *id == class.id);
        assert!(sampled || by_verdict.contains(&class.id), "{} has no sample", class.id);
        assert!(classes()[..index].iter().all(|other| other.id != class.id), "{} twice", class.id);
        assert!(
            class.hint.ends_with('.') && class.hint.matches(". ").count() == 0,
            "{}: one sentence",
            class.id
        );
        let (family, kind) = class.id.split_once('.').unwrap();
        assert!([family, kind].iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}

#[test]
fn words_alone_are_no_class() {
    for output in UNKNOWN {
        assert_eq!(id(&fail(output)), None, "{output}");
    }
}

#[test]
fn a_failure_seen_in_tests_is_never_hard() {
    for (_, output) in ABOUT_TROUBLE {
        assert!(!classify(&fail(output)).class.unwrap().hard, "{output}");
    }
}

#[test]
fn the_verdict_decides_before_the_output_does() {
    let output = SAMPLES.iter().find(|(id, _)| *id == "rust.compile_error").unwrap().1;
    let cases = [
        (could_not(CouldNotRun::CommandMissing, output), "shell.command_missing"),
        (could_not(CouldNotRun::NotExecutable, output), "shell.permission_denied"),
        (could_not(CouldNotRun::TimedOut, output), "check.timeout"),
        (could_not(CouldNotRun::Killed(9), output), "machine.out_of_memory"),
        (could_not(CouldNotRun::Killed(11), output), "process.crashed"),
        (could_not(CouldNotRun::NotStarted("no such directory".to_owned()), output), "check.not_started"),
    ];
    for (report, expected) in cases {
        let classified = classify(&report);
        assert_eq!(classified.class.map(|class| class.id), Some(expected));
        assert!(!classified.evidence.is_empty());
    }
    let passed = classify(&report(Verdict::Pass, output));
    assert_eq!(passed, Classified { class: None, evidence: String::new() });
    let statuses = [(124, "check.timeout"), (137, "machine.out_of_memory"), (139, "process.crashed")];
    for (status, expected) in statuses {
        assert_eq!(id(&report(Verdict::Fail { status }, "some words\n")), Some(expected));
        assert_eq!(id(&report(Verdict::Fail { status }, output)), Some("rust.compile_error"));
    }
}

#[test]
fn evidence_is_the_matched_line_with_what_follows() {
    let output = "noise\n\u{1b}[1m\u{1b}[31merror[E0425]\u{1b}[0m: cannot find value `x`\n --> src/main.rs:2:20\n  |\nmore\n";
    assert_eq!(
        classify(&fail(output)).evidence,
        "error[E0425]: cannot find value `x`\n --> src/main.rs:2:20\n  |"
    );
    let missing =
        could_not(CouldNotRun::CommandMissing, "a lot\nsh: 1: jest: not found\nand\nmore\nand more\n");
    assert_eq!(classify(&missing).evidence, "sh: 1: jest: not found\nand\nmore");
    let unknown = fail("first\nsecond\u{7}\n");
    assert_eq!(classify(&unknown).evidence, "first\nsecond\\x07");
    let long = fail(&format!("{}error TS2322: no{}", "x".repeat(900), "y".repeat(900)));
    let evidence = classify(&long).evidence;
    assert!(evidence.chars().count() <= MAX_EVIDENCE, "{evidence}");
}

#[test]
fn the_same_failure_has_the_same_signature() {
    let pairs = [
        (
            "/tmp/job-1/app/src/main.rs:2:20: x\n--- FAIL: TestA (0.01s)\n--- FAIL: TestB (0.00s)\n",
            "/home/u/w/app/src/main.rs:9:1: x\n--- FAIL: TestB (1.50s)\n--- FAIL: TestA (0.02s)\n",
        ),
        ("leak at 0x7ffde1 in run 12\n", "leak at 0x55aa00 in run 977\n"),
        ("commit 3f786850e387 took 12.5 ms\n", "commit 9a0364b9e99b took 3 ms\n"),
        ("\u{1b}[31mbad\u{1b}[0m /a/b/c.txt\n\n", "bad /d/c.txt\n"),
    ];
    for (one, other) in pairs {
        assert_eq!(signature(&fail(one)), signature(&fail(other)));
    }
}

#[test]
fn different_failures_have_different_signatures() {
    let all = [
        fail("error[E0425]: cannot find value `x` in this scope\n"),
        fail("error[E0425]: cannot find value `y` in this scope\n"),
        fail("error[E0308]: mismatched types\n"),
        fail("--- FAIL: TestA (0.01s)\n"),
        fail("--- FAIL: TestB (0.01s)\n"),
        fail("bad a.txt\n"),
        fail("bad b.txt\n"),
        could_not(CouldNotRun::TimedOut, "bad b.txt\n"),
    ];
    for (index, one) in all.iter().enumerate() {
        for other in &all[..index] {
            assert_ne!(signature(one), signature(other));
        }
    }
}

proptest! {
    #[test]
    fn whatever_was_printed_evidence_stays_short_and_harmless(
        noise in any::<String>(),
        index in 0..SAMPLES.len(),
        status in any::<i32>(),
    ) {
        let output = format!("{noise}\n{}{noise}", SAMPLES[index].1);
        for report in [report(Verdict::Fail { status }, &output), could_not(CouldNotRun::CommandMissing, &output)] {
            let evidence = classify(&report).evidence;
            prop_assert!(evidence.chars().count() <= MAX_EVIDENCE);
            prop_assert_eq!(for_terminal(&evidence), evidence);
            let _ = signature(&report);
        }
    }
}

/// The document that people read is the table itself. To write it anew, put what this test prints into the file.
#[test]
fn the_document_of_classes_is_the_table() {
    let row = |class: &FailureClass| {
        let hard = if class.hard { "yes" } else { "" };
        format!("| `{}` | {} | {hard} |\n", class.id, class.hint.replace('|', "\\|"))
    };
    let head = "| class | what usually helps | hard |\n|---|---|---|\n".to_owned();
    let table: String = std::iter::once(head).chain(classes().iter().map(row)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failure-classes.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written.contains(&table), "docs/failure-classes.md must hold this table:\n{table}");
}
