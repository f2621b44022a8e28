//! How a change stands to the plan that it was made by.

use serde::{Deserialize, Serialize};

/// How a change stands to its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// Nothing was changed.
    Empty,
    /// All paths of the plan were changed, and little else.
    Aligned,
    /// Some paths of the plan were not changed.
    Partial,
    /// Much was changed that the plan does not name.
    Divergent,
}

/// Which alignments a task accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyRequired {
    Aligned,
    /// Also others, if the agent says why in at least 20 characters.
    #[default]
    AlignedOrPartial,
    Any,
}
