//! The machine's package archive: the real one for three WordPress versions,
//! and one that is not signed, which must be refused.

#![expect(clippy::expect_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use aipress_cores::{Core, CoreError, CoreStore, MachineApt, Origin, Sources, Version, Wanted};

fn store(data: &Path, cache: &Path, apt: MachineApt) -> CoreStore {
    CoreStore::new(data, cache).with_sources(Sources { release: None, packages: Some(apt) })
}

fn wanted(text: &str) -> Wanted {
    text.parse().expect("wanted")
}

fn php() -> Version {
    "8.2".parse().expect("version")
}

fn quiet(_line: &str) {}

/// No link anywhere, and every PHP file is what PHP can read.
fn assert_plain(dir: &Path) {
    for entry in fs::read_dir(dir).expect("list") {
        let entry = entry.expect("entry");
        let kind = entry.file_type().expect("kind");
        assert!(kind.is_file() || kind.is_dir(), "{} is a link", entry.path().display());
        if kind.is_dir() {
            assert_plain(&entry.path());
        }
    }
}

fn assert_works(core: &Core, branch: &str) {
    assert!(core.manifest.version.is_of(&branch.parse().expect("version")), "{branch}");
    assert_plain(&core.dir);
    assert!(!core.dir.join("wp-config.php").exists(), "Debian's configuration is gone");
    assert!(!core.dir.join(".htaccess").exists());
    for library in [
        "wp-includes/ID3/getid3.php",
        "wp-includes/PHPMailer/PHPMailer.php",
        "wp-includes/js/underscore.min.js",
        "wp-includes/js/dist/vendor/lodash.min.js",
        "wp-includes/js/crop/cropper.js",
        "wp-includes/certificates/ca-bundle.crt",
    ] {
        let size = fs::metadata(core.dir.join(library)).expect(library).len();
        assert!(size > 1000, "{library} has {size} bytes");
    }
    assert!(core.manifest.themes.len() >= 3, "{:?}", core.manifest.themes);
    for theme in core.manifest.themes.iter().filter(|theme| theme.as_str() != "twentytwentyone") {
        let theme = core.dir.join("wp-content/themes").join(theme);
        for part in ["theme.json", "templates/index.html", "parts/header.html", "assets/fonts"] {
            assert!(theme.join(part).exists(), "{} lacks {part}", theme.display());
        }
    }
    let php = Command::new("php").arg("-l").arg(core.dir.join("wp-settings.php")).output();
    assert!(php.expect("php").status.success());
}

/// Needs the network (the machine's own package mirror).
#[tokio::test]
async fn three_versions_from_the_machines_archive() {
    let temp = tempfile::tempdir().expect("folder");
    let cache = temp.path().join("cache");
    let store = store(&temp.path().join("cores"), &cache, MachineApt::default());
    let lines = Mutex::new(Vec::new());
    let progress = |line: &str| lines.lock().expect("lock").push(line.to_owned());
    let told = || lines.lock().expect("lock").join("\n");
    if !fs::read_to_string("/etc/os-release").expect("os-release").contains("ID=debian") {
        // Another distribution has other versions; its newest must do.
        let core = store.ensure(&Wanted::Default, &php(), &progress).await;
        assert_plain(&core.unwrap_or_else(|error| panic!("{error}\n{}", told())).dir);
        return;
    }
    for branch in ["7.1", "6.8", "6.1"] {
        let core = store.ensure(&wanted(branch), &php(), &progress).await;
        let core = core.unwrap_or_else(|error| panic!("{branch}: {error}\n{}", told()));
        assert_works(&core, branch);
        let Origin::Packages { packages, .. } = &core.manifest.origin else {
            panic!("{:?}", core.manifest.origin)
        };
        assert!(packages.iter().any(|package| package.name == "php-getid3"), "{packages:?}");
    }
    let newest = store.ensure(&Wanted::Default, &php(), &progress).await.expect("newest");
    assert_eq!(Some(newest), store.newest_for_php(&php()).expect("list"));

    // A second data folder needs no archive any more.
    let nowhere = MachineApt::beneath(temp.path());
    let second = self::store(&temp.path().join("second"), &cache, nowhere);
    for branch in ["6.1", "default"] {
        second.ensure(&wanted(branch), &php(), &quiet).await.expect(branch);
    }
}

/// A mirror whose lists carry no signature, as somebody between it and us
/// could make them.
#[tokio::test]
async fn an_archive_without_signature_is_refused() {
    let temp = tempfile::tempdir().expect("folder");
    let mirror = temp.path().join("mirror");
    for suite in ["sid", "trixie", "bookworm"] {
        let dist = mirror.join("dists").join(suite);
        fs::create_dir_all(dist.join("main/binary-all")).expect("folder");
        let packages = "Package: wordpress\nVersion: 9.9+dfsg1-1\nArchitecture: all\n\
                        Filename: w.deb\nSize: 1\nSHA256: 00\n";
        fs::write(dist.join("main/binary-all/Packages"), packages).expect("write");
        let release =
            format!("Suite: {suite}\nCodename: {suite}\nArchitectures: all\nComponents: main\n");
        fs::write(dist.join("Release"), release).expect("write");
    }
    let root = temp.path().join("root");
    fs::create_dir_all(root.join("etc/apt")).expect("folder");
    fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_CODENAME=bookworm\n")
        .expect("write");
    let list = format!("deb [trusted=yes] file://{} bookworm main\n", mirror.display());
    fs::write(root.join("etc/apt/sources.list"), list).expect("write");
    let store =
        store(&temp.path().join("cores"), &temp.path().join("cache"), MachineApt::beneath(root));
    let error = store.ensure(&Wanted::Default, &php(), &quiet).await.expect_err("taken");
    assert!(matches!(error, CoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("not signed"), "{error}");
}
