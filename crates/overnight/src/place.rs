//! The identity of a data directory: jobs that go on from what is on a disk go on where that disk is, whatever the machine is
//! called today.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use overnight_core::job::Label;

/// Below the data directory.
const FILE: &str = "place";

/// Reads it, or makes it where there is none.
///
/// # Errors
/// When the file cannot be read or made, or holds something else.
pub fn of(data: &Path) -> io::Result<Label> {
    let path = data.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data, &path),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> io::Result<Label> {
    Label::parse(text.trim()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Written beside and linked into place: whoever comes second reads what the first has written, and never half of it.
fn make(data: &Path, path: &Path) -> io::Result<Label> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let own = uuid::Uuid::now_v7().simple().to_string();
    let beside = data.join(format!("{FILE}.{own}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    writeln!(file, "{own}")?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => parse(&std::fs::read_to_string(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_keeps_its_identity_and_two_differ() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let first = of(&one).unwrap();
        assert_eq!(of(&one).unwrap(), first);
        assert_ne!(of(&two).unwrap(), first);
        assert_eq!(std::fs::read_dir(&one).unwrap().count(), 1);
    }

    #[test]
    fn those_who_make_it_together_agree() {
        let dir = tempfile::tempdir().unwrap();
        let asked: Vec<Label> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| of(dir.path()).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(asked.windows(2).all(|pair| pair[0] == pair[1]), "{asked:?}");
    }

    #[test]
    fn something_else_in_its_place_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "two words").unwrap();
        assert_eq!(of(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
