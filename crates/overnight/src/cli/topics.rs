//! Help topics: facts that belong to no single command. Each is made from the code's own tables, so it cannot go stale.

use std::fmt::Write;

use overnight_core::job::{EndReason, ExitCode, ParkReason};

use crate::config::settings::{HOST_SETTINGS, SETTINGS};

/// The topics' names, as `overnight help` takes them.
pub const TOPICS: [&str; 4] = ["exit-codes", "reasons", "environment", "config"];

/// The text of a topic; `None` when there is no such topic.
#[must_use]
pub fn text(topic: &str) -> Option<String> {
    match topic {
        "exit-codes" => Some(exit_codes()),
        "reasons" => Some(reasons()),
        "environment" => Some(environment()),
        "config" => Some(config()),
        _ => None,
    }
}

// Writing to a String cannot fail.

fn exit_codes() -> String {
    let mut text = String::from("Exit codes of every command:\n\n");
    for code in ExitCode::ALL {
        let _ = writeln!(text, "  {:>3}  {}", code.number(), code.meaning());
    }
    text.push_str("\nWhich reason gives which code: overnight help reasons\n");
    text
}

fn reasons() -> String {
    let mut text = String::from("Why a job ended (in JSON: `reason`), and the exit code that follows:\n\n");
    for reason in EndReason::ALL {
        let _ = writeln!(text, "  {:<22} {:>3}", reason.code(), reason.exit_code().number());
    }
    text.push_str("\nWhy a job waits (it loses nothing; `overnight resume` goes on):\n\n");
    for reason in ParkReason::ALL {
        let how = if reason.clears_by_itself() { "clears by itself" } else { "needs you" };
        let _ = writeln!(text, "  {:<22} {:>3}  {how}", reason.code(), reason.exit_code().number());
    }
    text
}

fn environment() -> String {
    let mut text = String::from(
        "Environment variables. A flag is stronger, a configuration file is weaker.\n\n\
         \x20 OVERNIGHT_DATA_DIR     where jobs, logs and mirrors are kept\n\
         \x20 OVERNIGHT_CONFIG       configuration file to read instead of the usual ones\n\
         \x20 OVERNIGHT_LOG          what to log on standard error, as in overnight=debug\n\
         \x20 NO_COLOR               no colour when set and not empty\n\
         \x20 CLICOLOR_FORCE, FORCE_COLOR  colour even without a terminal\n\
         \x20 GITHUB_TOKEN, GH_TOKEN, GITEA_TOKEN, FORGEJO_TOKEN  tokens, unless configured otherwise\n\n\
         Settings:\n\n",
    );
    for setting in SETTINGS {
        let _ = writeln!(text, "  {:<34} {}", setting.env(), setting.key);
    }
    text.push_str("\nLists are separated by commas.\n");
    text
}

fn config() -> String {
    let mut text = String::from(
        "Settings, strongest first: flags, environment, your file, the system's file, built-in.\n\
         `overnight config path` names the files, `overnight config show --origin` says what holds.\n\n",
    );
    for setting in SETTINGS {
        let _ = writeln!(
            text,
            "  {:<24} {} [{}; default: {}]",
            setting.key, setting.about, setting.kind, setting.default
        );
    }
    text.push_str("\nFor each host of a forge, below [forge.hosts.\"git.example.org\"]:\n\n");
    for setting in HOST_SETTINGS {
        let _ = writeln!(text, "  {:<24} {} [{}]", setting.key, setting.about, setting.kind);
    }
    text.push_str("\nA repository's own overnight.toml may only say which checks it has:\n\n");
    text.push_str("  [verify]\n  checks = [\"cargo test\"]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_text() {
        for topic in TOPICS {
            insta::assert_snapshot!(format!("topic_{topic}"), text(topic).unwrap());
        }
        assert_eq!(text("nothing"), None);
    }

    #[test]
    fn the_exit_codes_are_those_of_the_contract() {
        let codes = exit_codes();
        for code in ExitCode::ALL {
            assert!(codes.contains(&format!("{:>3}  {}", code.number(), code.meaning())), "{code:?}");
        }
    }
}
