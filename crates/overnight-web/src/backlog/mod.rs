//! What programs and assistants do with the backlog: one function for each wish, which the API and the tools both call.
//!
//! What can be is decided by the store and by `overnight_core::backlog`; what only the program around us knows (agents,
//! configuration, directories) is asked of the desk. Nothing here knows HTTP or the Model Context Protocol.

mod items;
mod plans;
mod refused;
mod repositories;

use overnight_store::Store;

use crate::api::Desk;

pub(crate) use items::{Cursor, Wanted};
pub(crate) use plans::PlanSaid;
pub(crate) use refused::Refused;
pub(crate) use repositories::view as repository_view;

/// Longest name of a request, in characters.
pub(crate) const REQUEST_MAX: usize = 200;

/// The backlog, as it can be reached from here.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) store: &'a Store,
    /// `None`: nobody is there to ask; then nothing that depends on it is done.
    pub(crate) desk: Option<&'a dyn Desk>,
}

impl<'a> Reach<'a> {
    fn desk(self) -> Result<&'a dyn Desk, Refused> {
        self.desk.ok_or_else(|| Refused::bad("this cannot be done from here", "use the command line"))
    }
}

/// A request's name, if it can be one.
pub(crate) fn request(name: Option<String>) -> Result<Option<String>, Refused> {
    let fits = |name: &String| {
        !name.trim().is_empty() && name.chars().count() <= REQUEST_MAX && !name.contains(char::is_control)
    };
    match name {
        Some(name) if !fits(&name) => {
            let what = format!("the name of a request has 1 to {REQUEST_MAX} characters on one line");
            Err(Refused::bad(what, "give it a shorter one"))
        }
        fitting => Ok(fitting),
    }
}
