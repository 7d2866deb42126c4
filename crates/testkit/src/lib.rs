//! What end-to-end tests stand on: a whole platform of real processes in a data folder of its
//! own, driven as its users drive it: by the command line and by HTTP to the edge.
//!
//! Invariants: two platforms never meet (folder, port, Unix ids); a platform that goes out of scope
//! is taken down, and it is a failure of the test when a process of it is left; nothing is ended
//! that is not proven to be a platform's own. Cores come from the machine's cache, so that nothing
//! is fetched twice.
//!
//! Deliberately absent: mocks, and a way into a role that its users don't have. A failure is a
//! panic with all that helps to understand it.
#![expect(clippy::expect_used, reason = "a test fails by a panic")]

mod browser;
mod cli;
mod disk;
mod ids;
mod leftovers;
mod platform;
mod processes;
mod status;
mod terminal;
mod wait;
mod wordpress;

pub use browser::Answer;
pub use browser::Browser;
pub use cli::Told;
pub use disk::SmallDisk;
pub use platform::Platform;
pub use platform::PlatformOptions;
pub use processes::Process;
pub use processes::end_process;
pub use processes::hold_process;
pub use processes::release_process;
pub use status::Unit;
pub use terminal::Terminal;
pub use wait::wait_until;
pub use wordpress::Admin;
pub use wordpress::PNG;
