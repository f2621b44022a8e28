//! `overnight help`: a command's help, or a topic.

use clap::CommandFactory;
use overnight_core::job::ExitCode;
use overnight_core::text::nearest;

use crate::cli::args::HelpArgs;
use crate::cli::{Cli, topics};
use crate::error::{AppError, Outcome};
use crate::output::Out;

/// # Errors
/// When there is no such command or topic.
pub fn run(out: Out, args: &HelpArgs) -> Outcome {
    let mut root = Cli::command();
    root.build();
    let text = match &args.topic {
        None => root.render_help().ansi().to_string(),
        Some(name) => match (topics::text(name), root.find_subcommand_mut(name)) {
            (Some(text), _) => text,
            (None, Some(command)) => command.render_long_help().ansi().to_string(),
            (None, None) => return Err(unknown(name, &root)),
        },
    };
    out.data(&text)?;
    Ok(ExitCode::Done)
}

fn unknown(name: &str, root: &clap::Command) -> AppError {
    let commands =
        root.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    let nearest = nearest(name, commands.chain(topics::TOPICS));
    let error = AppError::usage(format!("there is no command or topic {name:?}"));
    match nearest {
        Some(nearest) => error.help(format!("did you mean {nearest}?")),
        None => error.help(format!("topics: {}", topics::TOPICS.join(", "))),
    }
}
