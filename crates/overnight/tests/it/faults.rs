//! Faults around workers on one queue: killed, stopped, cut off, too late; and what must be true afterwards.

mod sweep;
