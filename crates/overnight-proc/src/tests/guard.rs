//! What a contained program cannot see or change.

use super::*;

fn namespaces(test: &str) -> Vec<Option<NamespaceMode>> {
    modes(test).into_iter().filter(Option::is_some).collect()
}

fn tree(bench: &Bench) {
    for dir in ["home/keys", "home/work/.git"] {
        std::fs::create_dir_all(bench.path(dir)).unwrap();
    }
    for file in ["home/keys/token", "home/netrc", "home/plain", "home/work/file", "home/work/.git/config"] {
        std::fs::write(bench.path(file), "secret\n").unwrap();
    }
}

#[tokio::test]
async fn the_file_guard_holds_and_leaves_the_outside_as_it_was() {
    for mode in namespaces("file guard") {
        let bench = Bench::new();
        tree(&bench);
        let path = |name: &str| bench.path(name);
        let mut spec = bench.sh(
            "cd home; for f in plain keys/new work/file work/.git/config; do echo x 2>/dev/null >>$f && echo wrote $f; done; \
             echo x >>plain; cat work/.git/config; ls -A keys; cat netrc; mv work/.git work/git2; touch /proc/self/comm",
        );
        spec.isolation = contained(FileGuard {
            read_only: vec![path("home"), path("home/work/.git"), path("missing")],
            writable: vec![path("home/work")],
            hidden: vec![path("home/keys"), path("home/netrc"), path("missing/too")],
        });
        let ran = bench.run(mode, &spec).await;
        assert_eq!(ran.stdout(), "wrote work/file\nsecret\n", "{ran:?}");
        let errors = std::fs::read_to_string(path("stderr.log")).unwrap();
        assert!(errors.contains("Read-only file system"), "{errors}");
        assert_eq!(std::fs::read_to_string(path("home/work/file")).unwrap(), "secret\nx\n");
        assert_eq!(std::fs::read_to_string(path("home/plain")).unwrap(), "secret\n");
        assert_eq!(std::fs::read_to_string(path("home/keys/token")).unwrap(), "secret\n");
        assert!(path("home/work/.git").exists() && !path("home/keys/new").exists());
    }
}

#[tokio::test]
async fn the_whole_machine_can_be_read_only_but_for_one_directory() {
    for mode in namespaces("read-only root") {
        let bench = Bench::new();
        tree(&bench);
        let mut spec = bench.sh("echo x >home/work/file && echo in; (echo x >home/plain) 2>/dev/null || echo out; echo x >/dev/null && echo null");
        spec.isolation = contained(FileGuard {
            read_only: vec![PathBuf::from("/")],
            writable: vec![bench.path("home/work")],
            hidden: Vec::new(),
        });
        let ran = bench.run(mode, &spec).await;
        assert_eq!(ran.stdout(), "in\nout\nnull\n", "{ran:?}");
    }
}

#[tokio::test]
async fn a_writable_path_is_never_reached_through_a_link() {
    for mode in namespaces("links") {
        let bench = Bench::new();
        tree(&bench);
        std::os::unix::fs::symlink(bench.path("home/keys"), bench.path("home/work/out")).unwrap();
        let mut spec = bench.sh("true");
        spec.isolation =
            contained(FileGuard { writable: vec![bench.path("home/work/out")], ..FileGuard::default() });
        assert!(matches!(bench.spawn(mode, &spec).unwrap_err(), SpawnError::Guard { .. }));
    }
}

#[tokio::test]
async fn a_link_to_a_secret_does_not_get_around_hiding() {
    for mode in namespaces("hidden through links") {
        let bench = Bench::new();
        tree(&bench);
        std::os::unix::fs::symlink(bench.path("home/keys"), bench.path("home/work/peek")).unwrap();
        let mut spec = bench.sh("cat home/work/peek/token; ls -A home/keys");
        spec.isolation =
            contained(FileGuard { hidden: vec![bench.path("home/work/peek")], ..FileGuard::default() });
        assert_eq!(bench.run(mode, &spec).await.stdout(), "");
    }
}

#[tokio::test]
async fn only_its_own_processes_are_visible_and_none_of_them_can_be_read() {
    for mode in namespaces("processes") {
        let bench = Bench::new();
        let script = "for p in /proc/[0-9]*; do echo $p; done; for f in environ mem maps; do cat /proc/1/$f >/dev/null 2>&1 && echo read $f; done; \
                      ls -l /proc/1/fd 2>/dev/null | grep -c pipe; ls /proc/1/root/ >/dev/null 2>&1 && echo root; echo $$ $PPID";
        let ran = bench.run(mode, &bench.sh(script)).await;
        assert_eq!(ran.stdout(), "/proc/1\n/proc/2\n0\n2 1\n", "{mode:?} {ran:?}");
    }
}

#[tokio::test]
async fn the_supervisor_is_a_copy_of_the_runner_and_cannot_be_read() {
    for mode in modes("supervisor") {
        let bench = Bench::new();
        let script = "for f in environ mem maps; do cat /proc/$PPID/$f >/dev/null 2>&1 && echo read $f; done; \
                      readlink /proc/$PPID/fd/0; ls /proc/$PPID/cwd/ 2>/dev/null; echo tried";
        assert_eq!(bench.run(mode, &bench.sh(script)).await.stdout(), "tried\n", "{mode:?}");
    }
}

#[tokio::test]
async fn a_vendor_can_build_its_own_sandbox_inside() {
    for mode in namespaces("nested sandbox") {
        let bench = Bench::new();
        let script =
            "unshare --user --map-root-user --pid --mount --net --fork --mount-proc sh -c 'echo nested $$'";
        let ran = bench.run(mode, &bench.sh(script)).await;
        assert_eq!(ran.stdout(), "nested 1\n", "{mode:?} {ran:?}");
    }
}

#[tokio::test]
async fn the_containment_cannot_be_undone_from_inside() {
    for mode in namespaces("undoing") {
        let bench = Bench::new();
        tree(&bench);
        let mut spec = bench.sh(
            "umount home/keys; mount -o remount,rw home; mount -t tmpfs none home; kill -9 1; kill -STOP 1; \
             unshare -rm sh -c 'umount home/keys; mount -o remount,bind,rw home; echo x >>home/plain'; \
             ls -A home/keys; (echo x >>home/plain) && echo wrote; grep -E 'CapEff|NoNewPrivs' /proc/self/status; echo alive",
        );
        spec.isolation = contained(FileGuard {
            read_only: vec![bench.path("home")],
            hidden: vec![bench.path("home/keys")],
            ..FileGuard::default()
        });
        let ran = bench.run(mode, &spec).await;
        assert!(ran.report.success(), "{ran:?}");
        let text = ran.stdout();
        assert!(text.ends_with("alive\n") && !text.contains("wrote") && !text.contains("token"), "{text}");
        assert!(text.contains("NoNewPrivs:\t1"), "{text}");
        let caps = text.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
        let caps = u64::from_str_radix(caps, 16).unwrap();
        // SYS_ADMIN 21, SYS_PTRACE 19, SYS_MODULE 16, MKNOD 27, DAC_READ_SEARCH 2.
        assert_eq!(caps & (1 << 21 | 1 << 19 | 1 << 16 | 1 << 27 | 1 << 2), 0, "{caps:x}");
        assert_eq!(std::fs::read_to_string(bench.path("home/plain")).unwrap(), "secret\n");
    }
}
