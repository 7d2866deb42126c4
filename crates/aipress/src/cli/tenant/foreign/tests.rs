//! Foreign sites in folders and zips, good and hostile.

use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Member;
use aipress_archive::inspect;
use aipress_archive::read;
use aipress_archive::read::Check;
use aipress_archive::read::Flow;
use aipress_archive::read::Visitor;
use aipress_packages::build::ZipBuilder;

use super::*;

const DUMP: &str = "CREATE TABLE `x9_options` (a int);CREATE TABLE `x9_posts` (a int);\
                    CREATE TABLE `x9_users` (a int);CREATE TABLE `x9_usermeta` (a int);";
const CONFIG: &[u8] = b"<?php\n$table_prefix = 'x9_';\ndefine('WP_CACHE', true);\n";

fn site(base: &str) -> ZipBuilder {
    let at = |name: &str| format!("{base}{name}");
    ZipBuilder::new()
        .file(&at("wp-config.php"), CONFIG)
        .file(&at("wp-includes/version.php"), b"<?php\n$wp_version = '5.9.3';\n")
        .file(&at("wp-content/uploads/2020/a.jpg"), &[7; 300_000])
        .file(&at("wp-content/plugins/x/composer.json"), br#"{"require":{"ext-imagick":"*"}}"#)
        .file(&at("wp-content/cache/old.html"), b"old")
        .file(&at("wp-content/db.php"), b"<?php")
        .file(&at("index.php"), b"<?php")
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(zip: ZipBuilder) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("site.zip"), zip.bytes()).unwrap();
        std::fs::write(dir.path().join("dump.sql"), DUMP).unwrap();
        Self { dir }
    }

    fn made(&self, check: bool) -> Result<Made> {
        let at = |name: &str| self.dir.path().join(name);
        made(&at("dump.sql"), &at("site.zip"), check)
    }

    fn refusal(self) -> String {
        format!("{:#}", self.made(false).err().expect("it is refused"))
    }
}

fn made(dump: &Path, files: &Path, check: bool) -> Result<Made> {
    archive(&Source { dump, files, prefix: None }, Some("8.2"), check)
}

#[test]
fn a_zip_is_taken_with_its_one_folder_or_without() {
    for base in ["", "public_html/", "./"] {
        let made = Files::new(site(base)).made(false).unwrap();
        assert_eq!(made.report.wordpress_version.as_deref(), Some("5.9.3"), "{base}");
        assert_eq!(made.report.table_prefix, "x9_");
        let codes: Vec<&str> = made.report.findings.iter().map(|f| f.code.as_str()).collect();
        for code in ["constant", "missing_extension", "drop_in"] {
            assert!(codes.contains(&code), "{base}: {code} of {codes:?}");
        }
        let file = made.archive.unwrap();
        let (_, _, report) = inspect::archive(file, &Limits::default()).unwrap();
        assert_eq!((report.files, report.file_bytes), (2, 300_031), "{base}: less the drop-in");
    }
}

#[test]
fn a_folder_and_a_zip_are_the_same() {
    let files = Files::new(site(""));
    let zipped = files.made(true).unwrap().report;
    let root = files.dir.path().join("root");
    for (name, bytes) in [
        ("wp-config.php", CONFIG),
        ("wp-includes/version.php", b"<?php\n$wp_version = '5.9.3';\n".as_slice()),
        ("wp-content/uploads/2020/a.jpg", &[7; 300_000]),
        ("wp-content/plugins/x/composer.json", br#"{"require":{"ext-imagick":"*"}}"#),
        ("wp-content/cache/old.html", b"old"),
        ("wp-content/db.php", b"<?php"),
    ] {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let folder = made(&files.dir.path().join("dump.sql"), &root, true).unwrap().report;
    assert_eq!(folder, zipped);
    // wp-content alone: what stands around it is read all the same.
    let dump = files.dir.path().join("dump.sql");
    let content = made(&dump, &root.join("wp-content"), true).unwrap().report;
    assert_eq!(content, zipped);
}

#[test]
fn hostile_zips_are_refused() {
    for path in ["wp-content/../../etc/passwd", "/etc/passwd", "wp-content\\x", "wp-content//x"] {
        let zip = site("").entry(path.as_bytes(), b"x", 0o100_644, false);
        assert!(Files::new(zip).refusal().contains("leads elsewhere"), "{path}");
    }
    let link = site("").entry(b"wp-content/link", b"/etc/passwd", 0o120_777, false);
    let report = Files::new(link).made(true).unwrap().report;
    assert!(report.findings.iter().any(|finding| finding.code == "left_out"));
    let locked = site("").entry(b"wp-content/x", b"x", 0o100_644, true);
    assert!(Files::new(locked).refusal().contains("encrypted"));
    let twice = site("").file("wp-content/a", b"1").file("wp-content/a", b"2");
    assert!(Files::new(twice).refusal().contains("twice"));
    let bomb = site("").file("wp-content/zeros", &vec![0; 120 * 1024 * 1024]);
    assert!(Files::new(bomb).refusal().contains("unpack"));
    let nothing = ZipBuilder::new().file("readme.txt", b"x");
    assert!(Files::new(nothing).refusal().contains("neither a web root"));
}

#[test]
fn what_is_no_zip_is_told() {
    let files = Files::new(site(""));
    std::fs::write(files.dir.path().join("site.zip"), b"no zip").unwrap();
    assert!(files.refusal().contains("neither a folder nor a zip"));
}

/// Members of an archive, and when they were changed.
#[derive(Default)]
struct Times(Vec<(String, u64)>);

impl Visitor for Times {
    fn manifest(&mut self, _: &Manifest) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn member(&mut self, member: &Member, _: &mut dyn Read) -> Result<Flow, ArchiveError> {
        self.0.push((shown(&member.path), member.mtime));
        Ok(Flow::On)
    }
}

#[test]
fn files_of_a_zip_keep_their_times() {
    let site = site("").file_of("wp-content/uploads/b.jpg", b"b", 1_234_567_890);
    let file = Files::new(site).made(false).unwrap().archive.unwrap();
    let mut times = Times::default();
    read::read(file, &Limits::default(), Check::Whole, &mut times).unwrap();
    let Times(times) = times;
    assert!(times.contains(&("wp-content/uploads/b.jpg".to_owned(), 1_234_567_890)), "{times:?}");
}

#[test]
fn what_php_is_asked_for_is_told() {
    let site = site("")
        .file(
            "wp-content/plugins/shop/shop.php",
            b"<?php // Plugin Name: Shop\n// Requires PHP: 8.4",
        )
        .file("wp-content/themes/bread/style.css", b"/*\nTheme Name: B\nRequires PHP: 7.4\n*/")
        .file("wp-content/themes/bread/composer.json", br#"{"require":{"ext-ldap":"*"}}"#);
    let report = Files::new(site).made(true).unwrap().report;
    let told: Vec<&str> = report.findings.iter().map(|found| found.message.as_str()).collect();
    for what in [
        "plugin `shop` asks for PHP 8.4, and PHP here is 8.2",
        "the newest is 8.4 (plugin `shop`)",
        "theme `bread` asks for PHP's extension ldap",
    ] {
        assert!(told.iter().any(|message| message.contains(what)), "{what}: {told:?}");
    }
}
