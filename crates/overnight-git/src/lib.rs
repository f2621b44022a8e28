//! Code movement: one git command builder, mirror, workspace, bundle import, push.
