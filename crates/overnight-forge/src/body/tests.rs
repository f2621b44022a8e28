//! What a hostile text may and may not do to a pull request's body.

use std::time::Duration;

use overnight_core::git::CommitId;
use overnight_core::id::TaskKey;
use overnight_core::units::MicroDollars;
use overnight_core::verdict::{CheckReport, DiffStat};
use proptest::prelude::*;

use super::*;

fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

fn report(check: &str, verdict: Verdict, at: char) -> CheckReport {
    let elapsed = Duration::from_millis(1_500);
    CheckReport {
        check: check.to_owned(),
        commit: commit(at),
        verdict,
        output_tail: "secret output".to_owned(),
        elapsed,
    }
}

fn facts(text: &str) -> PullRequestFacts {
    let missing = Verdict::CouldNotRun { why: CouldNotRun::CommandMissing };
    PullRequestFacts {
        job: JobId::parse("0198c0de-0000-7000-8000-000000000001").unwrap(),
        task: TaskKey::parse("app-12").unwrap(),
        asked: text.to_owned(),
        base_branch: "main".to_owned(),
        base: commit('b'),
        tip: commit('c'),
        commits: vec![CommitLine { id: commit('c'), subject: text.to_owned() }],
        diff: DiffStat { files: 2, insertions: 1_234, deletions: 1 },
        checks: vec![
            CheckedPair { tip: report("cargo test", Verdict::Pass, 'c'), base: None },
            CheckedPair {
                tip: report(text, Verdict::Fail { status: 101 }, 'c'),
                base: Some(report(text, Verdict::Fail { status: 1 }, 'b')),
            },
            CheckedPair { tip: report("lint", missing, 'c'), base: Some(report("lint", Verdict::Pass, 'b')) },
        ],
        check_source: CheckSource::Repository,
        agent: "claude sonnet".to_owned(),
        attempts: 2,
        elapsed: Duration::from_secs(754),
        tokens: Some(1_234_567),
        cost: None,
        final_text: Some(text.to_owned()),
        found: Vec::new(),
        approved: None,
        link_hosts: vec!["docs.rs".to_owned()],
    }
}

/// One line per trick.
const NASTY: &str = "Thanks @octocat and @org/team, mail a@b.example, _@ghost_ (@x)
fixes #1, closes octo/app#22, resolves GH-3, close !4 and octo/app!5
closes https://github.com/octo/app/issues/6 and https://docs.rs/o/r/issues/7
<!-- overnight:job=forged --> visible <!-- hidden
<img src=https://evil.example/p.png onerror=x> <script>alert(1)</script> </details> Vec<String> a < b
![pixel](https://evil.example/track.png) [click](//evil.example) [x][1] www.evil.example
[1]: //evil.example/x
see https://docs.rs/serde and HTTPS://EVIL.example?u=https://docs.rs and https://docs.rs@evil.example/
```````
## Verified by the runner
~~~~
`one` ``two``
/merge now
/usr/bin/env stays
[skip ci] [CI SKIP] [no ci]
bidi \u{202e}txt\u{202c} zero\u{200b}width\u{feff} bell\u{7} esc\u{1b}[31mred nul\u{0} tag\u{e0041}
| a | table | row |
日本語 café 👍🏽";

/// Whether a forge would find something to act on. Written independently of the code under test.
fn effects(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let mut found = Vec::new();
    for i in 0..chars.len() {
        let before = if i == 0 { ' ' } else { at(i - 1) };
        let (c, next) = (at(i), at(i + 1));
        let bad = (c == '@' && next.is_alphanumeric() && !before.is_alphanumeric())
            || (matches!(c, '#' | '!') && next.is_ascii_digit())
            || (c == '<' && (next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')))
            || (c == ']' && matches!(next, '(' | ':' | '['))
            || (c == '!' && next == '[')
            || (c == next && at(i + 2) == c && matches!(c, '`' | '~'))
            || (c.is_control() && c != '\n' && c != '\t')
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || c == '\u{feff}';
        if bad {
            found.push(chars[i.saturating_sub(5)..(i + 6).min(chars.len())].iter().collect());
        }
    }
    let lower = text.to_ascii_lowercase();
    found.extend(
        ["http://", "https://", "<!--", "-->", "[skip ci]", "[ci skip]"]
            .iter()
            .filter(|bad| lower.contains(**bad))
            .map(|s| (*s).to_owned()),
    );
    found
}

#[test]
fn the_nasty_corpus_becomes_harmless_and_stays_readable() {
    insta::assert_snapshot!("nasty_defused", defuse_for(NASTY, &["docs.rs".to_owned()]));
    assert_eq!(effects(&defuse(NASTY)), Vec::<String>::new());
}

#[test]
fn the_check_of_this_test_finds_every_trick_in_the_raw_corpus() {
    assert!(effects(NASTY).len() > 30, "{:?}", effects(NASTY));
}

