//! The protocol over a pair of pipes: one message a line, one after the other. A client that does not read its answers is not
//! read from either, so nothing piles up.

use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::MAX_MESSAGE;
use super::protocol::{self, Era};
use super::rpc::{self, Fault, INVALID_REQUEST, Message};
use super::tool::Toolbox;

/// Answers until the input ends, which is how a client says good-bye.
///
/// # Errors
/// When a pipe breaks.
pub async fn serve_stdio(
    mut input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    toolbox: Arc<dyn Toolbox>,
) -> io::Result<()> {
    let mut line = Vec::new();
    while read_line(&mut input, &mut line).await? {
        let answer = if line.len() > MAX_MESSAGE {
            let what = format!("a message has at most {MAX_MESSAGE} bytes; this one was passed over");
            Some(rpc::error(&Value::Null, &Fault::new(INVALID_REQUEST, what)))
        } else if line.iter().all(u8::is_ascii_whitespace) {
            None
        } else {
            answer(&line, &toolbox).await
        };
        if let Some(answer) = answer {
            let mut text = answer.to_string().into_bytes();
            text.push(b'\n');
            output.write_all(&text).await?;
            output.flush().await?;
        }
    }
    Ok(())
}

/// One line without its end; `false` at the end of the input. What is longer than any message is read, but not kept.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let bytes = input.fill_buf().await?;
        if bytes.is_empty() {
            return Ok(!line.is_empty());
        }
        let (piece, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&bytes[..at], true),
            None => (bytes, false),
        };
        let room = (MAX_MESSAGE + 1).saturating_sub(line.len());
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        let used = piece.len() + usize::from(ended);
        input.consume(used);
        if ended {
            // An empty line is a line.
            return Ok(true);
        }
    }
}

async fn answer(line: &[u8], toolbox: &Arc<dyn Toolbox>) -> Option<Value> {
    let request = match rpc::parse(line) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification | Message::Response) => return None,
        Err(fault) => return Some(rpc::error(&Value::Null, &fault)),
    };
    let id = request.id.clone();
    let era = protocol::era_of(&request).and_then(|era| match era {
        Era::Modern => protocol::check_meta(&request).map(|()| era),
        Era::Legacy => Ok(era),
    });
    let answered = match era {
        Ok(era) => protocol::answer(request, era, toolbox).await,
        Err(fault) => Err(fault),
    };
    Some(match answered {
        Ok(result) => rpc::result(&id, &result),
        Err(fault) => rpc::error(&id, &fault),
    })
}
