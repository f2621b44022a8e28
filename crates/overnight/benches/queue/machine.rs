//! What the figures were measured on, without names or dates; and the one way to start a process.

use std::ffi::OsStr;
use std::process::Command;

use crate::database::Server;

pub(crate) fn describe(server: Result<&Server, &String>) -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let postgres = match server {
        Ok(server) => format!("PostgreSQL {}", server.version()),
        Err(reason) => format!("no PostgreSQL: {reason}"),
    };
    format!(
        "{cores} cores ({}), {} GiB, Linux {}, {postgres}, load {}",
        model.map_or("unknown", |(_, name)| name),
        kib >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        load(),
    )
}

/// Of the last minute.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split_whitespace().next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a bench starts the programs it measures")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}
