//! How things converge: a keyed work queue with back-off, and nothing that knows of sites.
//!
//! Level-triggered: a key says *look at this*, not *do that*. Adding a key that waits changes
//! nothing; adding one that is being worked on makes it run once more afterwards.

pub mod backoff;
pub mod queue;

pub use backoff::Backoff;
pub use queue::Outcome;
pub use queue::WorkQueue;
