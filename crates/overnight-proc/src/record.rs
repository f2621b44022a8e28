//! Reads what a tree leaves behind for a runner that was not there: the exit record and the tail of stdout. Writes
//! nothing: both are written after fork.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use overnight_core::command::Exit;

/// How the program ended, if it ended by itself. `None`: it did not, or nobody knows.
///
/// # Errors
/// When the file cannot be read, or holds something that no supervisor writes (`InvalidData`).
pub fn read_exit_record(path: &Path) -> io::Result<Option<Exit>> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    // Without its line end the record was cut short by a crash of the machine.
    let Some(line) = text.strip_suffix('\n') else { return Ok(None) };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("not an exit record: {line:?}"));
    let (word, value) = line.split_once(' ').ok_or_else(invalid)?;
    let value: i32 = value.parse().map_err(|_| invalid())?;
    match word {
        "code" => Ok(Some(Exit::Code(value))),
        "signal" => Ok(Some(Exit::Signal(value))),
        _ => Err(invalid()),
    }
}

/// Where the keeper saves the end of stdout when the runner dies.
#[must_use]
pub fn tail_path(stdout_log: &Path) -> PathBuf {
    let mut path = stdout_log.as_os_str().to_owned();
    path.push(".tail");
    PathBuf::from(path)
}

/// What the program had written and a dead runner had not read: raw, **not redacted**, at most what a pipe holds. It
/// continues where the runner stopped reading, which may be inside a line; the part of that line which the runner held in
/// memory is lost. Empty when there is none.
///
/// # Errors
/// When the file is there but cannot be read.
pub fn read_tail(stdout_log: &Path) -> io::Result<Vec<u8>> {
    Ok(read_if_there(&tail_path(stdout_log))?.unwrap_or_default())
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_or_absent_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit");
        assert_eq!(read_exit_record(&path).unwrap(), None);
        for (text, expected) in [
            ("", None),
            ("code 1", None),
            ("code 0\n", Some(Exit::Code(0))),
            ("code 255\n", Some(Exit::Code(255))),
            ("signal 9\n", Some(Exit::Signal(9))),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_exit_record(&path).unwrap(), expected, "{text:?}");
        }
        for text in ["code\n", "code x\n", "exit 1\n", "\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_exit_record(&path).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
    }
}
