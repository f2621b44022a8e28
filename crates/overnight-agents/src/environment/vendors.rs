//! Which variables reach a vendor's CLI beyond what every command gets: one table per vendor.
//!
//! A key passes only where the job is billed by key, and only the keys of that vendor. An address in which a password stands
//! loses it where the vendor's own login pays.

use std::ffi::OsStr;
use std::path::Path;

use overnight_core::agent::{Adapter, BackendId, Billing};

use crate::catalogue::usual_programs;

use super::{Environment, base_environment, copy, without_userinfo};

/// What one vendor's CLI may and shall see.
struct Vendor {
    /// Settings that carry no key.
    settings: &'static [&'static str],
    /// What it is told: not to report, not to update itself, not to start itself again, to talk to nobody but its model.
    told: &'static [(&'static str, &'static str)],
    /// Tokens of the vendor's own login.
    logins: &'static [&'static str],
    /// Keys for which the vendor is paid by use.
    keys: &'static [&'static str],
    /// Where the vendor's model is.
    addresses: &'static [&'static str],
}

/// `IS_SANDBOX`, which would switch off the CLI's refusal to run unguarded as root, is not in it.
const CLAUDE: Vendor = Vendor {
    settings: &["API_TIMEOUT_MS", "CLAUDE_CODE_MAX_RETRIES", "CLAUDE_CONFIG_DIR"],
    told: &[
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("DISABLE_TELEMETRY", "1"),
    ],
    logins: &["CLAUDE_CODE_OAUTH_TOKEN"],
    keys: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"],
    addresses: &["ANTHROPIC_BASE_URL"],
};

/// It reads no address from the environment: other servers are providers in its configuration, whose keys stand in variables
/// that the configuration names. Those of OpenAI and of Azure pass.
const CODEX: Vendor = Vendor {
    settings: &["CODEX_CA_CERTIFICATE", "CODEX_HOME", "CODEX_SQLITE_HOME"],
    told: &[],
    logins: &["CODEX_ACCESS_TOKEN"],
    keys: &["AZURE_OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_API_KEY"],
    addresses: &[],
};

const GEMINI: Vendor = Vendor {
    settings: &[
        "GEMINI_CLI_HOME",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_GENAI_USE_GCA",
        "GOOGLE_GENAI_USE_VERTEXAI",
    ],
    told: &[
        // Otherwise a parent process stays that ignores being asked to end.
        ("GEMINI_CLI_NO_RELAUNCH", "true"),
        // A folder that nobody has trusted by hand is refused.
        ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
        ("GEMINI_TELEMETRY_ENABLED", "false"),
        // Set, though to nothing: a variable that is not set can be set by an `.env` file of the repository, which would send
        // the key to another server.
        ("GOOGLE_GEMINI_BASE_URL", ""),
        ("GOOGLE_VERTEX_BASE_URL", ""),
    ],
    logins: &[],
    keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    addresses: &["GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"],
};

const QWEN: Vendor = Vendor {
    settings: &["OPENAI_MODEL", "QWEN_DEFAULT_AUTH_TYPE", "QWEN_HOME", "QWEN_MODEL"],
    told: &[
        ("QWEN_CODE_DISABLE_CRON", "1"),
        ("QWEN_CODE_NO_RELAUNCH", "true"),
        ("QWEN_CODE_SUPPRESS_YOLO_WARNING", "1"),
        ("QWEN_TELEMETRY_ENABLED", "false"),
    ],
    logins: &[],
    keys: &["DASHSCOPE_API_KEY", "OPENAI_API_KEY"],
    addresses: &["OPENAI_BASE_URL"],
};

/// A CLI for many vendors: with key billing it may see the usual keys of each.
const OPENCODE: Vendor = Vendor {
    settings: &["OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR", "OPENCODE_MODELS_PATH"],
    told: &[
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
        // The repository's own settings could start servers and point the CLI at another one.
        ("OPENCODE_DISABLE_PROJECT_CONFIG", "1"),
        ("OPENCODE_DISABLE_SHARE", "1"),
    ],
    logins: &[],
    keys: &[
        "ANTHROPIC_API_KEY",
        "AZURE_API_KEY",
        "DEEPSEEK_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "GROQ_API_KEY",
        "MISTRAL_API_KEY",
        "MOONSHOT_API_KEY",
        "OPENAI_API_KEY",
        "OPENCODE_API_KEY",
        "OPENROUTER_API_KEY",
        "XAI_API_KEY",
        "ZHIPU_API_KEY",
    ],
    addresses: &[],
};

fn vendor(backend: BackendId) -> Option<&'static Vendor> {
    match backend {
        BackendId::Claude => Some(&CLAUDE),
        BackendId::Codex => Some(&CODEX),
        BackendId::Gemini => Some(&GEMINI),
        BackendId::Qwen => Some(&QWEN),
        BackendId::Opencode => Some(&OPENCODE),
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => None,
    }
}

/// The whole environment of a vendor's CLI. For backends without a vendor, that of any command.
#[must_use]
pub(crate) fn vendor_environment(
    backend: BackendId,
    host: &Environment,
    tmp: &Path,
    billing: Billing,
) -> Environment {
    let mut env = base_environment(host, tmp);
    let Some(vendor) = vendor(backend) else { return env };
    for name in vendor.settings {
        copy(host, &mut env, name);
    }
    for (name, value) in vendor.told {
        env.insert(name.into(), value.into());
    }
    for name in secrets(vendor, billing) {
        copy(host, &mut env, name);
    }
    for name in vendor.addresses {
        let Some(address) = host.get(OsStr::new(name)) else { continue };
        let address = match billing {
            Billing::Subscription => without_userinfo(address),
            Billing::Key => address.clone(),
        };
        env.insert(name.into(), address);
    }
    env
}

