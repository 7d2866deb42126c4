//! The calls between roles: shards pull intents and report, edges pull routes. On a listener of
//! its own, only with a role's token.

pub(crate) mod imports;
pub(crate) mod intents;
pub(crate) mod inventories;
pub(crate) mod packages;
pub(crate) mod report;
mod role;
pub(crate) mod route;
pub(crate) mod routes;

pub(crate) use role::Role;
pub(crate) use role::RoleTokens;
