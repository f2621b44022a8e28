//! Help topics: facts that belong to no single command. Each is made from the code's own tables, so it cannot go stale.

use std::fmt::Write;

use overnight_core::job::{EndReason, ExitCode, JobKind, PRIORITY_STEP, ParkReason, Priority};
use overnight_core::policy::preflight::{Level, Rule};
use overnight_store::GROUP_LIMIT;

use crate::batch;
use crate::cli::values::show_span;
use crate::config::settings::{HOST_SETTINGS, LAYER_SETTINGS, SETTINGS};

/// The topics' names, as `overnight help` takes them.
pub const TOPICS: [&str; 6] = ["queue", "gate", "exit-codes", "reasons", "environment", "config"];

/// The text of a topic; `None` when there is no such topic.
#[must_use]
pub fn text(topic: &str) -> Option<String> {
    match topic {
        "queue" => Some(queue()),
        "gate" => Some(gate()),
        "exit-codes" => Some(exit_codes()),
        "reasons" => Some(reasons()),
        "environment" => Some(environment()),
        "config" => Some(config()),
        _ => None,
    }
}

// Writing to a String cannot fail.

fn queue() -> String {
    let step = show_span(PRIORITY_STEP);
    let (low, high) = (Priority::LOWEST, Priority::HIGHEST);
    let range = u32::try_from(high - low).unwrap_or(u32::MAX);
    let bound = show_span(PRIORITY_STEP * range);
    let broken = |text: String, at: &str| text.replacen(&format!(" {at}"), &format!("\n\x20 {at}"), 1);
    let fields = ["labels", "backup_agent", "max_cost"].into_iter().fold(batch::FIELDS.to_owned(), broken);
    format!(
        "How jobs wait, and whose turn it is.\n\n\
         `overnight add` puts a job into the queue, `overnight work` takes jobs from it, `overnight ls` shows where each stands:\n\n\
         \x20 ready              a worker can take it\n\
         \x20 not before …       its time has not come\n\
         \x20 after app-1, …     other jobs have to end first\n\
         \x20 held by …          a worker has it\n\
         \x20 lost by …          its worker was not heard of for a whole lease: another takes it back\n\
         \x20 to be cancelled    whoever takes it ends it\n\
         \x20 clears by itself   it waits for something that ends without you (overnight help reasons)\n\
         \x20 needs you          it waits for a login, an answer, room on the disk, …\n\n\
         Priority: {low} to {high}, higher goes first, 0 is usual. A step of priority is worth {step} of waiting, so waiting makes up\n\
         for it: the lowest is passed by jobs of the highest for at most {bound}, and then goes first.\n\n\
         Repositories take turns: the one that was served longest ago comes first, whatever the length of its queue. A step of\n\
         priority counts as much between repositories as within one.\n\n\
         Limits: `overnight limit set KEY NUMBER` lets at most so many jobs run at a time, over all workers. KEY is\n\
         repository:NAME, label:NAME or group:REPOSITORY/NAME, of a repository that is known (else with `--ahead`).\n\
         Without a limit as many run as workers have slots, except in groups:\n\n\
         Groups: jobs of one repository and `--group` run one at a time (limit: {GROUP_LIMIT}).\n\n\
         Lines: jobs of one repository and `--line` share a branch and a pull request, and run one at a time: the tasks of a story.\n\
         `--batch FILE --sprint NAME` makes the batch a sprint: in its order, in one conversation, until one fails.\n\n\
         Dependencies: `--after JOB` waits until that job is published; if it ends in another way, the waiting one ends as\n\
         dependency_failed. `--after-any JOB` waits for an end of any kind. Jobs that wait for the waiting one follow it.\n\n\
         Keys: `--key NAME` is your own name for an order. Added twice it is one job; with another order, or after other\n\
         jobs, it is an error.\n\n\
         Workers: `--requires LABEL` keeps a job for workers that offer the label. A job whose code comes from, or goes to, a\n\
         directory of this machine is done on this machine, by a worker with the same data directory.\n\n\
         A job that waits holds no process, no slot and no lease. `overnight resume JOB` wakes one before its time.\n\n\
         Batches: `overnight add --batch FILE` takes JSON lines, one job on each, all or none. A line may hold:\n\
         \x20 {fields}.\n\
         Lists add to those of the command line, everything else replaces them. In `after` and `after_any`, \"#3\" is the job on line 3:\n\n\
         \x20 {{\"prompt\": \"Split the parser\", \"group\": \"parser\", \"key\": \"parser-1\"}}\n\
         \x20 {{\"prompt\": \"Document the parser\", \"group\": \"parser\", \"after\": [\"#1\"], \"priority\": 5}}\n"
    )
}

