//! Faults around workers on one queue: killed, stopped, cut off, too late; and what must be true afterwards.

mod absent;
mod cancel;
mod clock;
mod database;
mod disk;
mod enqueue;
mod load;
mod places;
mod poison;
mod stopped;
mod sweep;
