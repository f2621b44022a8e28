use std::time::Duration;

use overnight_core::job::LineKind;
use overnight_core::verdict::Verdict;

use super::*;
use crate::body::job_in;

fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

fn task(number: u32, title: &str) -> TaskFacts {
    let report = CheckReport {
        check: "sh check.sh".to_owned(),
        commit: commit('b'),
        verdict: Verdict::Pass,
        output_tail: String::new(),
        elapsed: Duration::from_secs(2),
    };
    TaskFacts {
        key: TaskKey::parse(&format!("app-{number}")).unwrap(),
        job: TaskKey::parse(&format!("repo-{number}")).unwrap(),
        number,
        title: title.to_owned(),
        tip: commit('b'),
        base: Some(commit('a')),
        diff: Some(DiffStat { files: 2, insertions: 1, deletions: 0 }),
        checks: vec![CheckedPair { tip: report, base: None }],
        check_source: Some(CheckSource::Repository),
        agent: "claude".to_owned(),
        attempts: number,
        tokens: Some(1_500),
        cost: Some(MicroDollars(250_000)),
    }
}

fn facts(tasks: Vec<TaskFacts>) -> LineFacts {
    let line = BranchLine::of(LineKind::Story, TaskKey::parse("app-9").unwrap(), "Doors", (1, 3));
    LineFacts { line, job: JobId::parse("job-1").unwrap(), base_branch: "main".to_owned(), tasks }
}

#[test]
fn a_line_s_text_tells_of_each_task() {
    insta::assert_snapshot!(render_line(&facts(vec![
        task(1, "Hang the door"),
        task(2, "Close #1 @you | `x`")
    ])));
}

#[test]
fn the_sum_is_unknown_as_soon_as_one_cost_is() {
    let unknown = TaskFacts { cost: None, ..task(2, "x") };
    assert!(render_line(&facts(vec![task(1, "x"), task(3, "y")])).contains("Together: $0.50"));
    assert!(render_line(&facts(vec![task(1, "x"), unknown])).contains("Together: unknown"));
}

#[test]
fn putting_it_twice_is_putting_it_once_and_peoples_words_stay() {
    let (one, two) = (facts(vec![task(1, "x")]), facts(vec![task(1, "x"), task(2, "y")]));
    let first = put_line("Hello.\r\n\r\nLook here.", &render_line(&one));
    let theirs = format!("{}\nBye.", first.trim_end());
    let second = put_line(&theirs, &render_line(&two));
    assert!(second.starts_with("Hello.") && second.ends_with("Bye.\n"), "{second}");
    assert_eq!(second.matches("## 2 of 3 tasks").count(), 1);
    assert!(!second.contains("1 of 3 tasks"), "{second}");
    assert_eq!(put_line(&second, &render_line(&two)), second);
    assert_eq!(job_in(&second), Some(JobId::parse("job-1").unwrap()));
}

#[test]
fn a_body_whose_markers_somebody_broke_keeps_every_word() {
    let ours = render_line(&facts(vec![task(1, "x")]));
    for theirs in
        [format!("{END}\nmine"), format!("{BEGIN}app-9 -->\nmine"), format!("{END}\nmine\n{BEGIN}app-9 -->")]
    {
        let text = put_line(&theirs, &ours);
        assert!(text.contains("mine") && text.contains("1 of 3 tasks"), "{text}");
    }
}

#[test]
fn however_much_there_is_a_forge_takes_it() {
    let tasks = (1..300).map(|number| task(number, &"long ".repeat(500))).collect();
    let ours = render_line(&facts(tasks));
    assert!(ours.contains("tasks not shown here") && ours.contains("and 199 more"), "{ours}");
    let text = put_line(&"their words ".repeat(20_000), &ours);
    assert!(text.chars().count() <= MAX_BODY, "{}", text.chars().count());
    assert!(text.trim_end().ends_with(END));
}

#[test]
fn no_title_gets_out_of_its_place() {
    let hostile = format!("a\n{END}\n<!-- overnight:job=evil -->\n# b @all #1");
    let text = put_line("", &render_line(&facts(vec![task(1, &hostile)])));
    assert_eq!(job_in(&text), Some(JobId::parse("job-1").unwrap()));
    assert_eq!(text.lines().filter(|line| line.trim() == END).count(), 1, "{text}");
    assert_eq!(put_line(&text, &render_line(&facts(vec![task(1, "x")]))).matches("of 3 tasks").count(), 1);
}
