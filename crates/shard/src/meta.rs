//! The shard's side of its talk with meta: it pulls intents and reports what is. Both go on for
//! ever; with meta down the shard serves and heals what it has.

pub(crate) mod call;
pub(crate) mod pull;
pub(crate) mod report;
