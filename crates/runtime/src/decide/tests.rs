//! The table of what each path gets.

use super::*;

fn shown(raw: &str) -> String {
    shown_of(raw, false)
}

fn shown_of(raw: &str, runs_uploads: bool) -> String {
    let path = SitePath::parse(raw).unwrap();
    let target = |target: Target<'_>| {
        format!(
            "{:?}:{}{}",
            target.tree,
            String::from_utf8_lossy(target.file),
            if target.or_core { "+Core" } else { "" }
        )
    };
    match decide(&path, runs_uploads) {
        Decision::Front { path_info: None } => "front".to_owned(),
        Decision::Front { path_info: Some(info) } => {
            format!("front {}", String::from_utf8_lossy(info))
        }
        Decision::Script(it) => format!("php {}", target(it)),
        Decision::Static(it) => format!("file {}", target(it)),
        Decision::StaticOrFront(it) => format!("file-or-front {}", target(it)),
        Decision::AddSlash => "slash".to_owned(),
        Decision::Refuse => "refuse".to_owned(),
    }
}

fn check(table: &[(&str, &str)]) {
    for (raw, expected) in table {
        assert_eq!(shown(raw), *expected, "{raw}");
    }
}

#[test]
fn wordpress_finds_pages() {
    check(&[
        ("/", "front"),
        ("/index.php", "front"),
        ("/index.php/2024/05/hello/", "front /2024/05/hello"),
        ("/2024/05/hello/", "front"),
        ("/robots.txt", "front"),
        ("/favicon.ico", "front"),
        ("/wp-json/wp/v2/posts", "front"),
        ("/wp-sitemap.xml", "front"),
        ("/wp-feed.php", "front"),
        ("/tag/ac%2Fdc/", "front"),
        ("/wp-content%2Fdebug.log", "front"),
        ("/wp-contents/x.css", "front"),
        ("/WP-ADMIN/index.php", "front"),
        ("/shop/wp-login.php", "front"),
    ]);
}

#[test]
fn core_answers_where_it_has_entries() {
    check(&[
        ("/wp-login.php", "php Core:wp-login.php"),
        ("/xmlrpc.php", "php Core:xmlrpc.php"),
        ("/wp-cron.php", "php Core:wp-cron.php"),
        ("/wp-admin", "slash"),
        ("/wp-admin/", "php Core:wp-admin/index.php"),
        ("/wp-admin/network", "slash"),
        ("/wp-admin/network/", "php Core:wp-admin/network/index.php"),
        ("/wp-admin/post.php", "php Core:wp-admin/post.php"),
        ("/wp-admin/admin-ajax.php", "php Core:wp-admin/admin-ajax.php"),
        ("/wp-admin/css/login.css", "file Core:wp-admin/css/login.css"),
        ("/wp-includes/js/jquery/jquery.js", "file Core:wp-includes/js/jquery/jquery.js"),
        (
            "/wp-includes/js/tinymce/wp-tinymce.php",
            "php Core:wp-includes/js/tinymce/wp-tinymce.php",
        ),
    ]);
}

#[test]
fn parts_of_core_are_no_entries() {
    for raw in [
        "/wp-config.php",
        "/wp-config-sample.php",
        "/wp-load.php",
        "/wp-settings.php",
        "/readme.html",
        "/license.txt",
        "/wp-includes/version.php",
        "/wp-includes/",
        "/wp-includes",
        "/wp-admin/includes/upgrade.php",
        "/wp-admin/install.php",
        "/wp-admin/setup-config.php",
        "/wp-admin/css/",
        "/wp-admin/admin.php/",
        "/wp-admin/x.PHP",
    ] {
        assert_eq!(shown(raw), "refuse", "{raw}");
    }
}

