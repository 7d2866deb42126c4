//! Links of every kind, followed inside of a root and never out of it.

use std::os::unix::fs::symlink;

use super::*;

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    fs::write(path, text).expect("write");
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    symlink(target, path).expect("link");
}

const TOP: &str = "usr/share/wordpress";

#[test]
fn links_become_plain_files() {
    let temp = tempfile::tempdir().expect("folder");
    let root = temp.path().join("root");
    put(&root, "usr/share/wordpress/index.php", "<?php");
    put(&root, "usr/share/php/getid3/getid3.php", "id3");
    put(&root, "usr/share/nodejs/lodash/dist/lodash.js", "lodash");
    link(&root, "usr/share/javascript/lodash", "../nodejs/lodash/dist");
    link(&root, "usr/share/wordpress/wp-includes/ID3/getid3.php", "../../../php/getid3/getid3.php");
    link(&root, "usr/share/wordpress/js/lodash.js", "../../javascript/lodash/lodash.js");
    link(&root, "usr/share/wordpress/absolute.php", "/usr/share/php/getid3/getid3.php");
    link(&root, "usr/share/wordpress/folder", "/usr/share/javascript/lodash");
    let to = temp.path().join("core");
    let summary = flatten(&root, Path::new(TOP), &to, &Rules::default()).expect("flatten");
    assert_eq!(summary.files, 5);
    for (path, text) in [
        ("index.php", "<?php"),
        ("wp-includes/ID3/getid3.php", "id3"),
        ("js/lodash.js", "lodash"),
        ("absolute.php", "id3"),
        ("folder/lodash.js", "lodash"),
    ] {
        let metadata = fs::symlink_metadata(to.join(path)).expect(path);
        assert!(metadata.is_file(), "{path} is a plain file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o644, "{path}");
        assert_eq!(fs::read_to_string(to.join(path)).expect(path), text, "{path}");
    }
    let again = flatten(&to, Path::new(""), &temp.path().join("copy"), &Rules::default());
    assert_eq!(again.expect("copy").sha256, summary.sha256, "a copy has the same digest");
}

#[test]
fn a_link_cannot_climb_out_of_the_root() {
    let temp = tempfile::tempdir().expect("folder");
    let root = temp.path().join("root");
    put(temp.path(), "secret", "of the machine");
    link(&root, "usr/share/wordpress/a", "../../../../../../secret");
    let outside = temp.path().join("secret");
    link(&root, "usr/share/wordpress/b", outside.to_str().expect("text"));
    let found = dangling(&root, Path::new(TOP), &Rules::default()).expect("scan");
    assert_eq!(found.len(), 2, "{found:?}");
    let error = flatten(&root, Path::new(TOP), &temp.path().join("core"), &Rules::default())
        .expect_err("copied a file of the machine");
    assert!(matches!(error, CoreError::DanglingLink { .. }), "{error}");
}

#[test]
fn circles_end_in_an_error() {
    let temp = tempfile::tempdir().expect("folder");
    let root = temp.path().join("root");
    link(&root, "usr/share/wordpress/a", "b");
    link(&root, "usr/share/wordpress/b", "a");
    assert!(flatten(&root, Path::new(TOP), &temp.path().join("one"), &Rules::default()).is_err());
    let root = temp.path().join("other");
    link(&root, "usr/share/wordpress/self", ".");
    assert!(flatten(&root, Path::new(TOP), &temp.path().join("two"), &Rules::default()).is_err());
}

#[test]
fn what_is_missing_is_named_and_can_be_substituted_or_left_out() {
    let temp = tempfile::tempdir().expect("folder");
    let root = temp.path().join("root");
    put(temp.path(), "bundle.crt", "certificates");
    put(&root, "usr/share/wordpress/wp-config.php", "Debian's own");
    link(&root, "usr/share/wordpress/.htaccess", "/etc/wordpress/htaccess");
    link(&root, "usr/share/wordpress/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt");
    link(&root, "usr/share/wordpress/getid3.php", "../php/getid3/getid3.php");
    let substitutes = vec![Substitute {
        path: "etc/ssl/certs/ca-certificates.crt".into(),
        file: temp.path().join("bundle.crt"),
    }];
    let rules = Rules { skip: &["wp-config.php", ".htaccess"], substitutes, hard_links: true };
    let found = dangling(&root, Path::new(TOP), &rules).expect("scan");
    assert_eq!(
        found,
        [Dangling {
            link: "usr/share/wordpress/getid3.php".into(),
            target: "usr/share/php/getid3/getid3.php".into(),
        }]
    );
    put(&root, "usr/share/php/getid3/getid3.php", "id3");
    let to = temp.path().join("core");
    flatten(&root, Path::new(TOP), &to, &rules).expect("flatten");
    assert_eq!(fs::read_to_string(to.join("ca-bundle.crt")).expect("read"), "certificates");
    let links = |path: PathBuf| fs::metadata(path).expect("metadata").nlink();
    assert_eq!(links(to.join("getid3.php")), 2, "a second name, not a copy");
    assert_eq!(links(temp.path().join("bundle.crt")), 1, "the machine's file stays its own");
    assert!(!to.join("wp-config.php").exists() && !to.join(".htaccess").exists());
}
