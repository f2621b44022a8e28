//! Scripted model server, fake forge and throwaway PostgreSQL for tests. Never a normal dependency.

pub mod forge;
pub mod model;
pub mod postgres;
pub mod tools;
