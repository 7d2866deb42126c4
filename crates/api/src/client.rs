//! The typed client of the public API; every face of the platform goes through it.

mod audit;
mod call;
mod error;
mod events;
mod logs;
mod operations;
mod packages;
mod plans;
mod platform;
mod site_packages;
mod sse;
mod tenants;
mod transfers;
mod webhooks;
mod wp;

pub use call::ApiClient;
pub use call::OnlyIf;
pub use error::ApiError;
pub use events::EventStream;
pub use events::OperationEvents;
pub use logs::LogStream;
pub use platform::ListQuery;
pub use transfers::Download;
pub use wp::WpLines;
