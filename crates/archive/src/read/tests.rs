//! An archive comes back as it was written, and whatever was done to it is noticed.

use tar::EntryType;

use super::*;
use crate::manifest::ManifestDatabase;
use crate::manifest::ManifestFiles;
use crate::manifest::ManifestTenant;
use crate::manifest::ManifestWordPress;
use crate::write::ArchiveWriter;
use crate::write::Fit;

pub(crate) fn a_manifest() -> Manifest {
    let home = "http://bakery.localhost".to_owned();
    Manifest {
        format_version: FORMAT_VERSION,
        platform_version: "0.1.0".to_owned(),
        tenant: ManifestTenant { name: "bakery".to_owned(), uid: "u".to_owned() },
        wordpress: ManifestWordPress { version: None, siteurl: home.clone(), home },
        database: ManifestDatabase {
            table_prefix: "wp_".to_owned(),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_unicode_520_ci".to_owned(),
            tables: 1,
            bytes: 1,
        },
        files: ManifestFiles { count: 1, bytes: 1 },
        created_at: "2026-11-21T00:00:00Z".to_owned(),
        foreign: false,
    }
}

fn writer() -> ArchiveWriter<Vec<u8>> {
    ArchiveWriter::new(Vec::new(), 2, &a_manifest(), 7).unwrap()
}

/// Names that trouble tools: long, not UTF-8, with line breaks and backslashes.
fn names() -> Vec<Vec<u8>> {
    vec![
        b"plain.txt".to_vec(),
        "uploads/ä ö ü 日本.png".as_bytes().to_vec(),
        format!("uploads/{}/{}", "d".repeat(200), "f".repeat(240)).into_bytes(),
        b"uploads/not\xffutf8".to_vec(),
        b"uploads/not\xfeutf8".to_vec(),
        b"uploads/line\nbreak\\slash".to_vec(),
    ]
}

fn an_archive() -> Vec<u8> {
    let mut writer = writer();
    writer.document(b"kind: Tenant\n").unwrap();
    writer.database(b"INSERT INTO `wp_x` VALUES (1);\n").unwrap();
    writer.folder(b"", 1).unwrap();
    writer.folder(b"uploads", 2).unwrap();
    for name in names() {
        writer.file(&name, 3, 9).unwrap();
        writer.data(b"abc").unwrap();
        assert_eq!(writer.end_file().unwrap(), Fit::Exact);
    }
    writer.finish().unwrap()
}

#[derive(Default)]
struct Collect {
    members: Vec<(Member, Vec<u8>)>,
}

impl Visitor for Collect {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        assert_eq!(*manifest, a_manifest());
        Ok(())
    }

    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError> {
        let mut text = Vec::new();
        data.read_to_end(&mut text)?;
        self.members.push((member.clone(), text));
        Ok(Flow::On)
    }
}

fn check(archive: &[u8]) -> Result<Collect, ArchiveError> {
    let mut collect = Collect::default();
    read(archive, &Limits::default(), Check::Whole, &mut collect)?;
    Ok(collect)
}

#[test]
fn what_was_written_is_read() {
    let found = check(&an_archive()).unwrap().members;
    let files: Vec<&[u8]> = found
        .iter()
        .filter(|(member, _)| member.kind == MemberKind::File)
        .map(|(member, _)| member.below_content())
        .collect();
    assert_eq!(files, names());
    assert!(found.iter().all(|(member, data)| member.kind != MemberKind::File || data == b"abc"));
    assert_eq!(found[1].1, b"INSERT INTO `wp_x` VALUES (1);\n");
    assert_eq!(found[3].0.path, b"wp-content/uploads");
}

#[test]
fn any_tar_and_sha256sum_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let plain = zstd::stream::decode_all(&*an_archive()).unwrap();
    std::fs::write(dir.path().join("x.tar"), plain).unwrap();
    let run = |program: &str, args: &[&str]| {
        let done = std::process::Command::new(program)
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run("tar", &["xf", "x.tar"]);
    run("sha256sum", &["--strict", "-c", "checksums.sha256"]);
}

#[test]
fn an_archive_that_was_cut_anywhere_is_refused() {
    let whole = an_archive();
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let error = check(&whole[..length]).map(drop).unwrap_err();
        assert!(!matches!(error, ArchiveError::Io(_)), "{length}: {error:?}");
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    let plain = zstd::stream::decode_all(&*an_archive()).unwrap();
    let place = plain.windows(3).rposition(|three| three == b"abc").unwrap();
    let mut changed = plain.clone();
    changed[place] = b'x';
    let error = check(&zstd::stream::encode_all(&*changed, 1).unwrap()).map(drop).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let mut broken = an_archive();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    assert!(check(&broken).is_err());
}

#[test]
fn nothing_stands_after_its_end() {
    let mut longer = an_archive();
    longer.extend(zstd::stream::encode_all(&b"more"[..], 1).unwrap());
    assert!(check(&longer).is_err());
    assert!(check(&[an_archive(), an_archive()].concat()).is_err(), "two in one");
}

#[test]
fn what_is_too_large_is_refused_before_it_is_kept() {
    let mut collect = Collect::default();
    let bomb = an_archive();
    let error =
        read(&*bomb, &Limits { bytes_max: 2048, ..Limits::default() }, Check::Whole, &mut collect)
            .unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge(_)), "{error:?}");
}

