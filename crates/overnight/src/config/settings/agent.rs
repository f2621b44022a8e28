//! Where the agents' programs are, and what they are offered.

use super::{Setting, assign, put};

/// In the order of the documentation.
pub(super) const PROGRAMS: &[Setting] = &[
    Setting {
        key: "agent.program.claude",
        kind: "absolute path",
        default: "claude in PATH",
        about: "the Claude Code CLI's program",
        set: |config, input| put(&mut config.agent.programs.claude, input.path()?),
        get: |config| config.agent.programs.claude.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        key: "agent.program.codex",
        kind: "absolute path",
        default: "codex in PATH",
        about: "the Codex CLI's program",
        set: |config, input| put(&mut config.agent.programs.codex, input.path()?),
        get: |config| config.agent.programs.codex.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        key: "agent.program.gemini",
        kind: "absolute path",
        default: "gemini in PATH",
        about: "the Gemini CLI's program",
        set: |config, input| put(&mut config.agent.programs.gemini, input.path()?),
        get: |config| config.agent.programs.gemini.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        key: "agent.program.qwen",
        kind: "absolute path",
        default: "qwen in PATH",
        about: "the Qwen Code CLI's program",
        set: |config, input| put(&mut config.agent.programs.qwen, input.path()?),
        get: |config| config.agent.programs.qwen.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        key: "agent.program.opencode",
        kind: "absolute path",
        default: "opencode in PATH",
        about: "the opencode CLI's program",
        set: |config, input| put(&mut config.agent.programs.opencode, input.path()?),
        get: |config| config.agent.programs.opencode.as_ref().map(|path| path.display().to_string()),
    },
    Setting {
        key: "agent.tools",
        kind: "on or off",
        default: "on",
        about: "offer agents the tools of their job: its context, reports and notes",
        set: |config, input| match input.text()? {
            "on" => assign(&mut config.agent_tools, true),
            "off" => assign(&mut config.agent_tools, false),
            _ => Err("expected on or off".to_owned()),
        },
        get: |config| Some(if config.agent_tools { "on" } else { "off" }.to_owned()),
    },
];
