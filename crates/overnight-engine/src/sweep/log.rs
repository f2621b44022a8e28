//! Logs that are kept as gzip files: `<log>.gz` in the place of `<log>`. Whoever reads them need not know.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use overnight_git::open_regular;

/// Opens a log for reading from its beginning, compressed or not. `None`: there is none.
///
/// # Errors
/// When it is there and cannot be opened.
pub fn open_log(path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
    match File::open(path) {
        Ok(file) => return Ok(Some(Box::new(file))),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    match File::open(beside(path, ".gz")) {
        Ok(file) => Ok(Some(Box::new(GzDecoder::new(file)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of the log that a file of this name holds.
#[must_use]
pub fn log_name(file: &str) -> &str {
    file.strip_suffix(".gz").unwrap_or(file)
}

/// Puts a compressed copy in the place of a log. Broken off at any point, the log is there, and can be compressed again.
pub(super) fn compress(path: &Path) -> io::Result<()> {
    let mut log = match open_regular(path, u64::MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        log => log?,
    };
    let new = beside(path, ".gz.new");
    let written = write_compressed(&mut log, &new).and_then(|()| {
        fs::rename(&new, beside(path, ".gz"))?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    });
    if let Err(error) = written {
        // What is left of it is in nobody's way, and is written anew the next time.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    fs::remove_file(path)
}

fn write_compressed(log: &mut File, new: &Path) -> io::Result<()> {
    match fs::remove_file(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    let mut encoder = GzEncoder::new(file, Compression::default());
    io::copy(log, &mut encoder)?;
    let file = encoder.finish()?;
    file.set_modified(log.metadata()?.modified()?)?;
    file.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(path: &Path) -> Option<String> {
        let mut text = String::new();
        open_log(path).unwrap()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn a_compressed_log_reads_as_before_and_takes_less_room() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("turn-1.out.jsonl");
        let text = "{\"line\":true}\n".repeat(10_000);
        fs::write(&log, &text).unwrap();
        // What an earlier try that was broken off has left.
        fs::write(beside(&log, ".gz.new"), "half").unwrap();
        fs::write(beside(&log, ".gz"), "stale").unwrap();
        assert_eq!(read(&log).as_deref(), Some(text.as_str()));
        compress(&log).unwrap();
        compress(&log).unwrap();
        assert_eq!(read(&log).as_deref(), Some(text.as_str()));
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["turn-1.out.jsonl.gz"]);
        assert!(fs::metadata(beside(&log, ".gz")).unwrap().len() < 1_000);
        assert_eq!(read(&dir.path().join("none")), None);
    }

    #[test]
    fn a_link_in_the_place_of_a_log_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "keep").unwrap();
        symlink(&outside, dir.path().join("check.log")).unwrap();
        let error = compress(&dir.path().join("check.log")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "keep");
    }
}
