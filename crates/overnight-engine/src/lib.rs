//! The spine: job task, stages, heartbeat, recovery.
