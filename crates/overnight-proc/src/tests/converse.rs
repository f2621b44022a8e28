//! A talk: answers at once, asides at any time, and an end when it is asked for.

use overnight_core::command::{Exit, Isolation, StopReason};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::converse;

fn talkative(script: &str) -> CommandSpec {
    let mut spec = CommandSpec::new("/bin/sh", "/").args(["-c", script]).env("PATH", "/usr/bin:/bin");
    spec.stdin = Stdin::Driven;
    spec.isolation = Isolation::Tethered;
    spec.limits.grace = Duration::from_millis(200);
    spec
}

#[tokio::test]
async fn lines_are_answered_at_once_and_asides_come_between() {
    let spec = talkative("echo one; read a; echo \"got $a\"; read b; echo \"got $b\" >&2; cat");
    let (say, asides) = unbounded_channel();
    let mut heard = Vec::new();
    let mut handler = |line: Line<'_>| {
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        let reply = match text.as_str() {
            "one" => Reply { stdin: b"first\n".to_vec(), ..Reply::default() },
            "got first" => {
                let aside = Reply { stdin: b"second\n".to_vec(), ..Reply::default() };
                say.send(aside).unwrap();
                Reply::default()
            }
            _ => Reply { close_stdin: true, ..Reply::default() },
        };
        heard.push((line.stream, text));
        reply
    };
    let report = converse(&spec, &mut handler, asides, &CancellationToken::new()).await.unwrap();
    assert_eq!((report.exit, report.stopped), (Exit::Code(0), None));
    let texts: Vec<&str> = heard.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "got first", "got second"]);
    assert_eq!(heard[2].0, Stream::Stderr);
}

#[tokio::test]
async fn a_talk_ends_when_it_is_asked_for_and_takes_its_tree_along() {
    let spec = talkative("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000");
    let (_say, asides) = unbounded_channel();
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let mut child = None;
    let mut handler = |line: Line<'_>| {
        child = String::from_utf8_lossy(line.bytes).parse::<u32>().ok();
        asked.cancel();
        Reply::default()
    };
    let report = converse(&spec, &mut handler, asides, &stop).await.unwrap();
    assert_eq!(report.stopped, Some(StopReason::Asked));
    let child = child.expect("the number of a process");
    assert!(!Path::new(&format!("/proc/{child}")).exists(), "{child} is still there");
}

#[tokio::test]
async fn nobody_to_say_anything_is_no_end() {
    let (say, asides) = unbounded_channel::<Reply>();
    drop(say);
    let mut spec = talkative("cat; echo done");
    spec.stdin = Stdin::Null;
    let mut lines = 0;
    let mut handler = |_: Line<'_>| {
        lines += 1;
        Reply::default()
    };
    let report = converse(&spec, &mut handler, asides, &CancellationToken::new()).await.unwrap();
    assert!(report.success());
    let missing = CommandSpec::new("no-such-program", "/");
    let (_say, asides) = unbounded_channel();
    let failed = converse(&missing, &mut handler, asides, &CancellationToken::new()).await;
    assert!(matches!(failed, Err(SpawnError::ProgramNotFound { .. })), "{failed:?}");
    assert_eq!(lines, 1);
}
