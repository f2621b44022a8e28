//! Where a stage gets the job's code from and where it puts it: the mirror, the workspace, a remote with its key.

use std::path::Path;
use std::sync::Arc;

use overnight_core::git::CommitId;
use overnight_core::job::{EndReason, ParkReason, Trouble};
use overnight_forge::Forge;
use overnight_git::workspace::{self, Setup};
use overnight_git::{Credentials, Endpoint, Identity, LockWait, Mirror, Remote};

use crate::credentials::ForgeSettings;
use crate::host::Host;
use crate::progress::Progress;
use crate::seat::Seat;
use crate::trouble::{self, StageError};

/// The mirror of the job's source, made or mended if need be. Opened once per run of a job.
pub(crate) async fn open_mirror(seat: &mut Seat<'_>) -> Result<Mirror, StageError> {
    if let Some(mirror) = &seat.mirror {
        return Ok(mirror.clone());
    }
    let endpoint = remote_endpoint(seat, &seat.job.spec.source).await?;
    let watcher = seat.watcher.clone();
    let progress = move |_| {
        watcher.tell(Progress::Waiting {
            what: "another job is using the mirror of this repository".to_owned(),
        });
    };
    let wait = LockWait { timeout: seat.engine.settings().git_timeout, progress: &progress };
    let opening = seat.engine.mirrors().open_or_create(&endpoint, &wait);
    let mirror = seat.unless_stopped(async { opening.await.map_err(trouble::git) }).await?;
    seat.mirror = Some(mirror.clone());
    Ok(mirror)
}

/// Puts a damaged mirror aside, so that the job finds a new one when it is taken up again.
pub(crate) async fn put_mirror_aside(seat: &mut Seat<'_>, detail: String) -> (Trouble, String) {
    let trouble = Trouble::Wait { reason: ParkReason::Unavailable, wake: None };
    let Some(mirror) = seat.mirror.take() else { return (trouble, detail) };
    let wait = LockWait::silent(seat.engine.settings().git_timeout);
    match seat.engine.mirrors().quarantine(&mirror, &wait).await {
        Ok(aside) => (trouble, format!("{detail}; the damaged mirror was moved to {}", aside.display())),
        Err(error) => (trouble, format!("{detail}; it could not be moved aside: {}", trouble::chain(&error))),
    }
}

/// The agent's private clone at `commit`, with the job's identity for commits.
pub(crate) async fn make_workspace(
    seat: &Seat<'_>,
    mirror: &Mirror,
    commit: &CommitId,
) -> Result<(), StageError> {
    let path = seat.dirs.workspace();
    let setup = Setup { branch: None, identity: Some(identity(&seat.job.spec.author)) };
    let making = workspace::ready(mirror, commit, &path, &setup);
    seat.unless_stopped(async { making.await.map_err(trouble::git) }).await?;
    Ok(())
}

/// `Name <address>` taken apart; a text of another form is the name.
pub(crate) fn identity(author: &str) -> Identity {
    match author.rsplit_once('<').map(|(name, rest)| (name.trim(), rest.trim_end_matches('>').trim())) {
        Some((name, email)) if !name.is_empty() => {
            Identity { name: name.to_owned(), email: email.to_owned() }
        }
        Some(_) | None => Identity { name: author.trim().to_owned(), email: String::new() },
    }
}

/// A remote with the token for its host, where there is one.
pub(crate) async fn remote_endpoint(seat: &Seat<'_>, remote: &str) -> Result<Endpoint, StageError> {
    let parsed = parse_remote(remote)?;
    let token = seat.engine.forges().token(remote, seat.engine.host()).await.map_err(trouble::token)?;
    let credentials = match token {
        // What GitHub documents for tokens; Gitea and Forgejo take any name.
        Some(token) => Credentials::Token { user: "x-access-token".to_owned(), token },
        None => Credentials::None,
    };
    Ok(Endpoint { remote: parsed, credentials })
}

/// The forge of a remote, with the token for it. Sends nothing yet.
pub(crate) async fn connect(
    forges: &ForgeSettings,
    host: &Host,
    remote: &str,
) -> Result<Arc<Forge>, StageError> {
    let Some(address) = forges.address(remote) else {
        let detail = format!(
            "no forge is known for {remote}; name its kind in the configuration: [forge.hosts.\"HOST\"] kind = \"gitea\""
        );
        return Err(trouble::end(EndReason::ConfigInvalid, detail));
    };
    match forges.connect(address, remote, host).await.map_err(trouble::token)? {
        Some((forge, _)) => Ok(forge),
        None => Err(trouble::no_token(remote)),
    }
}

fn parse_remote(text: &str) -> Result<Remote, StageError> {
    Remote::parse(text, Path::new("/")).map_err(|error| trouble::config(error.to_string()))
}
