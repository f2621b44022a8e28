//! Which stores a data directory has worked for: a list in it, one line each. Only where there was never another one does
//! a job that the store does not know not exist.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use overnight_store::Database;

use crate::dirs::Dirs;
use crate::trouble::private_dir;

/// Below the data directory.
const FILE: &str = "stores";

/// Writes down that work for this store is done here.
pub(crate) fn note(dirs: &Dirs, database: &Database) -> io::Result<()> {
    let own = name(dirs, database);
    if read(dirs)?.contains(&own) {
        return Ok(());
    }
    private_dir(dirs.root())?;
    let path = dirs.root().join(FILE);
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    // One write: lines of two processes do not mix. The same line twice does no harm.
    file.write_all(format!("{own}\n").as_bytes())?;
    file.sync_all()
}

/// Whether this is the one store that was ever worked for here.
pub(super) fn is_only(dirs: &Dirs, database: &Database) -> io::Result<bool> {
    let known = read(dirs)?;
    let own = name(dirs, database);
    Ok(!known.is_empty() && known.iter().all(|one| *one == own))
}

fn read(dirs: &Dirs) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(dirs.root().join(FILE)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// As it is shown, without a password. A file in the data directory moves with it.
fn name(dirs: &Dirs, database: &Database) -> String {
    match database {
        Database::Sqlite(path) => path.strip_prefix(dirs.root()).unwrap_or(path).display().to_string(),
        Database::Postgres(_) => database.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_store_makes_it_uncertain_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::new(dir.path());
        let own = Database::Sqlite(dirs.database());
        let other = Database::parse("postgres://u:secret@h/d").unwrap();
        assert!(!is_only(&dirs, &own).unwrap());
        note(&dirs, &own).unwrap();
        note(&dirs, &own).unwrap();
        assert_eq!(read(&dirs).unwrap(), ["overnight.db"]);
        assert!(is_only(&dirs, &own).unwrap() && !is_only(&dirs, &other).unwrap());
        note(&dirs, &other).unwrap();
        note(&dirs, &own).unwrap();
        assert!(!is_only(&dirs, &own).unwrap() && !is_only(&dirs, &other).unwrap());
        assert!(!read(&dirs).unwrap().concat().contains("secret"));
    }

    #[test]
    fn a_directory_that_was_moved_still_knows_its_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::create_dir(&one).unwrap();
        note(&Dirs::new(&one), &Database::Sqlite(Dirs::new(&one).database())).unwrap();
        std::fs::rename(&one, &two).unwrap();
        assert!(is_only(&Dirs::new(&two), &Database::Sqlite(Dirs::new(&two).database())).unwrap());
    }
}
