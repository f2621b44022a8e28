use proptest::prelude::*;

use super::*;

fn names(plan: &str) -> Vec<String> {
    planned(plan).iter().filter(|path| path.is_certain()).map(|path| path.text().to_owned()).collect()
}

fn changed(paths: &[&str]) -> Vec<ChangedFile> {
    paths.iter().map(|path| ChangedFile { path: (*path).to_owned(), lines: 5 }).collect()
}

#[test]
fn what_is_a_path_and_what_is_none() {
    let paths = [
        ("Change `src/main.rs` first.", "src/main.rs"),
        ("Change `./src/main.rs`.", "src/main.rs"),
        ("See `src/main.rs:12` there", "src/main.rs"),
        ("See `src/main.rs:12:3`", "src/main.rs"),
        ("See `src/main.rs#L10`", "src/main.rs"),
        ("- src/lib.rs: the new type", "src/lib.rs"),
        ("  * (config.toml)", "config.toml"),
        ("3. **app.py**", "app.py"),
        ("- Makefile gets a target", "Makefile"),
        ("`.gitignore`", ".gitignore"),
        ("``src/a.rs``", "src/a.rs"),
        ("`docs/übersicht.md`", "docs/übersicht.md"),
        ("`packages/@scope/x/index.ts`", "packages/@scope/x/index.ts"),
    ];
    for (plan, path) in paths {
        assert_eq!(names(plan), [path], "{plan}");
    }
    let none = [
        // The recorded incident: an attribute in back-ticks was taken for a path, and an epic was cancelled for it.
        "Give the button `aria-label=\"Close/Open\"` and `<img src=\"a/b.png\"/>`.",
        "Set `data-src='x/y.js'`",
        "Call `foo.bar()` and `self.run/2`",
        "Use `a => b/c.ts`",
        "`src/**/*.rs`",
        "`src/{a,b}.rs`",
        "`…/main.rs`",
        "`.../main.rs`",
        "`https://example.org/a.js`",
        "- https://example.org/a.js",
        "- //cdn/x.js",
        "`--config/x.toml`",
        "`-f a.toml`",
        "`cargo test src/a.rs`",
        "`1.2.3`",
        "`v1.2/3.4`",
        "- version 2.0.1",
        "`../etc/a.conf`",
        "`a/../../b.rs`",
        "`/etc/passwd.conf`",
        "`~/x.rs`",
        "`C:\\x.rs`",
        "`std::io`",
        "`foo.bar`",
        "`obj.method`",
        "- Node.js and Vue.js",
        "- e.g. this, i.e. that.",
        "- TCP/IP and/or UDP",
        "- either client/server",
        "`a[0].rs`",
        "`$HOME/a.rs`",
        "`x.rs?raw`",
        "`.`",
        "`..`",
        "`/`",
        "`.rs`",
        "prose names src/main.rs without marks",
        "```\nsrc/fenced.rs\n- `src/also.rs`\n```",
        "~~~rust\n`a/b.rs`\n~~~",
        "`unclosed src/a.rs",
        "` `",
        "``",
    ];
    for plan in none {
        assert!(names(plan).is_empty(), "{plan}: {:?}", names(plan));
    }
}

#[test]
fn changes_against_plans() {
    let table: &[(Option<&str>, &[&str], Alignment)] = &[
        (None, &[], Alignment::Empty),
        (Some("`a.rs`"), &[], Alignment::Empty),
        (None, &["x"], Alignment::Aligned),
        (Some("No path here."), &["x"], Alignment::Aligned),
        (Some("`a.rs`"), &["src/a.rs"], Alignment::Aligned),
        (Some("`src/a.rs`"), &["deep/src/a.rs"], Alignment::Aligned),
        // By whole names only.
        (Some("`a.rs`"), &["src/aa.rs"], Alignment::Partial),
        (Some("`src/a.rs`"), &["a.rs"], Alignment::Partial),
        (Some("`a.rs`, `b.rs`"), &["a.rs"], Alignment::Partial),
        (Some("`a.rs`"), &["a.rs", "b.rs"], Alignment::Aligned),
        (Some("`a.rs`"), &["a.rs", "b.rs", "c.rs"], Alignment::Divergent),
        (Some("`src/policy/`"), &["src/policy/x.rs"], Alignment::Aligned),
        (
            Some("`src/policy/`"),
            &["src/policy/x.rs", "src/policy/y.rs", "src/policy/z/w.rs"],
            Alignment::Aligned,
        ),
        (Some("`src/policy`"), &["core/src/policy/x.rs"], Alignment::Aligned),
        // A branch has a slash too: what is not certainly a path is not missed.
        (Some("On `origin/main`: `a.rs`"), &["a.rs"], Alignment::Aligned),
        // A plan of traps only is a plan without paths.
        (Some("`../a.rs` `/etc/b.conf` `<a href=\"c.html\">`"), &["x"], Alignment::Aligned),
    ];
    for (plan, files, wanted) in table {
        let report = compare(*plan, &changed(files));
        assert_eq!(report.alignment, *wanted, "{plan:?} {files:?}: {report:?}");
    }
    let much = vec![ChangedFile { path: "x".to_owned(), lines: FEW_LINES + 1 }];
    assert_eq!(compare(None, &much).alignment, Alignment::Divergent);
    assert_eq!(compare(Some("nothing"), &much).alignment, Alignment::Divergent);
}

