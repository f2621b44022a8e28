//! Code movement: one git command builder, mirror, workspace, bundle import, push.
//!
//! Owns everything that a job does with git: the trusted bare mirrors below one directory, the private clones that
//! agents work in, and the push. It must not decide anything about a job, start a process by any other way than
//! `overnight-proc`, or run git of the host on a directory that an agent could write.
//!
//! The trust order, strongest first: a mirror (ours alone) → the user's own repository (their configuration counts,
//! hooks and file-system monitors are off) → a workspace (untrusted from the moment its agent starts; only commands
//! of [`collect`], run in the job's containment, read it).

pub mod collect;
mod endpoint;
mod env;
mod error;
mod git;
mod mirror;
mod parse;
mod push;
mod remote;
mod remove;
mod source;
pub mod workspace;

#[cfg(test)]
mod testing;

pub use endpoint::{Credentials, Endpoint};
pub use env::HostEnv;
pub use error::{Class, GitError};
pub use git::{Git, Version};
pub use mirror::{
    CommitRef, Fetched, Identity, Import, JobRef, Load, LockWait, Merge, Mirror, Mirrors, Repack, Revert,
    RevertOrder, Reverted, Site, Tending, Wanted,
};
pub use overnight_core::secret::Secret;
pub use parse::{ChangedPath, RemoteUrls};
pub use push::{Expected, PushOutcome};
pub use remote::{InvalidRemote, Remote};
pub use remove::{open_regular, remove_tree};
pub use source::{InspectError, Source};
