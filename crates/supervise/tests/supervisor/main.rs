//! The supervisor as a process, with real children.
//!
//! Every test has a folder, a supervisor process and units of its own, and
//! waits for what it expects to see with a deadline; none waits for luck.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod isolation;
mod leftovers;
mod memory;
mod restart;
mod sockets;
mod stop;
mod support;
