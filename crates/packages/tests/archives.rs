//! Good archives are read and described; hostile ones are refused for the right reason, before a
//! byte of them is written anywhere.

use std::fs::File;
use std::io::Seek;
use std::io::Write;

use aipress_packages::Archive;
use aipress_packages::Described;
use aipress_packages::Limits;
use aipress_packages::Refusal;
use aipress_packages::build::ZipBuilder;
use aipress_packages::headers::describe;
use aipress_types::PackageKind;

fn on_disk(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

fn checked(bytes: &[u8], limits: &Limits) -> Result<Archive, Refusal> {
    let archive = Archive::open(on_disk(bytes)?, limits)?;
    archive.verify()?;
    Ok(archive)
}

fn described(bytes: &[u8], wanted: Option<PackageKind>) -> Result<Described, Refusal> {
    describe(&checked(bytes, &Limits::default())?, wanted)
}

#[test]
fn a_plugin_is_described_and_read() {
    let bytes = ZipBuilder::plugin("bread", "1.2.3", "// bake")
        .folder("bread/inc/")
        .file("bread/inc/oven.php", b"<?php // hot")
        .file("__MACOSX/bread/._bread.php", b"fork")
        .bytes();
    assert_eq!(
        described(&bytes, None).unwrap(),
        Described {
            kind: PackageKind::Plugin,
            name: "bread".into(),
            version: "1.2.3".into(),
            title: "The bread".into(),
            requires: Some("6.0".into()),
            requires_php: Some("8.0".into()),
            tested: Some("7.1".into()),
        }
    );
    let archive = checked(&bytes, &Limits::default()).unwrap();
    let paths: Vec<&str> = archive.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["bread.php", "readme.txt", "inc", "inc/oven.php"]);
    let mut contents = Vec::new();
    archive.read(&archive.entries()[3], &mut contents).unwrap();
    assert_eq!(contents, b"<?php // hot");
}

#[test]
fn the_kind_is_found_and_a_wrong_one_refused() {
    let theme = ZipBuilder::theme("crust", "2.0", "<?php").bytes();
    assert_eq!(described(&theme, None).unwrap().kind, PackageKind::Theme);
    assert!(described(&theme, Some(PackageKind::Plugin)).is_err());
    let both = ZipBuilder::theme("crust", "2.0", "<?php")
        .file("crust/x.php", b"<?php // Plugin Name: X\n// Version: 3")
        .bytes();
    let error = described(&both, None).unwrap_err().to_string();
    assert!(error.contains("say which"), "{error}");
    assert_eq!(described(&both, Some(PackageKind::Plugin)).unwrap().version, "3");
    assert_eq!(described(&both, Some(PackageKind::Theme)).unwrap().version, "2.0");
    for (bytes, word) in [
        (ZipBuilder::new().file("x/y.txt", b"").bytes(), "neither plugin nor theme"),
        (ZipBuilder::new().file("x/x.php", b"<?php // Plugin Name: X").bytes(), "Version:"),
        (ZipBuilder::new().bytes(), "empty"),
        (ZipBuilder::new().file("a b/x.php", b"").bytes(), "folder"),
    ] {
        let error = described(&bytes, None).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn entries_that_lead_elsewhere_or_collide_are_refused() {
    for (path, word) in [
        ("../evil.php", "elsewhere"),
        ("x/../../evil.php", "elsewhere"),
        ("/etc/cron.d/evil", "absolute"),
        ("C:/evil", "absolute"),
        ("x\\..\\evil", "backslash"),
        ("x//evil", "empty name"),
        ("x/x.php", "twice"),
        ("x/X.PHP", "case"),
        ("x/x.php/inner", "twice"),
        ("y/x.php", "one folder"),
        ("loose.php", "beside"),
    ] {
        let bytes = ZipBuilder::plugin("x", "1", "").file(path, b"evil").bytes();
        let error = checked(&bytes, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{path}: {error}");
    }
}

#[test]
fn links_devices_and_secrets_are_refused() {
    for (mode, encrypted, word) in [
        (0o120_777, false, "link"),
        (0o060_644, false, "device"),
        (0o010_644, false, "device"),
        (0o100_644, true, "encrypted"),
    ] {
        let bytes = ZipBuilder::plugin("x", "1", "")
            .entry(b"x/evil", b"/etc/shadow", mode, encrypted)
            .bytes();
        let error = checked(&bytes, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{mode:o}: {error}");
    }
}

#[test]
fn bombs_and_crowds_are_refused() {
    let zeros = vec![0; 32 * 1024 * 1024];
    let bomb = ZipBuilder::plugin("x", "1", "").file("x/zeros", &zeros).bytes();
    assert!(bomb.len() < 100_000, "a bomb is small");
    let error = checked(&bomb, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("ratio"), "{error}");
    let limits = Limits { file_bytes: 1024, ..Limits::default() };
    assert!(matches!(checked(&bomb, &limits), Err(Refusal::TooMuch { .. })));
    let mut crowd = ZipBuilder::plugin("x", "1", "");
    for number in 0..30_000 {
        crowd = crowd.file(&format!("x/{number}"), b"");
    }
    let error = checked(&crowd.bytes(), &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("number of entries"), "{error}");
}

#[test]
fn a_damaged_archive_is_never_taken_for_a_whole_one() {
    let bytes = ZipBuilder::plugin("bread", "1.2.3", &"// bake\n".repeat(200)).bytes();
    assert!(checked(&bytes, &Limits::default()).is_ok());
    for end in 0..bytes.len() {
        assert!(checked(&bytes[..end], &Limits::default()).is_err(), "cut at {end}");
    }
    let mut refused = 0;
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        // Dates and the like may be damaged without harm: then it reads as it did.
        match checked(&damaged, &Limits::default()) {
            Err(_) => refused += 1,
            Ok(archive) => {
                let mut main = Vec::new();
                archive.read(&archive.entries()[0], &mut main).unwrap();
                assert!(main.ends_with(b"// bake\n\n"), "byte {place}");
            }
        }
    }
    assert!(refused > bytes.len() / 2, "{refused} of {}", bytes.len());
    assert!(checked(b"<html>not a zip</html>", &Limits::default()).is_err());
}

#[test]
fn a_size_that_lies_is_found_while_reading() {
    // The declared size is smaller than the contents: both headers are edited.
    let bytes = ZipBuilder::new().file("x/a", &[7; 5000]).bytes();
    let size = 5000_u32.to_le_bytes();
    let mut lying = bytes.clone();
    for place in 0..lying.len() - 4 {
        if lying[place..place + 4] == size {
            lying[place..place + 4].copy_from_slice(&10_u32.to_le_bytes());
        }
    }
    assert_ne!(lying, bytes);
    assert!(checked(&lying, &Limits::default()).is_err());
}
