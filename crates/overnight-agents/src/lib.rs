//! Agent backends as sans-IO drivers: request to command, bytes to events.
