//! Who resolves the settings of a job that nobody has begun: whoever put the engine together, because configurations are its
//! business.

use std::fmt;

use overnight_core::job::{Configured, Job};

/// What this worker's configuration makes of a job.
pub trait Configure: fmt::Debug + Send + Sync {
    /// The settings that the job gets; `None`: those that it has.
    ///
    /// # Errors
    /// One sentence about why the job cannot be worked on with them, and what to do.
    fn configure(&self, job: &Job) -> Result<Option<Configured>, String>;
}
