//! What happened, told to whom it concerns: events and operations to a thousand followers, and
//! events to webhooks.
//!
//! - The registry's outbox is the truth; everything here reads it again after a restart, so that
//!   nothing is lost by a kill.
//! - No follower has a queue: the newest events are in memory once, encoded, for all of them.
//! - A webhook's delivery is a row before it is sent.
//!
//! Deliberately absent: who may see what (that is meta's policy: a filter comes in ready), HTTP
//! towards followers, SQL (that is `aipress-store`).

mod frame;
mod kinds;
mod operation;
mod ring;
pub mod webhooks;

pub use frame::frame;
pub use kinds::EVENT_KINDS;
pub use kinds::EventKind;
pub use kinds::is_known;
pub use operation::LOOK_AGAIN;
pub use operation::Next;
pub use operation::OperationFeed;
pub use operation::OperationFeeds;
pub use ring::Feed;
pub use ring::Shared;
pub use ring::Taken;
pub use ring::view;