fn gate() -> String {
    let mut text = String::from(
        "What is looked at before a change goes out. A commit of an agent is read from the mirror, before any check is run:\n\n\
         \x20 block    the agent is told, and has to mend it: an attempt\n\
         \x20 approve  the checks are run; then the job waits for overnight approve JOB, or overnight reject JOB -m WHY\n\
         \x20 warn     it is told, in overnight show and in the pull request\n\
         \x20 off      it is not looked for\n\n\
         Rules, and what usually follows:\n\n",
    );
    for rule in Rule::ALL {
        let level = match rule.usually() {
            Level::Off => "off",
            Level::Warn => "warn",
            Level::Approve => "approve",
            Level::Block => "block",
        };
        let _ = writeln!(text, "  {:<18} {level}", rule.code());
    }
    text.push_str(
        "\nAnother consequence: preflight.off, .warn, .approve, .block in the configuration (overnight help config). A repository's\n\
         own overnight.toml may only be stricter, and only that of the base commit counts. For some files and a while:\n\
         overnight exception add --repository NAME --rule RULE --path PATTERN --until 7d -m WHY\n\n\
         An approval is of one commit: another commit needs another one.\n",
    );
    text
}

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
    text.push_str(
        "\nWhy a job waits. It loses nothing, and goes on where it was: when the reason has gone away, or with `overnight resume`\n\
         (not from dependency: those jobs have to end first).\n\n",
    );
    for reason in ParkReason::ALL {
        let how = if reason.clears_by_itself() { "clears by itself" } else { "needs you" };
        let again = reason.tried_again_after().map(|span| format!(", tried again after {}", show_span(span)));
        let again = again.unwrap_or_default();
        let _ = writeln!(text, "  {:<22} {:>3}  {how}{again}", reason.code(), reason.exit_code().number());
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
    text.push_str(
        "\n\
         For jobs of one kind or one agent only, OVERNIGHT_KIND_<KIND>_… and OVERNIGHT_AGENT_<AGENT>_… set what stands below\n\
         [kind.<kind>] and [agent.<agent>] in a file, as in OVERNIGHT_KIND_PLAN_LIMITS_TURNS.\n\n\
         Lists are separated by commas.\n",
    );
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
    let kinds = JobKind::ALL.map(JobKind::as_str).join(", ");
    let _ = write!(
        text,
        "\nFor some jobs only, below [repository.\"NAME\"], [kind.KIND] and [agent.AGENT]; strongest first, after what was asked\n\
         for with the job itself and before what is said for everything. Kinds: {kinds}.\n\
         `overnight config show --kind KIND` says what a job would get, and from where.\n\n"
    );
    for setting in LAYER_SETTINGS {
        let _ = writeln!(text, "  {:<24} {} [{}]", setting.key, setting.about, setting.kind);
    }
    text.push_str("\nFor each host of a forge, below [forge.hosts.\"git.example.org\"]:\n\n");
    for setting in HOST_SETTINGS {
        let _ = writeln!(text, "  {:<24} {} [{}]", setting.key, setting.about, setting.kind);
    }
    text.push_str(
        "\nAn agent that is not built in, below [agent.adapters.NAME] (docs/backends.md, docs/configuration.md):\n\n\
         \x20 argv = [\"program\", \"--model\", \"{model}\"]   output = \"jsonl\"   protocol = \"acp\"   …\n",
    );
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
