//! Every SQL statement, row decoding and migration.
