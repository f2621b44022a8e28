//! `overnight api`: the API for programs.

use overnight_core::job::ExitCode;

use crate::cli::token_args::{ApiAction, ApiArgs};
use crate::error::{AppError, Outcome};
use crate::output::Out;

/// # Errors
/// When nothing can be written.
pub fn run(out: Out, args: &ApiArgs) -> Outcome {
    match args.action {
        ApiAction::Openapi => {
            let text = serde_json::to_string_pretty(&overnight_web::api::openapi());
            let text = text
                .map_err(|error| AppError::unexpected("the description cannot be written").because(&error))?;
            out.data(&format!("{text}\n"))?;
            Ok(ExitCode::Done)
        }
    }
}
