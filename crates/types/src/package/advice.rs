//! Plugins that fight the platform, and what replaces them. A word, not a wall: only what cannot
//! work here is refused.

use std::fmt;

use super::PackageKind;

/// What a person should know of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The plugin.
    pub name: &'static str,
    /// What it does that the platform does.
    pub reason: &'static str,
    /// What is there instead.
    pub instead: &'static str,
    /// Whether it cannot work here.
    pub unsupported: bool,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason, instead, .. } = self;
        write!(f, "`{name}` {reason}: {instead}")
    }
}

/// Kinds of plugins, by what they do.
const GROUPS: &[(&[&str], &str, &str, bool)] = &[
    (
        &[
            "cache-enabler",
            "comet-cache",
            "hummingbird-performance",
            "hyper-cache",
            "sg-cachepress",
            "swift-performance-lite",
            "w3-total-cache",
            "wp-fastest-cache",
            "wp-optimize",
            "wp-rocket",
            "wp-super-cache",
        ],
        "caches pages in files of its own, beside the platform's caches",
        "the edge's cache and the Redis object cache are there already",
        false,
    ),
    (
        &[
            "redis-cache",
            "wp-redis",
            "memcached",
            "object-cache-pro",
            "docket-cache",
            "sqlite-object-cache",
        ],
        "brings an object cache of its own, which is not loaded here",
        "the platform's Redis object cache is there already",
        false,
    ),
    (
        &["litespeed-cache", "nginx-helper", "varnish-http-purge", "wp-nginx"],
        "needs a web server that is not here",
        "the edge's cache is there already",
        true,
    ),
    (
        &["wp-htaccess-editor", "htaccess-editor", "htaccess", "wp-htaccess-control"],
        "edits .htaccess, which nothing here reads",
        "redirects and rewrites belong in WordPress",
        true,
    ),
    (
        &[
            "updraftplus",
            "backwpup",
            "duplicator",
            "backupbuddy",
            "wpvivid-backuprestore",
            "backup",
            "blogvault-real-time-backup",
            "jetpack-backup",
            "xcloner-backup-and-restore",
        ],
        "makes backups on the disk of the site itself",
        "the platform's backups lie elsewhere and are tested",
        false,
    ),
    (
        &[
            "wordfence",
            "better-wp-security",
            "ithemes-security-pro",
            "sucuri-scanner",
            "all-in-one-wp-security-and-firewall",
            "ninjafirewall",
            "bulletproof-security",
            "wp-cerber",
            "shield-security",
            "wp-simple-firewall",
            "malcare-security",
        ],
        "puts a firewall into PHP, where each visitor waits for it",
        "the platform's own stands in front of PHP",
        false,
    ),
];

/// What a person should know of a plugin; nothing of most.
pub fn advice(kind: PackageKind, name: &str) -> Option<Advice> {
    if kind == PackageKind::Theme {
        return None;
    }
    GROUPS.iter().find_map(|(names, reason, instead, unsupported)| {
        let name = names.iter().find(|known| known.eq_ignore_ascii_case(name))?;
        Some(Advice { name, reason, instead, unsupported: *unsupported })
    })
}
