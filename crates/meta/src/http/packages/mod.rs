//! Plugins and themes in the platform's mirror.

pub(crate) mod add;
pub(crate) mod delete;
pub(crate) mod fetch;
pub(crate) mod list;
pub(crate) mod show;
