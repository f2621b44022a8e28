//! The fake forge itself: real pushes over HTTP, tokens, refusals and cut connections.

use super::*;
