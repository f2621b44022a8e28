//! PostgreSQL's server programs, from the system's packages.
//!
//! Owns nothing: packages belong to the system, so they are installed only as root, which on a person's own machine nobody
//! is while testing. Must not start a server: tests start their own, and one that merely runs would be in the way.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The testkit's own search, so that this command and the tests see the same.
#[path = "../../../crates/overnight-testkit/src/postgres/find.rs"]
mod find;

/// The folder of the settings that Debian's packages read while they are installed.
const DEBIAN_SETTINGS: &str = "/etc/postgresql-common";

/// Debian's package otherwise makes a database and starts a server on the standard port.
const NO_CLUSTER: &str =
    "# Written by `cargo xtask tools`: tests start their own servers.\ncreate_main_cluster = false\n";

/// What can be done on this machine.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    /// The programs are there, in this folder.
    Nothing(PathBuf),
    /// Install with this program.
    AptGet(PathBuf),
    /// The person has to do something, for this reason.
    Words(String),
}

/// Installs the server where it is missing and can be installed without asking anybody. Whatever goes wrong is said and is
/// no error.
pub(super) fn install_missing() {
    let search = find::Search::of_this_machine();
    match remedy(&search, is_root(), apt_get(&search.path)) {
        Remedy::Nothing(folder) => println!("tools: PostgreSQL is in {}", folder.display()),
        Remedy::Words(reason) => report_missing(&reason),
        Remedy::AptGet(apt_get) => {
            println!("tools: installing PostgreSQL with {}", apt_get.display());
            let installed = install(&apt_get, Path::new(DEBIAN_SETTINGS));
            match installed.and_then(|()| find::programs(&search)) {
                Ok(folder) => println!("tools: PostgreSQL is in {}", folder.display()),
                Err(reason) => report_missing(&reason),
            }
        }
    }
}

/// Where the person named a folder, another installation would not be used.
fn remedy(search: &find::Search, root: bool, apt_get: Option<PathBuf>) -> Remedy {
    match (find::programs(search), apt_get) {
        (Ok(folder), _) => Remedy::Nothing(folder),
        (Err(_), Some(apt_get)) if root && search.asked.is_none() => Remedy::AptGet(apt_get),
        (Err(reason), _) => Remedy::Words(reason),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn apt_get(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join("apt-get")).find(|program| program.is_file())
}

fn report_missing(reason: &str) {
    println!(
        "tools: {reason}. The tests that need PostgreSQL will be skipped. Install your system's server package (Debian, \
         Ubuntu, Arch, Alpine: postgresql; Fedora: postgresql-server and postgresql-contrib; no server has to run), or name \
         a folder of its programs in OVERNIGHT_TEST_POSTGRES."
    );
}

fn install(apt_get: &Path, settings: &Path) -> Result<(), String> {
    let file = settings.join("createcluster.conf");
    write_if_absent(&file).map_err(|error| format!("failed to write {}: {error}", file.display()))?;
    run(apt_get, &["-q", "update"])?;
    run(apt_get, &["-q", "install", "-y", "--no-install-recommends", "postgresql"])
}

/// What an administrator has set stays as it is.
fn write_if_absent(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut file) => file.write_all(NO_CLUSTER.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn run(apt_get: &Path, arguments: &[&str]) -> Result<(), String> {
    let shown = format!("{} {}", apt_get.display(), arguments.join(" "));
    let status = Command::new(apt_get)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("failed to start {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} failed ({status}); see its message above")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder of this test's own, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("overnight-xtask-{test}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn empty_machine(&self) -> find::Search {
            find::Search { asked: None, path: "".into(), packaged: self.0.join("packaged") }
        }

        /// An `apt-get` that notes how it was called, and fails at the word `fail_at`.
        fn apt_get(&self, fail_at: &str) -> PathBuf {
            let (program, calls) = (self.0.join("apt-get"), self.0.join("calls"));
            let script = format!(
                "#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >>'{}'\ncase \"$*\" in *{fail_at}*) exit 100 ;; esac\n",
                calls.display()
            );
            fs::write(&program, script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            program
        }

        fn calls(&self) -> String {
            fs::read_to_string(self.0.join("calls")).unwrap_or_default()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn packages_are_installed_only_by_root_with_apt_get_and_where_no_folder_was_named() {
        let scratch = Scratch::new("remedy");
        let apt_get = || Some(PathBuf::from("/usr/bin/apt-get"));
        let mut search = scratch.empty_machine();
        assert_eq!(remedy(&search, true, apt_get()), Remedy::AptGet(apt_get().unwrap()));
        assert!(matches!(remedy(&search, false, apt_get()), Remedy::Words(_)));
        assert!(matches!(remedy(&search, true, None), Remedy::Words(_)));
        search.asked = Some(PathBuf::from("/nonexistent"));
        let Remedy::Words(reason) = remedy(&search, true, apt_get()) else { panic!("a package was chosen") };
        assert!(reason.starts_with("OVERNIGHT_TEST_POSTGRES=/nonexistent lacks"), "{reason}");
    }

    #[test]
    fn nothing_is_done_where_the_server_is() {
        let scratch = Scratch::new("nothing");
        let search = scratch.empty_machine();
        let folder = search.packaged.join("17/bin");
        fs::create_dir_all(&folder).unwrap();
        for program in ["initdb", "postgres", "psql"] {
            fs::write(folder.join(program), "").unwrap();
        }
        assert_eq!(remedy(&search, true, Some("/usr/bin/apt-get".into())), Remedy::Nothing(folder));
    }

    /// One test for both: a script cannot be started while another test's child, just forked, still has it open for writing.
    #[test]
    fn the_package_is_told_beforehand_to_start_no_server_and_a_failure_names_the_command() {
        let scratch = Scratch::new("install");
        let settings = scratch.0.join("etc/postgresql-common");
        let file = settings.join("createcluster.conf");
        install(&scratch.apt_get("nowhere"), &settings).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), NO_CLUSTER);
        let update = "noninteractive -q update\n";
        let both = format!("{update}noninteractive -q install -y --no-install-recommends postgresql\n");
        assert_eq!(scratch.calls(), both);
        fs::write(&file, "ssl = off\n").unwrap();
        let reason = install(&scratch.apt_get("update"), &settings).unwrap_err();
        assert!(reason.contains("apt-get -q update failed (exit status: 100)"), "{reason}");
        assert_eq!(scratch.calls(), format!("{both}{update}"));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "ssl = off\n",
            "an administrator's settings were changed"
        );
    }
}
