//! The `adapter` backend: a CLI that is described in the configuration instead of programmed here.
//!
//! What it prints is looked at only where the description says that something stands; everything else is passed over.

mod driver;
mod figures;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use driver::AdapterDriver;
pub(crate) use plan::{check, given_file, plan, program_path};

use overnight_core::agent::adapter::{CliProtocol, Hole, OutputFormat, Protocol};
use overnight_core::agent::{Adapter, AgentSettings, Capabilities};

/// What a described agent can do follows from its description.
pub(crate) fn capabilities(adapter: &Adapter, base: Capabilities) -> Capabilities {
    let common =
        Capabilities { model: adapter.argv.has(Hole::Model), effort: adapter.argv.has(Hole::Effort), ..base };
    let Protocol::Cli(cli) = &adapter.protocol else { return common };
    // Only what is told line by line is told while the turn runs.
    let while_it_runs = cli.output == OutputFormat::Jsonl;
    let fields = &cli.fields;
    Capabilities {
        resume: cli.resume.is_some(),
        tokens: while_it_runs && !(fields.input_tokens.is_empty() && fields.output_tokens.is_empty()),
        turns: while_it_runs && !fields.turns.is_empty(),
        cost: while_it_runs && !fields.cost.is_empty(),
        ..common
    }
}

/// The protocol of the settings' adapter; `None`: there is none, or it speaks another.
fn cli_of(settings: &AgentSettings) -> Option<&CliProtocol> {
    match &settings.adapter.as_deref()?.protocol {
        Protocol::Cli(cli) => Some(cli.as_ref()),
        Protocol::Acp => None,
    }
}
