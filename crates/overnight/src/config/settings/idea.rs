//! How far ideas go by themselves.

use super::{Setting, assign};
use crate::cli::values;

pub(super) const IDEA: &[Setting] = &[Setting {
    key: "idea.review_rounds",
    kind: "number",
    default: "3",
    about: "most rounds of the review of an idea's plan",
    set: |config, input| assign(&mut config.review_rounds, values::count(input.text()?)?),
    get: |config| Some(config.review_rounds.to_string()),
}];
