//! Scripted model server and fake forge for tests. Never a normal dependency.

pub mod forge;
pub mod model;
pub mod tools;