#[test]
fn what_is_missing_and_what_is_beyond_is_named() {
    let report = compare(Some("`a.rs` and `b.rs`"), &changed(&["src/a.rs", "c.rs"]));
    assert_eq!((report.missing, report.unplanned), (vec!["b.rs".to_owned()], vec!["c.rs".to_owned()]));
}

#[test]
fn what_is_accepted() {
    use Alignment::{Aligned, Divergent, Empty, Partial};
    let long = Some("The plan missed that b.rs is generated.");
    let edge = "x".repeat(SUMMARY);
    let short = "x".repeat(SUMMARY - 1);
    let table = [
        (VerifyRequired::Any, false, Empty, long, false),
        (VerifyRequired::Any, true, Empty, None, true),
        (VerifyRequired::Aligned, true, Empty, None, true),
        (VerifyRequired::Any, false, Divergent, None, true),
        (VerifyRequired::Aligned, false, Aligned, None, true),
        (VerifyRequired::Aligned, false, Partial, long, false),
        (VerifyRequired::AlignedOrPartial, false, Aligned, None, true),
        (VerifyRequired::AlignedOrPartial, false, Partial, None, false),
        (VerifyRequired::AlignedOrPartial, false, Partial, Some(edge.as_str()), true),
        (VerifyRequired::AlignedOrPartial, false, Divergent, Some(short.as_str()), false),
        (
            VerifyRequired::AlignedOrPartial,
            false,
            Divergent,
            Some("   \n                          x "),
            false,
        ),
        (VerifyRequired::AlignedOrPartial, false, Divergent, long, true),
    ];
    for (required, verify_only, alignment, summary, wanted) in table {
        let report = report(alignment, Vec::new(), "because".to_owned());
        let accepted = accept(required, verify_only, &report, summary) == Acceptance::Accept;
        assert_eq!(accepted, wanted, "{required:?} {verify_only} {alignment:?} {summary:?}");
    }
}

proptest! {
    #[test]
    fn prose_without_paths_has_none(prose in "[A-Za-z0-9 ,;!?\n()=<>\"'*#-]{0,200}") {
        prop_assert!(names(&prose).is_empty());
        prop_assert!(names(&prose.replace(' ', "`")).is_empty());
    }

    #[test]
    fn a_path_in_any_prose_is_found_and_nothing_else(
        before in "[A-Za-z0-9 ,;!?\n()=<>\"'*#-]{0,100}",
        after in "[A-Za-z0-9 ,;!?\n()=<>\"'*#-]{0,100}",
        path in "[a-z][a-z0-9_-]{0,8}(/[a-z][a-z0-9_-]{0,8}){0,3}\\.(rs|py|tsx|toml)",
    ) {
        prop_assert_eq!(names(&format!("{before} `{path}` {after}")), vec![path]);
    }

    #[test]
    fn any_text_is_read_and_always_in_the_same_way(plan in any::<String>(), more in "[`~./a-z\\[\\]<>=\"' \n-]{0,200}") {
        for text in [plan, more] {
            let once = planned(&text);
            prop_assert_eq!(&once, &planned(&text));
            for path in &once {
                let parts = super::components(path.text());
                prop_assert!(!path.text().starts_with('/') && !parts.contains(&".."));
                // What was read of a plan reads again as itself.
                if path.is_certain() {
                    prop_assert_eq!(names(&format!("`{}`", path.text())), vec![path.text().to_owned()]);
                }
            }
            let report = compare(Some(&text), &changed(&["a", "b/c.rs"]));
            prop_assert!(report.alignment != Alignment::Empty);
        }
    }
}
