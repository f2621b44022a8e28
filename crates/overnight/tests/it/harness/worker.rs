//! What the tests of workers look at from outside: `status` and `worker ls` as JSON, and what a worker answers over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::fleet::Worker;
use super::{Place, eventually};

/// A worker that answers over HTTP.
pub(crate) struct Served {
    pub(crate) worker: Worker,
    address: String,
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Place {
    /// A worker that answers at a free port of this machine.
    #[track_caller]
    pub(crate) fn serve(&self, more: &[&str]) -> Served {
        let args = [&["serve", "--listen", "127.0.0.1:0"], more].concat();
        let worker = Worker::start(self.command(&self.home(), &args), self);
        let address = eventually("an address", || {
            let said = worker.said();
            let (_, rest) = said.split_once("http://")?;
            Some(rest.split_once("/health")?.0.to_owned())
        });
        Served { worker, address }
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        // Also where a test has broken the configuration.
        let args = ["status", "--json", "--no-config"];
        self.overnight_in(&self.home(), &args).expect_code(0).json()["data"].clone()
    }

    /// The workers that are there, as `worker ls` tells of them.
    #[track_caller]
    pub(crate) fn workers(&self) -> Vec<Value> {
        let listed = self.overnight_in(&self.home(), &["worker", "ls", "--json"]).expect_code(0).json();
        listed["data"].as_array().expect("a list of workers").clone()
    }

    /// Waits until the only worker has this status.
    #[track_caller]
    pub(crate) fn until_status(&self, status: &str) -> Value {
        eventually(status, || self.workers().pop().filter(|worker| worker["status"] == status))
    }

    /// Writes the person's configuration.
    pub(crate) fn configure(&self, text: &str) {
        self.write_in(&self.home(), ".config/overnight/config.toml", text);
    }
}

impl Served {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_as(path, &self.address)
    }

    /// Asks under another name.
    #[track_caller]
    pub(crate) fn get_as(&self, path: &str, host: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Answer { code: code.unwrap_or_else(|| panic!("no status: {text}")), body }
    }

    /// Waits until `/health` answers with this code, and gives what it says.
    #[track_caller]
    pub(crate) fn until_health(&self, code: u16, status: &str) -> Value {
        eventually(&format!("{code} {status}"), || {
            let answer = self.get("/health");
            (answer.code == code && answer.json()["status"] == status).then(|| answer.json())
        })
    }
}
