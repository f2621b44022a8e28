//! The kinds of things that are cleared up, and how people and programs read of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use overnight_core::command::ProcessIdentity;
use overnight_core::id::{JobId, WorkerId};
use overnight_git::{CommitRef, JobRef, Repack};

/// What is removed, ended or put in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A turn's processes, which nobody watches over.
    Tree(ProcessIdentity),
    /// What only the work on a job needed.
    Scratch {
        paths: Vec<PathBuf>,
    },
    /// All that is left of a job.
    JobDirectory(PathBuf),
    /// Compressed, not removed.
    Log(PathBuf),
    /// What dead processes left in a mirror or beside it.
    MirrorLeftovers {
        mirror: PathBuf,
        paths: Vec<PathBuf>,
    },
    /// A mirror that was put aside.
    BrokenMirror(PathBuf),
    /// What jobs made, in a mirror.
    JobRefs {
        mirror: PathBuf,
        refs: Vec<JobRef>,
    },
    /// Bases of jobs, and what was put on top of them, in a mirror that was last used at this time.
    CommitRefs {
        mirror: PathBuf,
        refs: Vec<CommitRef>,
        last_used: SystemTime,
    },
    /// Put in order, not removed.
    MirrorPacks {
        mirror: PathBuf,
        how: Repack,
    },
    Mirror {
        path: PathBuf,
        last_used: SystemTime,
    },
    JobRecord(JobId),
    WorkerRecord(WorkerId),
}

impl Target {
    /// One word for lists and JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tree(_) => "processes",
            Self::Scratch { .. } => "scratch",
            Self::JobDirectory(_) => "directory",
            Self::Log(_) => "compress",
            Self::MirrorLeftovers { .. } => "leftovers",
            Self::BrokenMirror(_) => "broken-mirror",
            Self::JobRefs { .. } => "refs",
            Self::CommitRefs { .. } => "bases",
            Self::MirrorPacks { .. } => "repack",
            Self::Mirror { .. } => "mirror",
            Self::JobRecord(_) => "record",
            Self::WorkerRecord(_) => "worker",
        }
    }
}

/// What exactly: a path, an id, a process.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(process) => write!(f, "process {}", process.pid),
            Self::Scratch { paths } | Self::MirrorLeftovers { paths, .. } => {
                let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&shown.join(", "))
            }
            Self::JobDirectory(path)
            | Self::Log(path)
            | Self::BrokenMirror(path)
            | Self::Mirror { path, .. } => path.display().fmt(f),
            Self::JobRefs { mirror, refs } => in_mirror(f, mirror, refs.iter().map(|one| &*one.name)),
            Self::CommitRefs { mirror, refs, .. } => in_mirror(f, mirror, refs.iter().map(|one| &*one.name)),
            Self::MirrorPacks { mirror, .. } => mirror.display().fmt(f),
            Self::JobRecord(job) => job.fmt(f),
            Self::WorkerRecord(worker) => worker.fmt(f),
        }
    }
}

fn in_mirror<'a>(
    f: &mut fmt::Formatter<'_>,
    mirror: &Path,
    refs: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    write!(f, "{}: {}", mirror.display(), refs.collect::<Vec<_>>().join(", "))
}
