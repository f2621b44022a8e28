//! What a job stands on: which commit is its base, and which checks will judge it.

use std::collections::BTreeMap;
use std::time::Duration;

use overnight_core::detect;
use overnight_core::git::CommitId;
use overnight_core::job::{EndReason, VerifyRequest};
use overnight_core::verdict::{Check, CheckSource};
use overnight_git::Mirror;

use crate::repo_file;
use crate::trouble::{self, StageError};

/// Largest `overnight.toml`, package file or the like that is looked at, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The checks of a job, from the order or from the base commit: never from a tree that an agent could write.
pub(crate) async fn checks(
    request: &VerifyRequest,
    mirror: &Mirror,
    base: &CommitId,
) -> Result<(CheckSource, Vec<Check>), StageError> {
    match request {
        VerifyRequest::Commands { checks } => Ok((CheckSource::CommandLine, checks.clone())),
        VerifyRequest::Nothing => Ok((CheckSource::None, Vec::new())),
        VerifyRequest::FromRepository { timeout } => from_repository(mirror, base, *timeout).await,
    }
}

async fn from_repository(
    mirror: &Mirror,
    base: &CommitId,
    timeout: Duration,
) -> Result<(CheckSource, Vec<Check>), StageError> {
    if let Some(checks) = configured(mirror, base, timeout).await? {
        return Ok((CheckSource::Repository, checks));
    }
    let root = mirror.list_root(base).await.map_err(trouble::git)?;
    let mut files: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
    for name in detect::wanted_files(&root) {
        if let Some(content) =
            mirror.read_file(base, name.as_bytes(), MAX_FILE).await.map_err(trouble::git)?
        {
            files.insert(name, content);
        }
    }
    let mut checks = detect::detect(&root, &|name| files.get(name).cloned()).checks;
    if checks.is_empty() {
        return Err(trouble::end(
            EndReason::NoChecks,
            "no check was found in this repository; name one with --verify 'COMMAND' or in overnight.toml \
             ([verify] checks = [\"COMMAND\"]), or go without with --no-verify",
        ));
    }
    for check in &mut checks {
        check.timeout = timeout;
    }
    Ok((CheckSource::Detected, checks))
}

async fn configured(
    mirror: &Mirror,
    base: &CommitId,
    timeout: Duration,
) -> Result<Option<Vec<Check>>, StageError> {
    let Some(bytes) = mirror.read_file(base, b"overnight.toml", MAX_FILE).await.map_err(trouble::git)? else {
        return Ok(None);
    };
    let invalid = |why: String| trouble::end(EndReason::ConfigInvalid, format!("at {}: {why}", base.short()));
    let text = String::from_utf8(bytes).map_err(|_| invalid("overnight.toml is not UTF-8".to_owned()))?;
    let file = repo_file::parse(&text, timeout).map_err(|error| invalid(error.to_string()))?;
    Ok(file.checks)
}
