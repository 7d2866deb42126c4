//! A site's HTTP: static files, and FastCGI to php-fpm; the same code in a shard's gateway and in
//! a site's container.
//!
//! A request goes through named phases, one file each: which site ([`table`]), who asks
//! ([`client`]), what the path means ([`path`], [`decide`]: pure), then a file ([`files`]) or PHP
//! ([`php`] over [`fastcgi`]), with what we have to say ourselves in [`answer`]. [`service`] puts
//! them together.
//!
//! Invariants: the bytes of a file come from a descriptor that was opened beneath the site's root
//! without following a link; a page of PHP counts only with its `END_REQUEST`; every queue, buffer
//! and wait is bounded by [`config`].
//!
//! Deliberately absent: listeners, TLS, compression, page cache (the edge has them), reading
//! arguments, environment or files of configuration (the binary does), and background tasks.

pub mod access;
pub mod admission;
pub mod answer;
pub mod body;
pub mod client;
pub mod config;
pub mod decide;
pub mod fastcgi;
pub mod files;
pub mod path;
pub mod php;
pub mod service;
pub mod site;
pub mod spool;
pub mod table;

pub use access::{AccessRecord, AccessSink, Asked, ErrorSink, Source, Told};
pub use body::{Body, BodyError};
pub use client::CRON_HEADER;
pub use client::TENANT_HEADER;
pub use config::RuntimeConfig;
pub use fastcgi::ping::fpm_ping;
pub use fastcgi::ping::fpm_ping_workers;
pub use php::run::is_of_machine;
pub use service::SiteService;
pub use site::{Site, SiteState};
pub use table::{HostConflict, SiteTable};
