//! The process that cleans up when this one can not: a shell at the other end of a pipe, which reads to its end.
//!
//! Owns that pipe. A static is never dropped and a killed process runs no code at all, so nothing in this process can be
//! trusted to end the server; the kernel closes a pipe however its holder ends.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::home::{Home, clean_command};

const SCRIPT: &str = include_str!("watch.sh");

/// Tells the watcher its pid and becomes the program: there is no moment in which a program runs that the watcher
/// does not know. `$1` is where the program's own output goes.
const ANNOUNCED: &str = r#"echo "$$"; log=$1; shift; exec "$@" >>"$log" 2>&1"#;

/// The watcher of one folder. Dropping it waits until the folder is gone.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
    /// The only writing end, but for the moment between the start of an announced program and its announcement.
    pipe: ChildStdin,
}

impl Watcher {
    pub(super) fn start(home: &Home) -> Result<Self, String> {
        let mut child = clean_command("sh")
            .args(["-c", SCRIPT, "watch"])
            .arg(home.dir())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start sh: {error}"))?;
        let pipe = child.stdin.take().ok_or("sh has no input")?;
        Ok(Self { child, pipe })
    }

    /// A command as the server's account whose output goes to the log and which the watcher ends if this process dies.
    pub(super) fn announced(&self, home: &Home) -> io::Result<Command> {
        let mut command = home.command("sh");
        command
            .args(["-c", ANNOUNCED, "announced"])
            .arg(home.log())
            .stdout(self.pipe.as_fd().try_clone_to_owned()?)
            .stderr(Stdio::null());
        Ok(command)
    }

    /// Says that the announced program is dead. To be said before it is waited for: afterwards its pid may be another's.
    pub(super) fn nothing_runs(&self) {
        self.say("none");
    }

    /// A watcher that somebody killed cannot be told anything.
    fn say(&self, word: &str) {
        drop((&self.pipe).write_all(format!("{word}\n").as_bytes()));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.say("end");
        drop(self.child.wait());
    }
}
