//! What makes reality match: each looks, changes what differs, and may be killed at any line.

pub(crate) mod cron;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod limits;
pub(crate) mod mail;
pub(crate) mod spares;
pub(crate) mod tenant;
