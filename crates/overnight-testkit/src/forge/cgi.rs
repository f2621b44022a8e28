//! git's own HTTP transport, through `git http-backend`.
//!
//! Owns no state. Whoever has no token that may do it is refused before git is started.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::api::{self, Reply};
use super::fault::On;
use super::log::LoggedRequest;
use super::repository::GIT_ENV;
use super::server::Hub;

pub(super) async fn serve(hub: &Arc<Hub>, request: &LoggedRequest) -> Reply {
    let Some(token) = api::token_of(hub, request) else {
        let mut reply = Reply::text(401, "Authentication required\n");
        reply.headers.push(("www-authenticate".to_owned(), "Basic realm=\"fake forge\"".to_owned()));
        return reply;
    };
    if request.on == Some(On::GitPush) && !token.can_push {
        return Reply::text(403, "You are not allowed to push to this repository\n");
    }
    match run(hub, request, &token.login).await {
        Ok(reply) => reply,
        Err(error) => Reply::text(500, &format!("git http-backend: {error}\n")),
    }
}

#[expect(clippy::disallowed_methods, reason = "the fake forge runs git itself, as a forge does")]
async fn run(hub: &Hub, request: &LoggedRequest, login: &str) -> io::Result<Reply> {
    let path = request.path.strip_prefix(&hub.sub_path).unwrap_or(&request.path);
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .envs(GIT_ENV)
        .env("GIT_PROJECT_ROOT", &hub.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", &request.query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_USER", login)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let passed_on = [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (header, variable) in passed_on {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn()?;
    let stdin = child.stdin.take();
    let body = request.body.clone();
    let feed = tokio::spawn(async move {
        // A backend that refuses does not read; its answer says why.
        if let Some(mut stdin) = stdin {
            drop(stdin.write_all(&body).await);
        }
    });
    let output = child.wait_with_output().await?;
    drop(feed.await);
    Ok(read_cgi(&output.stdout))
}

/// Header lines, an empty line, the body. Without a `Status` header the status is 200.
fn read_cgi(output: &[u8]) -> Reply {
    let split = output.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = split.map_or((output, &[][..]), |at| (&output[..at], &output[at + 4..]));
    let mut reply = Reply { status: 200, headers: Vec::new(), body: body.to_vec() };
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            reply.status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
        } else {
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    reply
}
