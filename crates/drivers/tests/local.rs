//! The real drivers against real MariaDB, Redis, php-fpm and folders. As root each has its own
//! Unix users; without root those tests that are about users are left out.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cognitive_complexity,
    clippy::too_many_lines,
    clippy::large_futures,
    reason = "tests: a failure is a panic, and a story is told in one piece"
)]

#[path = "local/broken.rs"]
mod broken;
#[path = "local/cache.rs"]
mod cache;
mod conformance;
#[path = "local/database.rs"]
mod database;
#[path = "local/exec.rs"]
mod exec;
#[path = "local/fair.rs"]
mod fair;
#[path = "local/files.rs"]
mod files;
#[path = "local/given_up.rs"]
mod given_up;
#[path = "local/hostile_database.rs"]
mod hostile_database;
#[path = "local/machine.rs"]
mod machine;
#[path = "local/measure.rs"]
mod measure;
#[path = "local/native_code.rs"]
mod native_code;
#[path = "local/outgoing.rs"]
mod outgoing;
#[path = "local/own_php.rs"]
mod own_php;
#[path = "local/php.rs"]
mod php;