/// The vendor whose own program it is that speaks the Agent Client Protocol, by the program's name.
pub(crate) fn vendor_behind(adapter: &Adapter) -> Option<BackendId> {
    let file = adapter.argv.program().rsplit('/').next().unwrap_or_default();
    let of_vendor = |backend: &BackendId| usual_programs(*backend).contains(&file);
    BackendId::VENDORS.into_iter().find(of_vendor).filter(|_| adapter.backend() == BackendId::Acp)
}

/// The environment of an agent that was described: what its description names. A vendor's own program that speaks the Agent
/// Client Protocol is treated as that vendor's.
#[must_use]
pub(crate) fn adapter_environment(
    adapter: &Adapter,
    host: &Environment,
    tmp: &Path,
    billing: Billing,
) -> Environment {
    let backend = vendor_behind(adapter).unwrap_or(adapter.backend());
    let mut env = vendor_environment(backend, host, tmp, billing);
    let keys: &[String] = match billing {
        Billing::Subscription => &[],
        Billing::Key => &adapter.env,
    };
    for name in adapter.login_env.iter().chain(keys) {
        copy(host, &mut env, name);
    }
    env
}

fn secrets(vendor: &Vendor, billing: Billing) -> &'static [&'static str] {
    match billing {
        Billing::Subscription => vendor.logins,
        Billing::Key => vendor.keys,
    }
}

/// The variables that log a vendor's CLI in, for this kind of billing. The CLI may know other ways.
#[must_use]
pub fn login_variables(backend: BackendId, billing: Billing) -> &'static [&'static str] {
    vendor(backend).map_or(&[], |vendor| secrets(vendor, billing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::{canary, environment, holders};

    fn of(backend: BackendId, host: &Environment, billing: Billing) -> Environment {
        vendor_environment(backend, host, Path::new("/job/tmp"), billing)
    }

    #[test]
    fn the_agent_gets_the_key_of_its_own_vendor_that_the_billing_names_and_no_other() {
        let secrets = |backend, billing| holders(&of(backend, &canary(), billing)).join(" ");
        let login = |backend| secrets(backend, Billing::Subscription);
        assert_eq!(login(BackendId::Claude), "CLAUDE_CODE_OAUTH_TOKEN");
        assert_eq!(login(BackendId::Codex), "CODEX_ACCESS_TOKEN");
        for backend in [BackendId::Gemini, BackendId::Qwen, BackendId::Opencode, BackendId::Command] {
            assert_eq!(login(backend), "", "{backend}");
        }
        let key = |backend| secrets(backend, Billing::Key);
        assert_eq!(key(BackendId::Claude), "ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN");
        assert_eq!(key(BackendId::Codex), "AZURE_OPENAI_API_KEY CODEX_API_KEY OPENAI_API_KEY");
        assert_eq!(key(BackendId::Gemini), "GEMINI_API_KEY GOOGLE_API_KEY");
        assert_eq!(key(BackendId::Qwen), "DASHSCOPE_API_KEY OPENAI_API_KEY");
        assert_eq!(
            key(BackendId::Opencode),
            "ANTHROPIC_API_KEY GEMINI_API_KEY GOOGLE_API_KEY OPENAI_API_KEY OPENCODE_API_KEY OPENROUTER_API_KEY"
        );
        assert_eq!(key(BackendId::Command), "");
    }

    #[test]
    fn the_agent_never_learns_that_it_might_run_unguarded_as_root() {
        for backend in BackendId::ALL {
            assert!(!of(backend, &canary(), Billing::Key).contains_key(OsStr::new("IS_SANDBOX")));
        }
    }

    #[test]
    fn the_vendors_switches_and_address_reach_the_agent() {
        let host = environment(&[
            ("ANTHROPIC_BASE_URL", "http://me:pw@127.0.0.1:1/k"),
            ("CLAUDE_CODE_MAX_RETRIES", "0"),
            ("DISABLE_TELEMETRY", "0"),
        ]);
        let env = of(BackendId::Claude, &host, Billing::Subscription);
        let value = |name: &str| env.get(OsStr::new(name)).and_then(|v| v.to_str());
        assert_eq!(value("ANTHROPIC_BASE_URL"), Some("http://127.0.0.1:1/k"));
        assert_eq!(value("CLAUDE_CODE_MAX_RETRIES"), Some("0"));
        assert_eq!(value("DISABLE_TELEMETRY"), Some("1"));
    }

    #[test]
    fn an_address_keeps_its_password_only_where_a_key_may_pass() {
        for (backend, name) in [
            (BackendId::Claude, "ANTHROPIC_BASE_URL"),
            (BackendId::Gemini, "GOOGLE_GEMINI_BASE_URL"),
            (BackendId::Qwen, "OPENAI_BASE_URL"),
        ] {
            let host = environment(&[(name, "https://me:pw@proxy.test/v1")]);
            let address = |billing| of(backend, &host, billing).remove(OsStr::new(name));
            assert_eq!(address(Billing::Subscription), Some("https://proxy.test/v1".into()), "{backend}");
            assert_eq!(address(Billing::Key), Some("https://me:pw@proxy.test/v1".into()), "{backend}");
        }
    }
}
