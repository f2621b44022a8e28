//! Pages of logs that are long, that grow, and that somebody filled with traps.

use overnight_core::agent::BackendId;
use overnight_core::id::JobId;
use overnight_engine::dirs::Dirs;

use super::*;

const CHECK: LogPart = LogPart::Check { attempt: 1, on_base: false, number: 1 };

struct Place {
    _dir: tempfile::TempDir,
    dirs: JobDirs,
}

fn place(files: &[(&str, &str)]) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let dirs = Dirs::new(dir.path()).job(&JobId::parse("j").unwrap());
    std::fs::create_dir_all(dirs.log()).unwrap();
    for (name, text) in files {
        std::fs::write(dirs.log().join(name), text).unwrap();
    }
    Place { _dir: dir, dirs }
}

fn book<'a>(place: &'a Place, settings: &'a AgentSettings, turns: u32, under_way: UnderWay) -> Book<'a> {
    Book { dirs: &place.dirs, settings, turns, under_way }
}

fn texts(page: &LogPage) -> Vec<&str> {
    page.lines.iter().map(|(_, text)| text.as_str()).collect()
}

#[test]
fn pages_hold_every_line_once_in_the_order_of_the_log() {
    let numbered: String = (0..23).map(|number| format!("line {number}\n")).collect();
    let place = place(&[
        ("turn-1.err.log", "a warning\nno end"),
        ("check-10-tip-0.log", "tenth\n"),
        ("check-1-base-0.log", "base\n"),
        ("check-1-tip-0.log", &numbered),
        ("check-x-tip-0.log", "none of ours"),
    ]);
    let settings = AgentSettings::new(BackendId::Command);
    let book = book(&place, &settings, 1, UnderWay::Nothing);
    let all = book.parts(LogParts::All).unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = book.page(&all, after, 5).unwrap();
        assert!(page.kept && (page.lines.len() == 5 || !page.more));
        seen.extend(texts(&page).into_iter().map(str::to_owned));
        after = page.at;
        if !page.more {
            break;
        }
    }
    let mut wanted = vec!["stderr a warning".to_owned(), "stderr no end".to_owned()];
    wanted.extend((0..23).map(|number| format!("line {number}")));
    wanted.extend(["base".to_owned(), "tenth".to_owned()]);
    assert_eq!(seen, wanted);
    let checks = book.page(&book.parts(LogParts::Checks).unwrap(), None, 1).unwrap();
    assert_eq!((checks.lines[0].0, checks.more), (CHECK, true));
    assert_eq!(book.parts(LogParts::Agent).unwrap().len(), 2);
    assert!(book.parts(LogParts::Turn(1)).is_some() && book.parts(LogParts::Turn(2)).is_none());
    assert!(book.parts(LogParts::Turn(0)).is_none());
}

#[test]
fn a_log_that_grows_is_gone_on_with_where_the_page_ended() {
    let place = place(&[("check-1-tip-0.log", "one\nhal")]);
    let settings = AgentSettings::new(BackendId::Command);
    let running = book(&place, &settings, 0, UnderWay::Checks);
    let first = running.page(&[CHECK], None, 9).unwrap();
    assert_eq!((texts(&first), first.more), (vec!["one"], false));
    std::fs::write(place.dirs.log().join("check-1-tip-0.log"), "one\nhalf\nend").unwrap();
    let second = running.page(&[CHECK], first.at, 9).unwrap();
    assert_eq!(texts(&second), ["half"]);
    let over = Book { under_way: UnderWay::Nothing, ..running };
    assert_eq!(texts(&over.page(&[CHECK], second.at, 9).unwrap()), ["end"]);
    let dirs = Dirs::new("/nowhere").job(&JobId::parse("j").unwrap());
    let nowhere = Book { dirs: &dirs, turns: 1, ..over };
    let none = nowhere.page(&nowhere.parts(LogParts::All).unwrap(), None, 9).unwrap();
    assert!(!none.kept && none.lines.is_empty() && none.at.is_none() && !none.more);
}

#[test]
fn a_page_is_bounded_and_says_no_secret_and_nothing_to_a_terminal() {
    let token = format!("ghp_{}", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx");
    let trap = format!("key {token} \u{1b}[2J\u{202e}\u{0}");
    let huge = "x".repeat(1 << 20);
    let place = place(&[("check-1-tip-0.log", &format!("{trap}\n{huge}\nlast\n"))]);
    let settings = AgentSettings::new(BackendId::Command);
    let book = book(&place, &settings, 0, UnderWay::Nothing);
    let first = book.page(&[CHECK], None, 500).unwrap();
    assert!(first.more && first.lines.iter().map(|(_, text)| text.len()).sum::<usize>() <= PAGE_BYTES);
    assert!(!first.lines[0].1.contains(&token) && first.lines[0].1.contains("[redacted]"), "{first:?}");
    assert!(!first.lines[0].1.contains(['\u{1b}', '\u{202e}', '\u{0}']), "{first:?}");
    let mut chars = first.lines[1..].iter().map(|(_, text)| text.len()).sum::<usize>();
    let (mut after, mut last) = (first.at, String::new());
    while last != "last" {
        let page = book.page(&[CHECK], after, 500).unwrap();
        after = page.at;
        last.clone_from(&page.lines.last().unwrap().1);
        chars += page.lines.iter().map(|(_, text)| text.len()).sum::<usize>();
    }
    assert_eq!(chars, (1 << 20) + "last".len());
}
