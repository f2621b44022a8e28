//! The agents of the table: how each is set up, with what stands behind it.

use std::fmt;

use overnight_testkit::model::Scenario;
use overnight_testkit::tools;

use super::super::cli::{self, Vendor};
use crate::harness::Place;
use crate::harness::model::{self, Model};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    Claude,
    Codex,
    Gemini,
    Qwen,
    Opencode,
    Rehearsal,
    Command,
}

impl Agent {
    pub(super) const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Gemini, Self::Qwen, Self::Opencode, Self::Rehearsal, Self::Command];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Qwen => "qwen",
            Self::Opencode => "opencode",
            Self::Rehearsal => "rehearsal",
            Self::Command => "command",
        }
    }

    /// The vendor's tool with which it asks a person.
    pub(super) fn asks_with(self) -> &'static str {
        match self {
            Self::Claude => "AskUserQuestion",
            Self::Codex => "request_user_input",
            Self::Gemini => "ask_user",
            Self::Qwen => "ask_user_question",
            Self::Opencode => "question",
            Self::Rehearsal | Self::Command => "",
        }
    }

    /// A larger number is measured earlier.
    pub(super) fn slowness(self) -> u32 {
        match self {
            Self::Opencode => 4,
            Self::Qwen => 3,
            Self::Gemini => 2,
            Self::Claude | Self::Codex => 1,
            Self::Rehearsal | Self::Command => 0,
        }
    }

    fn vendor(self) -> Option<Vendor> {
        match self {
            Self::Codex => Some(Vendor::Codex),
            Self::Gemini => Some(Vendor::Gemini),
            Self::Qwen => Some(Vendor::Qwen),
            Self::Opencode => Some(Vendor::Opencode),
            Self::Claude | Self::Rehearsal | Self::Command => None,
        }
    }

    /// Whether it is there, or why not.
    pub(super) fn installed(self) -> Result<(), String> {
        match (self, self.vendor()) {
            (Self::Claude, _) => tools::claude().map(drop),
            (_, Some(vendor)) => vendor.program().map(drop),
            (_, None) => Ok(()),
        }
    }

    /// A place whose agent it is, and the model behind a real CLI.
    pub(super) fn place(self, scenario: Scenario) -> (Place, Option<Model>) {
        let here = "it was there a moment ago";
        match (self, self.vendor()) {
            (Self::Claude, _) => {
                let mut place = model::place("matrix").expect(here);
                let model = model::model(&mut place, scenario);
                (place, Some(model))
            }
            (_, Some(vendor)) => {
                let mut place = cli::place(vendor, "matrix").expect(here);
                let model = cli::model(vendor, &mut place, scenario);
                (place, Some(model))
            }
            (_, None) => (Place::new(), None),
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