#[test]
fn a_tenants_files() {
    check(&[
        ("/wp-content/uploads/2024/05/a.jpg", "file Site:wp-content/uploads/2024/05/a.jpg"),
        ("/wp-content/plugins/x/x.css", "file Site:wp-content/plugins/x/x.css"),
        ("/wp-content/plugins/x/ajax.php", "php Site:wp-content/plugins/x/ajax.php"),
        ("/wp-content/themes/t/style.css", "file Site:wp-content/themes/t/style.css+Core"),
        ("/wp-content/themes/t/ajax.php", "php Site:wp-content/themes/t/ajax.php+Core"),
        ("/wp-content/cache/min/a.css", "file Site:wp-content/cache/min/a.css"),
        ("/wp-content/mu-plugins/aipress/a.css", "file Platform:mu-plugins/aipress/a.css"),
        ("/.well-known/security.txt", "file-or-front Site:well-known/security.txt"),
        ("/.well-known/acme-challenge/tok", "file-or-front Site:well-known/acme-challenge/tok"),
        ("/.well-known/", "front"),
        ("/.well-known", "front"),
    ]);
}

#[test]
fn a_tenants_files_that_nobody_gets() {
    for raw in [
        "/wp-content",
        "/wp-content/",
        "/wp-content/index.php",
        "/wp-content/object-cache.php",
        "/wp-content/debug.log",
        "/wp-content/uploads/",
        "/wp-content/uploads/shell.php",
        "/wp-content/uploads/shell.PhP",
        "/wp-content/uploads/shell.phtml",
        "/wp-content/uploads/shell.php5",
        "/wp-content/uploads/shell.phar",
        "/wp-content/uploads/a/../../../x",
        "/wp-content/cache/x.php",
        "/wp-content/languages/x.php",
        "/wp-content/upgrade/x/x.php",
        "/wp-content/upgrade/x/x.css",
        "/wp-content/plugins/hello.php",
        "/wp-content/plugins/x/cache/evil.php",
        "/wp-content/plugins/x/uploads/evil.php",
        "/wp-content/plugins/x/x.php/",
        "/wp-content/plugins/x/x.php.bak",
        "/wp-content/plugins/x/x.php~",
        "/wp-content/plugins/x/.git/config",
        "/wp-content/plugins/x/.htaccess",
        "/wp-content/mu-plugins/a.php",
        "/wp-content/dump.sql",
        "/wp-content/dump.sql.gz",
        "/wp-content/wp-config.php.txt",
        "/.git/config",
        "/.env",
        "/.well-known/.htpasswd",
        "/.well-known/x.php",
    ] {
        if SitePath::parse(raw).is_ok() {
            assert_eq!(shown(raw), "refuse", "{raw}");
        }
    }
}

#[test]
fn names_that_only_look_private_are_sent() {
    for name in ["a.jpg", "photo.old.jpg", "x.inc.js", "changelog", "log", "wp-conf.css", "a.b.c"] {
        assert!(is_public_name(name.as_bytes()), "{name}");
    }
}

#[test]
fn scripts_of_uploads_run_where_the_owner_wants_them_to() {
    for (raw, wanted) in [
        ("/wp-content/uploads/a.php", "php Site:wp-content/uploads/a.php"),
        ("/wp-content/uploads/2026/11/a.php", "php Site:wp-content/uploads/2026/11/a.php"),
        // What else holds for scripts still does.
        ("/wp-content/uploads/cache/a.php", "refuse"),
        ("/wp-content/uploads/.a/a.php", "refuse"),
        ("/wp-content/uploads/a.phtml", "refuse"),
        ("/wp-content/cache/a.php", "refuse"),
        ("/wp-content/a.php", "refuse"),
        ("/wp-content/plugins/a/uploads/a.php", "refuse"),
        ("/wp-content/uploads/photo.jpg", "file Site:wp-content/uploads/photo.jpg"),
    ] {
        assert_eq!(shown_of(raw, true), wanted, "{raw}");
        if raw.contains("/uploads/") && raw.ends_with(".php") {
            assert_eq!(shown(raw), "refuse", "{raw}");
        }
    }
}