#[test]
fn a_file_that_changed_while_it_was_read_keeps_its_announced_size() {
    let mut writer = writer();
    for (name, size, fit) in [(&b"a"[..], 5, Fit::Padded), (b"b", 1, Fit::Cut)] {
        writer.file(name, size, 0).unwrap();
        writer.data(b"abc").unwrap();
        assert_eq!(writer.end_file().unwrap(), fit);
    }
    let found = check(&writer.finish().unwrap()).unwrap().members;
    assert_eq!(found[0].1, b"abc\0\0");
    assert_eq!(found[1].1, b"a");
}

#[test]
fn links_and_strange_members_are_refused() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo] {
        let mut builder = tar::Builder::new(Vec::new());
        let text = serde_json::to_vec(&a_manifest()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, "aip.json", &*text).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, "wp-content/x", "/etc/passwd").unwrap();
        let packed = zstd::stream::encode_all(&*builder.into_inner().unwrap(), 1).unwrap();
        let error = check(&packed).map(drop).unwrap_err();
        assert!(error.to_string().contains("neither file nor folder"), "{kind:?}: {error}");
    }
}

/// A tar that begins as an archive does, and goes on with entries of these types, sizes and names.
fn a_tar(entries: &[(u8, u64, &str)]) -> Vec<u8> {
    let text = serde_json::to_vec(&a_manifest()).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    builder.append_data(&mut header, "aip.json", &*text).unwrap();
    for (kind, size, data) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_path("wp-content/x").unwrap();
        header.set_entry_type(EntryType::new(*kind));
        header.set_size(*size);
        header.set_cksum();
        let zeros = io::repeat(0).take(*size - data.len() as u64);
        builder.append(&header, data.as_bytes().chain(zeros)).unwrap();
    }
    zstd::stream::encode_all(&*builder.into_inner().unwrap(), 1).unwrap()
}

#[test]
fn what_stands_before_a_member_is_kept_within_bounds() {
    for kind in [b'L', b'K', b'x'] {
        let error = check(&a_tar(&[(kind, 64 * 1024 + 1, "")])).map(drop).unwrap_err();
        assert!(matches!(error, ArchiveError::TooLarge(_)), "{kind}: {error:?}");
        assert!(error.to_string().contains("65537 bytes; 65536 are taken"), "{error}");
        let twice = check(&a_tar(&[(kind, 9, ""), (kind, 9, "")])).map(drop).unwrap_err();
        assert!(twice.to_string().contains("two names"), "{twice}");
        let alone = check(&a_tar(&[(kind, 9, "")])).map(drop).unwrap_err();
        assert!(matches!(alone, ArchiveError::Incomplete), "{alone:?}");
    }
    for kind in [b'g', b'S', b'M', b'V', b'N', b'D', b'Z'] {
        let error = check(&a_tar(&[(kind, 512, "")])).map(drop).unwrap_err();
        assert!(error.to_string().contains("neither file nor folder"), "{kind}: {error}");
    }
}

#[test]
fn extended_headers_of_other_tools_are_read() {
    let path = format!("wp-content/uploads/{}", "d".repeat(200));
    let length = path.len() + "210 path=\n".len();
    let record = format!("{length} path={path}\n");
    let mut found = Collect::default();
    let tar = a_tar(&[(b'x', record.len() as u64, &record), (b'0', 3, "abc")]);
    let error = read(&*tar, &Limits::default(), Check::Whole, &mut found).unwrap_err();
    assert!(matches!(error, ArchiveError::Incomplete), "it has no checksums: {error:?}");
    let (member, data) = found.members.pop().unwrap();
    assert_eq!((member.path, data), (path.into_bytes(), b"abc".to_vec()));
    let other = check(&a_tar(&[(b'x', 12, "12 size=999\n"), (b'0', 3, "abc")])).map(drop);
    assert!(other.unwrap_err().to_string().contains("--format=gnu"));
}

#[test]
fn what_shrinks_as_no_site_does_is_refused() {
    let mut writer = writer();
    let size = 8 << 20;
    writer.file(b"zeros", size, 0).unwrap();
    writer.data(&vec![0; 8 << 20]).unwrap();
    writer.end_file().unwrap();
    let archive = writer.finish().unwrap();
    assert!(check(&archive).is_ok(), "a small one may");
    let limits = Limits { ratio_from: 1 << 20, ..Limits::default() };
    let mut collect = Collect::default();
    let error = read(&*archive, &limits, Check::Whole, &mut collect).unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge(_)), "also within a visitor: {error:?}");
    assert!(error.to_string().contains("200 times"), "{error}");
    // What shrinks as texts do is taken.
    assert!(
        read(
            &*an_archive(),
            &Limits { ratio_from: 0, ..limits },
            Check::Whole,
            &mut Collect::default()
        )
        .is_ok()
    );
}

#[test]
fn the_list_of_checksums_has_lines_of_names() {
    let mut state = an_archive();
    let plain = zstd::stream::decode_all(&*state).unwrap();
    let at = plain.windows(16).rposition(|part| part == b"checksums.sha256").unwrap();
    // Its header says how long it is; its lines are cut, the rest is one line without an end.
    let mut changed = plain;
    changed[at + 512..].fill(b'a');
    state = zstd::stream::encode_all(&*changed, 1).unwrap();
    let error = check(&state).map(drop).unwrap_err();
    assert!(error.to_string().contains("checksums.sha256: "), "{error}");
}
