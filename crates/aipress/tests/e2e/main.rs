//! The platform end to end: the real binary, real HTTP to the edge, real WordPress, MariaDB,
//! Redis and php-fpm. Each test has platforms of its own and is named after what it proves.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod bakery;
mod chaos;
mod command_line;
mod core_moves;
mod cron;
mod documents;
mod first_site;
mod full_and_broken;
mod gold;
mod killed;
mod killed_under_traffic;
mod life;
mod logs;
mod mail;
mod packages;
mod pages;
mod plans;
mod refused;
mod rootless;
mod rotation;
mod starting;
mod strangers;
mod told;
mod transfers;
mod wp;

use aipress_testkit::PlatformOptions;

/// A platform with the binary of this build.
fn options() -> PlatformOptions {
    PlatformOptions::new(env!("CARGO_BIN_EXE_aipress"))
}
