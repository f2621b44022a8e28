//! Scripted model server and fake forge for tests. Never a normal dependency.
