//! Configuration, composition root and command line of Overnight.
