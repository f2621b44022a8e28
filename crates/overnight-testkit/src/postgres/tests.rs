//! Real servers: what a crash leaves, what a pause does, and that nothing stays behind, whatever ends the owner.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;

/// Set for the process that [`a_killed_owner_leaves_no_server_and_no_folder`] starts and kills.
const OWNER: &str = "OVERNIGHT_TESTKIT_TEST_OWNER";

fn started(test: &str, durability: Durability) -> Option<Postgres> {
    Postgres::start(durability).map_err(|reason| println!("skipped: {test}: {reason}")).ok()
}

fn server_pid(postgres: &Postgres) -> u32 {
    postgres.server().as_ref().unwrap().id()
}

fn folder(postgres: &Postgres) -> PathBuf {
    PathBuf::from(postgres.cluster.socket_folder().as_ref())
}

/// As a client: by the URL and with its rights.
fn ask(postgres: &Postgres, url: &str, sql: &str) -> String {
    let mut psql = home::clean_command(postgres.bin("psql"));
    let output = psql.args(["-X", "-A", "-t", "-q", "-c", sql, url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn databases_are_separate_and_their_owner_is_no_superuser() {
    let test = "databases_are_separate_and_their_owner_is_no_superuser";
    let postgres = match Postgres::shared() {
        Ok(postgres) => postgres,
        Err(reason) => return println!("skipped: {test}: {reason}"),
    };
    let (socket, tcp) = (postgres.database(), postgres.database_tcp());
    assert_ne!(database_name(&socket), database_name(&tcp));
    for url in [&socket, &tcp] {
        ask(postgres, url, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
        assert_eq!(postgres.psql(url, "SELECT n, current_user FROM t"), "1|postgres");
        let who = "SELECT current_user, current_setting('is_superuser')";
        assert_eq!(ask(postgres, url, who), "overnight|off");
        assert_eq!(ask(postgres, url, "SHOW max_connections"), "200");
    }
    assert_eq!(ask(postgres, &socket, "SELECT inet_server_addr() IS NULL"), "t");
    assert_eq!(ask(postgres, &tcp, "SELECT inet_server_addr()"), "127.0.0.1");
    let as_superuser = tcp.replace("overnight@", "postgres@");
    let mut psql = home::clean_command(postgres.bin("psql"));
    let refused = psql.args(["-X", "-c", "SELECT 1", &as_superuser]).output().unwrap();
    assert!(!refused.status.success(), "the superuser can be reached over TCP");
}

#[test]
fn the_durability_is_the_one_that_was_asked_for() {
    for (durability, expected) in [(Durability::Full, "on|on|on"), (Durability::Off, "off|off|on")] {
        let Some(postgres) = started("the_durability_is_the_one_that_was_asked_for", durability) else {
            return;
        };
        let url = postgres.database();
        let settings = ["fsync", "full_page_writes", "synchronous_commit"]
            .map(|name| postgres.psql(&url, &format!("SHOW {name}")));
        assert_eq!(settings.join("|"), expected);
    }
}

#[test]
fn what_was_committed_is_there_after_each_crash() {
    let Some(postgres) = started("what_was_committed_is_there_after_each_crash", Durability::Off) else {
        return;
    };
    let url = postgres.database();
    ask(&postgres, &url, "CREATE TABLE t (n int)");
    for n in 1..=3 {
        // A client in the middle of something, whose server process outlives a postmaster that is killed alone.
        let mut client = home::clean_command(postgres.bin("psql"))
            .args(["-X", "-c", "INSERT INTO t VALUES (0); SELECT pg_sleep(600)", &url])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        tree::wait("the client to be asleep", || postgres.psql(&url, asleep) == "1");
        postgres.psql(&url, &format!("INSERT INTO t VALUES ({n})"));
        let processes = tree::stop(server_pid(&postgres));
        assert!(processes.len() > 1, "{processes:?}");
        postgres.kill();
        assert!(processes.iter().all(|&pid| tree::is_dead(pid)), "a process outlived the crash");
        assert!(!client.wait().unwrap().success());
        postgres.kill();
        postgres.restart();
        assert_eq!(postgres.psql(&url, "SELECT max(n), count(*) FROM t"), format!("{n}|{n}"));
    }
}

#[test]
fn a_paused_server_answers_nothing_until_it_is_resumed() {
    let test = "a_paused_server_answers_nothing_until_it_is_resumed";
    let Some(postgres) = started(test, Durability::Off) else { return };
    let url = postgres.database();
    let mut connected = home::clean_command(postgres.bin("psql"))
        .args(["-X", "-A", "-t", "-q", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = BufReader::new(connected.stdout.take().unwrap()).lines();
    let mut questions = connected.stdin.take().unwrap();
    questions.write_all(b"SELECT 'before';\n").unwrap();
    assert_eq!(answers.next().unwrap().unwrap(), "before");
    postgres.pause();
    questions.write_all(b"SELECT 'after';\n").unwrap();
    let mut ready = home::clean_command(postgres.bin("pg_isready"));
    ready.args(["--timeout=1", "--dbname", &url]).stdout(Stdio::null());
    assert_eq!(ready.status().unwrap().code(), Some(2), "a paused server answered");
    postgres.resume();
    assert_eq!(answers.next().unwrap().unwrap(), "after");
    drop(questions);
    assert!(connected.wait().unwrap().success());
    postgres.pause();
    postgres.restart();
    assert_eq!(postgres.psql(&url, "SELECT 1"), "1");
}

#[test]
fn two_servers_do_not_know_each_other_and_each_goes_with_its_owner() {
    let test = "two_servers_do_not_know_each_other_and_each_goes_with_its_owner";
    let Some(first) = started(test, Durability::Off) else { return };
    let Some(second) = started(test, Durability::Off) else { return };
    let (url, other_url) = (first.database(), second.database());
    first.psql(&url, "CREATE TABLE only_here ()");
    assert_eq!(second.psql(&other_url, "SELECT to_regclass('only_here') IS NULL"), "t");
    let (gone, pid) = (folder(&first), server_pid(&first));
    drop(first);
    assert!(!gone.exists() && tree::is_dead(pid), "a dropped server is still there");
    assert_eq!(second.psql(&other_url, "SELECT 1"), "1");
}

#[test]
fn a_taken_port_is_waited_for() {
    let Some(postgres) = started("a_taken_port_is_waited_for", Durability::Off) else { return };
    let url = postgres.database();
    postgres.kill();
    let thief = TcpListener::bind(("127.0.0.1", postgres.cluster.port())).unwrap();
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| postgres.restart());
        let log = folder(&postgres).join("log");
        let refused = || std::fs::read_to_string(&log).unwrap().contains("Address already in use");
        tree::wait("the server to find its port taken", refused);
        assert!(!restart.is_finished());
        drop(thief);
    });
    assert_eq!(postgres.psql(&url, "SELECT 1"), "1");
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let Some(postgres) = started("a_server_that_cannot_start_says_why_in_one_line", Durability::Off) else {
        return;
    };
    postgres.kill();
    std::fs::write(folder(&postgres).join("data/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let reason = postgres.cluster.start_again().unwrap_err();
    assert!(reason.contains("no_such_setting") && !reason.contains('\n'), "{reason}");
}

/// Another process of this binary that owns a server and waits to be killed.
#[test]
#[ignore = "another test starts it as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "its part comes from the test that started it")]
fn owner() {
    if std::env::var_os(OWNER).is_none() {
        return println!("skipped: owner: no test started it");
    }
    let Some(postgres) = started("owner", Durability::Off) else { return };
    println!("@{} {}", folder(&postgres).display(), server_pid(&postgres));
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    postgres.pause();
    println!("@paused");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the test starts itself again")]
fn owner_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["postgres::tests::owner", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(OWNER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Starts an owner and kills it, when it was paused or while it runs. `None` where there is no server.
fn kill_an_owner(paused: bool) -> Option<(PathBuf, u32, Vec<u32>)> {
    let mut owner = owner_command().spawn().unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut facts = lines.filter_map(|line| line.split_once('@').map(|(_, fact)| fact.to_owned()));
    let Some(fact) = facts.next() else {
        assert!(owner.wait().unwrap().success());
        return None;
    };
    let (folder, pid) = fact.split_once(' ').unwrap();
    let (folder, pid) = (PathBuf::from(folder), pid.parse().unwrap());
    assert!(folder.join("data/PG_VERSION").exists() && !tree::is_dead(pid));
    let mut input = owner.stdin.take().unwrap();
    if paused {
        input.write_all(b"pause\n").unwrap();
        assert_eq!(facts.next().as_deref(), Some("paused"));
    }
    let children = tree::children(pid);
    assert!(!children.is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    Some((folder, pid, children))
}

#[test]
fn a_killed_owner_leaves_no_server_and_no_folder() {
    for paused in [false, true] {
        let Some((folder, pid, children)) = kill_an_owner(paused) else {
            return println!(
                "skipped: a_killed_owner_leaves_no_server_and_no_folder: its owner found no server"
            );
        };
        tree::wait("the folder to be removed", || !folder.exists());
        assert!(tree::is_dead(pid), "the server outlived its owner");
        assert!(children.iter().all(|&pid| tree::is_dead(pid)), "a child of the server outlived its owner");
    }
}

#[test]
fn the_name_of_a_database_is_read_from_both_kinds_of_url() {
    assert_eq!(database_name("postgres://a@localhost:1/test_1?host=%2Ftmp%2Fx"), "test_1");
    assert_eq!(database_name("postgres://a@127.0.0.1:1/test_2"), "test_2");
    assert_eq!(percent_encoded("/tmp/a b&%"), "%2Ftmp%2Fa%20b%26%25");
}