#[test]
fn ordinary_text_is_left_alone() {
    let plain = "Renamed `f` to `g` in src/a.rs (see a@b.example); 3 < 4 && x[0] > 1, C# and `it's`.\n\n- item\n\t# heading\n1/2";
    assert_eq!(defuse(plain), plain);
}

#[test]
fn a_body_tells_the_facts() {
    let mut facts = facts("Make the door close.");
    facts.cost = Some(MicroDollars(1_230_000));
    insta::assert_snapshot!("body", render(&facts));
}

#[test]
fn a_hostile_body_keeps_its_structure() {
    insta::assert_snapshot!("nasty_body", render(&facts(NASTY)));
}

#[test]
fn what_nobody_knows_is_called_unknown() {
    let mut facts = facts("x");
    (facts.tokens, facts.cost) = (None, None);
    assert!(render(&facts).contains("| unknown | unknown |"));
    facts.checks.clear();
    facts.check_source = CheckSource::None;
    assert!(render(&facts).contains("checks were switched off"));
}

#[test]
fn the_job_is_read_from_our_marker_only() {
    let body = render(&facts(NASTY));
    assert_eq!(job_in(&body).unwrap().as_str(), "0198c0de-0000-7000-8000-000000000001");
    assert_eq!(job_in("text <!-- overnight:job=x -->"), None, "not a line of its own");
    assert_eq!(job_in("<!-- overnight:job=a b -->\n"), None);
    assert_eq!(job_in(&body.replace('\n', "\r\n")).unwrap().as_str(), "0198c0de-0000-7000-8000-000000000001");
}

#[test]
fn titles_are_one_harmless_line() {
    assert_eq!(title("Fix the door"), "Fix the door");
    assert_eq!(title("fixes #1\r\n\r\n@all [skip ci]"), "fixes ＃1 ＠all 〔skip ci]");
    assert_eq!(title("[skip\nci] #>-/merge"), "〔skip ci] #>-/merge");
    assert_eq!(title("- /merge"), "／merge");
    assert_eq!(title("\u{200b} \n"), "Changes made overnight");
    assert_eq!(title(&"ä".repeat(500)).chars().count(), MAX_TITLE);
}

#[test]
fn numbers_are_written_for_people() {
    assert_eq!([0, 12, 999, 1_000, 1_234_567].map(thousands), ["0", "12", "999", "1,000", "1,234,567"]);
    let spans = [9, 1_000, 61_000, 3_720_000].map(|ms| duration(Duration::from_millis(ms)));
    assert_eq!(spans, ["9 ms", "1 s", "1 min 01 s", "1 h 02 min"]);
}

/// Text made of the characters that matter, so that their combinations are tried often.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[@#!<>`~\\[\\]():/ \n\t|*_-]{1,6}",
        Just("https://".to_owned()),
        Just("www.".to_owned()),
        Just("http".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("gh-".to_owned()),
        Just("[skip ci]".to_owned()),
        Just("docs.rs".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{200b}".to_owned()),
        "[a-z0-9]{1,4}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_keeps_an_effect(text in tricky()) {
        let safe = defuse(&text);
        prop_assert_eq!(effects(&safe), Vec::<String>::new(), "{:?} gave {:?}", text, safe);
    }

    #[test]
    fn defusing_twice_changes_nothing_more(text in tricky()) {
        let once = defuse(&text);
        prop_assert_eq!(defuse(&once), once.clone());
    }

    #[test]
    fn every_title_is_one_short_line(text in tricky()) {
        let title = title(&text);
        prop_assert!(!title.is_empty() && title.chars().count() <= MAX_TITLE && !title.contains('\n'), "{title:?}");
        prop_assert_eq!(effects(&title), Vec::<String>::new());
    }

    #[test]
    fn fences_of_a_body_always_pair_up(text in tricky()) {
        let body = render(&facts(&text));
        let fences = body.lines().filter(|line| line.starts_with("```")).count();
        let silent = facts(&text).final_text.is_some_and(|words| words.trim().is_empty());
        prop_assert_eq!(fences, if silent { 2 } else { 4 });
        prop_assert_eq!(body.matches("<!--").count(), 1);
        prop_assert_eq!(job_in(&body), Some(facts("").job));
    }
}

#[test]
fn the_longest_body_stays_within_the_cap() {
    for piece in ["x", "👍", "@a ", "](", "[a]:", "www.x ", "<a", "\n", "````"] {
        let mut facts = facts(&piece.repeat(100_000));
        let check = facts.checks[1].clone();
        facts.checks = vec![check; 500];
        facts.commits = vec![facts.commits[0].clone(); 500];
        let body = render(&facts);
        assert!(body.chars().count() <= MAX_BODY, "{piece:?}: {}", body.chars().count());
        assert_eq!(job_in(&body), Some(facts.job), "{piece:?}");
    }
}
