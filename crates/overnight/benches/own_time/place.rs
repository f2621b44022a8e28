//! A place to measure in: a home, a data directory and a repository of so many files, and a place for work trees.
//!
//! Owns two temporary directories; they go when the place goes.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Files per directory.
const PER_DIRECTORY: usize = 50;
/// Sizes of the files in bytes, in turns: source files as they are.
const SIZES: [usize; 5] = [300, 900, 1_800, 3_600, 6_400];

pub(crate) struct Place {
    dir: TempDir,
    trees: TempDir,
    program: PathBuf,
}

impl Place {
    /// A repository with one commit on `main`, its work tree checked out.
    pub(crate) fn new(files: usize, program: &Path, trees: &Path) -> Self {
        let dir = TempDir::with_prefix("overnight-bench-").unwrap();
        let trees = TempDir::with_prefix_in("overnight-bench-", trees).unwrap();
        let place = Self { dir, trees, program: program.to_owned() };
        std::fs::create_dir(place.path("home")).unwrap();
        // The jobs' directories, work trees among them; the data directory itself stays on the disk.
        for name in ["jobs", "raw"] {
            std::fs::create_dir(place.tree(name)).unwrap();
        }
        std::fs::create_dir(place.path("data")).unwrap();
        std::os::unix::fs::symlink(place.tree("jobs"), place.path("data").join("jobs")).unwrap();
        place.git(place.dir.path(), &["init", "--quiet", "-b", "main", "repo"]);
        place.import(files);
        place.git(&place.repo(), &["reset", "--quiet", "--hard"]);
        place.git(&place.repo(), &["update-index", "-q", "--refresh"]);
        place
    }

    fn import(&self, files: usize) {
        let mut git = self.git_command(&self.repo(), &["fast-import", "--quiet"]);
        let mut child = git.stdin(Stdio::piped()).spawn().unwrap();
        let mut stream = std::io::BufWriter::new(child.stdin.take().unwrap());
        let head = "commit refs/heads/main\ncommitter Person <person@example.org> 1700000000 +0000\n";
        write!(stream, "{head}data 5\nStart\n").unwrap();
        for number in 0..files {
            let text = content(number);
            let directory = number / PER_DIRECTORY;
            let path = format!("part{:02}/unit{directory:04}/file{number:05}.txt", directory / 20);
            write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).unwrap();
        }
        drop(stream);
        assert!(child.wait().unwrap().success(), "git fast-import failed");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path where work trees are written.
    pub(crate) fn tree(&self, name: &str) -> PathBuf {
        self.trees.path().join(name)
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    /// The file that every run edits.
    pub(crate) const EDITED: &str = "part00/unit0000/file00000.txt";

    /// Runs git to its end and gives what it printed.
    pub(crate) fn git(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.git_command(dir, args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn git_command(&self, dir: &Path, args: &[&str]) -> Command {
        let mut command = self.command("git", dir);
        command.args(args).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Person");
            command.env(format!("GIT_{who}_EMAIL"), "person@example.org");
        }
        command
    }

    /// A program with the place's home and the person's search path, and nothing else.
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench starts processes and reads the search path itself"
    )]
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().env("HOME", self.path("home"));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    /// `overnight` with a data directory of this place.
    pub(crate) fn overnight(&self) -> Command {
        let mut command = self.command(&self.program, &self.repo());
        command.env("OVERNIGHT_DATA_DIR", self.path("data"));
        command
    }
}

/// Memory, where there is some: ext4 takes up to half a millisecond for every file that is made within a minute after
/// many were removed, which hits git and us alike and hides everything else.
pub(crate) fn usual_trees() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Text that is never twice the same and compresses as source does.
fn content(number: usize) -> String {
    let mut text = String::new();
    for line in 0.. {
        if text.len() >= SIZES[number % SIZES.len()] {
            break;
        }
        let mixed = (number * 7_919 + line * 104_729) % 1_000_003;
        writeln!(text, "let value_{mixed} = combine({number}, {line}, {});", mixed % 97).unwrap();
    }
    text
}

/// What the figures were measured on, without names or dates.
pub(crate) fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    #[expect(clippy::disallowed_methods, reason = "a bench asks the same git for its version")]
    let git = Command::new("git").arg("--version").output().unwrap();
    format!(
        "{cores} cores ({}), {} GiB, Linux {}, {}, load {}",
        model.map_or("unknown", |(_, name)| name),
        kib >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        String::from_utf8_lossy(&git.stdout).trim(),
        read("/proc/loadavg").split_whitespace().next().unwrap_or_default(),
    )
}
