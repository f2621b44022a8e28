//! The search on machines made of empty files. Apart from it, because `cargo xtask tools` compiles the search too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::find::{Search, programs};

fn machine() -> (tempfile::TempDir, Search) {
    let root = tempfile::tempdir().unwrap();
    let search = Search { asked: None, path: OsString::new(), packaged: root.path().join("packaged") };
    (root, search)
}

fn install(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    for program in ["initdb", "postgres", "psql"] {
        std::fs::write(folder.join(program), "").unwrap();
    }
    folder.to_path_buf()
}

#[test]
fn the_newest_packaged_version_is_taken_and_half_a_package_is_not() {
    let (_root, search) = machine();
    install(&search.packaged.join("9.6/bin"));
    let newest = install(&search.packaged.join("15/bin"));
    install(&search.packaged.join("common/bin"));
    std::fs::create_dir_all(search.packaged.join("17/bin")).unwrap();
    assert_eq!(programs(&search), Ok(newest));
}

#[test]
fn path_comes_before_packages_and_a_link_is_followed_to_the_whole_folder() {
    let (root, mut search) = machine();
    install(&search.packaged.join("15/bin"));
    let whole = install(&root.path().canonicalize().unwrap().join("opt/bin"));
    let links = root.path().join("links");
    std::fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink(whole.join("initdb"), links.join("initdb")).unwrap();
    search.path = std::env::join_paths([Path::new("/nonexistent"), &links]).unwrap();
    assert_eq!(programs(&search), Ok(whole));
}

#[test]
fn a_folder_that_was_asked_for_is_taken_or_refused_but_not_replaced() {
    let (root, mut search) = machine();
    install(&search.packaged.join("15/bin"));
    let asked = install(&root.path().join("asked"));
    search.asked = Some(asked.clone());
    assert_eq!(programs(&search), Ok(asked.clone()));
    std::fs::remove_file(asked.join("psql")).unwrap();
    let reason = programs(&search).unwrap_err();
    assert_eq!(
        reason,
        format!("OVERNIGHT_TEST_POSTGRES={} lacks one of initdb, postgres, psql", asked.display())
    );
}

#[test]
fn a_machine_without_postgresql_is_told_in_one_line_where_was_looked() {
    let (_root, search) = machine();
    let reason = programs(&search).unwrap_err();
    assert!(reason.starts_with("no PostgreSQL server (initdb, postgres, psql) in PATH, "), "{reason}");
    assert!(!reason.contains('\n'), "{reason}");
}
