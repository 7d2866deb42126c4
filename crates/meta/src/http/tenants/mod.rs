//! `/v1/tenants`: sites.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod document;
pub(crate) mod erase;
pub(crate) mod list;
pub(crate) mod login_link;
pub(crate) mod logs;
pub(crate) mod put;
pub(crate) mod resume;
pub(crate) mod route;
pub(crate) mod show;
pub(crate) mod suspend;
pub(crate) mod undelete;
pub(crate) mod update;
pub(crate) mod wp;
