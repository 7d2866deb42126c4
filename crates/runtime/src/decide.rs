//! What a path means: a file, a script, WordPress's front controller, a redirect, or nothing. Pure.
//!
//! The rule is a list of what is allowed, after WordPress's own layout: core is read-only and
//! shared, `wp-content` is the tenant's. Whether a file exists is not asked here; nothing outside
//! of `wp-admin`, `wp-includes`, `wp-content` and `.well-known` is ever looked for, so a pretty
//! permalink costs no system call.

use crate::path::SitePath;

/// A tree of files that a [`Target`] lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// WordPress core (`core_dir`).
    Core,
    /// The tenant's own (`site_dir`).
    Site,
    /// What the platform runs inside WordPress (`php_dir`).
    Platform,
}

/// A file that is to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'p> {
    /// Where.
    pub tree: Tree,
    /// The path beneath the tree's root.
    pub file: &'p [u8],
    /// Look in core, too, at the same path: the themes that come with WordPress.
    pub or_core: bool,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'p> {
    /// Run core's `index.php`, which finds the page from `REQUEST_URI`.
    Front {
        /// What follows `/index.php` in the path, with its slash (RFC 3875 section 4.1.5).
        path_info: Option<&'p [u8]>,
    },
    /// Run a script, if it is there; else 404.
    Script(Target<'p>),
    /// Send a file, if it is there; else 404.
    Static(Target<'p>),
    /// Send a file, if it is there; else ask WordPress.
    StaticOrFront(Target<'p>),
    /// Redirect to the same path with a slash at its end.
    AddSlash,
    /// 404, without looking.
    Refuse,
}

/// Scripts of core's root that answer requests. `wp-links-opml.php` and `wp-trackback.php` are
/// linked from pages; `wp-cron.php` is harmless, as WordPress locks it and it does only what is due.
const ROOT_SCRIPTS: [&[u8]; 9] = [
    b"wp-activate.php",
    b"wp-comments-post.php",
    b"wp-cron.php",
    b"wp-links-opml.php",
    b"wp-login.php",
    b"wp-mail.php",
    b"wp-signup.php",
    b"wp-trackback.php",
    b"xmlrpc.php",
];

/// Files of core's root that are parts of it, configuration, or tell its version.
const ROOT_REFUSED: [&[u8]; 8] = [
    b"license.txt",
    b"readme.html",
    b"wp-blog-header.php",
    b"wp-config-sample.php",
    b"wp-config.php",
    b"wp-load.php",
    b"wp-settings.php",
    b"wp-admin.php",
];

/// Folders of `wp-admin` that have an `index.php`.
const ADMIN_FOLDERS: [&[u8]; 3] = [b"wp-admin", b"wp-admin/network", b"wp-admin/user"];

/// Scripts of `wp-admin` that install a site. The platform did; on a site whose tables are lost
/// they would make the first visitor its administrator.
const ADMIN_REFUSED: [&[u8]; 3] = [b"install.php", b"install-helper.php", b"setup-config.php"];

/// The one script of `wp-includes` that browsers ask for (the editor's scripts in one file).
const TINYMCE: &[u8] = b"wp-includes/js/tinymce/wp-tinymce.php";

/// Folders whose files come from visitors or from programs: no script in them is run, however
/// deep in a plugin they are.
const NO_SCRIPTS: [&[u8]; 6] = [b"cache", b"languages", b"private", b"tmp", b"upgrade", b"uploads"];

/// Ends of names that PHP, or somebody's server, takes for source; never sent as a file. In lower
/// case, as the check ignores case: on another server `.PHP` may run.
const SOURCE_ENDS: [&str; 12] =
    ["php", "php3", "php4", "php5", "php6", "php7", "php8", "phps", "pht", "phtml", "phar", "inc"];

/// Ends of names of logs, dumps, copies that editors leave, keys and settings; never sent.
const PRIVATE_ENDS: [&str; 20] = [
    "bak", "bash", "cfg", "conf", "crt", "db", "env", "ini", "key", "log", "old", "orig", "pem",
    "save", "sh", "sql", "sqlite", "swo", "swp", "tmp",
];

/// Decides what a request for `path` gets, whatever its method. `runs_uploads`: of a site whose
/// owner wants scripts of `uploads` to be run.
pub fn decide<'p>(path: &'p SitePath<'_>, runs_uploads: bool) -> Decision<'p> {
    let whole = path.as_bytes();
    if path.has_encoded_slash() {
        // No file has a slash in its name; a permalink may (`/tag/ac%2Fdc/`).
        return Decision::Front { path_info: None };
    }
    let mut segments = path.segments();
    let Some(first) = segments.next() else { return Decision::Front { path_info: None } };
    if first == b".well-known" {
        return well_known(path);
    }
    if path.segments().any(|segment| segment.starts_with(b".")) {
        return Decision::Refuse;
    }
    match first {
        b"index.php" => {
            let rest = &whole[first.len()..];
            Decision::Front { path_info: (!rest.is_empty()).then_some(rest) }
        }
        b"wp-admin" => admin(path),
        b"wp-includes" => includes(path),
        b"wp-content" => content(path, runs_uploads),
        _ if segments.next().is_some() => Decision::Front { path_info: None },
        script if ROOT_SCRIPTS.contains(&script) && !path.is_directory() => {
            Decision::Script(Target { tree: Tree::Core, file: whole, or_core: false })
        }
        refused if ROOT_REFUSED.contains(&refused) => Decision::Refuse,
        _ => Decision::Front { path_info: None },
    }
}

/// Whether a file of this name is sent at all.
pub fn is_public_name(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(b"~") || lower.starts_with(b".") || lower.starts_with(b"#") {
        return false;
    }
    if matches!(lower.as_slice(), b"error_log" | b"php_errorlog") || lower.starts_with(b"wp-config")
    {
        return false;
    }
    let mut ends = lower.split(|&byte| byte == b'.').skip(1).peekable();
    while let Some(end) = ends.next() {
        let is_last = ends.peek().is_none();
        let known = |list: &[&str]| list.iter().any(|known| known.as_bytes() == end);
        // `dump.sql.gz` is a dump; `min.inc.js` is not source, and `photo.old.jpg` is a photo.
        if is_last && (known(&SOURCE_ENDS) || known(&PRIVATE_ENDS)) || end == b"sql" {
            return false;
        }
    }
    true
}

fn well_known<'p>(path: &'p SitePath<'_>) -> Decision<'p> {
    let hidden = path.segments().skip(1).any(|segment| segment.starts_with(b"."));
    if hidden
        || !path
            .segments()
            .last()
            .is_some_and(|name| name == b".well-known" || is_public_name(name))
    {
        return Decision::Refuse;
    }
    if path.is_directory() || path.segments().count() == 1 {
        return Decision::Front { path_info: None };
    }
    let file = &path.as_bytes()[1..];
    Decision::StaticOrFront(Target { tree: Tree::Site, file, or_core: false })
}

fn admin<'p>(path: &'p SitePath<'_>) -> Decision<'p> {
    let whole = path.as_bytes();
    if ADMIN_FOLDERS.contains(&whole) {
        if !path.is_directory() {
            return Decision::AddSlash;
        }
        let file: &[u8] = match whole {
            b"wp-admin" => b"wp-admin/index.php",
            b"wp-admin/network" => b"wp-admin/network/index.php",
            _ => b"wp-admin/user/index.php",
        };
        return Decision::Script(Target { tree: Tree::Core, file, or_core: false });
    }
    let Some(name) = path.segments().last().filter(|_| !path.is_directory()) else {
        return Decision::Refuse;
    };
    let target = Target { tree: Tree::Core, file: whole, or_core: false };
    if name.ends_with(b".php") {
        // `wp-admin/includes` are libraries.
        let library = path.segments().nth(1).is_some_and(|folder| folder == b"includes");
        if library || ADMIN_REFUSED.contains(&name) {
            return Decision::Refuse;
        }
        return Decision::Script(target);
    }
    if is_public_name(name) { Decision::Static(target) } else { Decision::Refuse }
}

fn includes<'p>(path: &'p SitePath<'_>) -> Decision<'p> {
    let target = Target { tree: Tree::Core, file: path.as_bytes(), or_core: false };
    if path.is_directory() {
        return Decision::Refuse;
    }
    if target.file == TINYMCE {
        return Decision::Script(target);
    }
    match path.segments().skip(1).last() {
        Some(name) if is_public_name(name) => Decision::Static(target),
        _ => Decision::Refuse,
    }
}

fn content<'p>(path: &'p SitePath<'_>, runs_uploads: bool) -> Decision<'p> {
    let whole = path.as_bytes();
    let mut segments = path.segments().skip(1);
    let Some(folder) = segments.next() else { return Decision::Refuse };
    let Some(name) = path.segments().last().filter(|_| !path.is_directory()) else {
        return Decision::Refuse;
    };
    if folder == b"upgrade" {
        // Half-unpacked plugins.
        return Decision::Refuse;
    }
    if folder == b"mu-plugins" {
        let file = &whole[b"wp-content/".len()..];
        let target = Target { tree: Tree::Platform, file, or_core: false };
        return if is_public_name(name) { Decision::Static(target) } else { Decision::Refuse };
    }
    let or_core = folder == b"themes";
    let target = Target { tree: Tree::Site, file: whole, or_core };
    if name.ends_with(b".php") {
        let allowed = match folder {
            b"plugins" | b"themes" => segments.next().is_some_and(|inner| inner != name),
            b"uploads" => runs_uploads,
            _ => false,
        };
        let allowed =
            allowed && !path.segments().skip(2).any(|segment| NO_SCRIPTS.contains(&segment));
        return if allowed { Decision::Script(target) } else { Decision::Refuse };
    }
    if is_public_name(name) { Decision::Static(target) } else { Decision::Refuse }
}

#[cfg(test)]
mod tests;
