//! Writer and reader together, on a real disk.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use aipress_api::LogLine;
use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_testkit::SmallDisk;
use uuid::Uuid;

use crate::LineId;
use crate::LogLimits;
use crate::LogQuery;
use crate::LogReader;
use crate::LogWriter;
use crate::NewLine;
use crate::Order;

const PATIENCE: Duration = Duration::from_secs(30);
const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

struct Log {
    dir: tempfile::TempDir,
    writer: LogWriter,
    reader: LogReader,
}

impl Log {
    fn new(limits: LogLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for tenant in [A, B] {
            std::fs::create_dir(dir.path().join(tenant.to_string())).unwrap();
        }
        let writer = LogWriter::start(dir.path(), "local", limits).unwrap();
        let reader = LogReader::new(dir.path());
        Self { dir, writer, reader }
    }

    fn php(&self, tenant: Uuid, severity: Severity, message: impl Into<String>) {
        self.writer.push(tenant, NewLine::new(LogSource::Php, "php", severity, message));
    }

    fn flushed(&self) {
        assert!(self.writer.flush(PATIENCE), "lines are written in time");
    }

    /// All pages, as a caller goes through them.
    fn all(&self, tenant: Uuid, query: &LogQuery) -> Vec<LogLine> {
        let mut query = query.clone();
        let mut lines = Vec::new();
        loop {
            let read = self.reader.read(tenant, &query).unwrap();
            lines.extend(read.lines);
            if !read.is_more {
                return lines;
            }
            assert!(read.last != query.after, "a page goes on");
            query.after = read.last;
        }
    }

    fn messages(&self, tenant: Uuid, query: &LogQuery) -> Vec<String> {
        self.all(tenant, query).into_iter().map(|line| line.message).collect()
    }

    fn bytes(&self, tenant: Uuid) -> u64 {
        size(&self.dir.path().join(tenant.to_string()))
    }
}

fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.metadata().unwrap() {
            it if it.is_dir() => size(&entry.path()),
            it => it.len(),
        })
        .sum()
}

fn query(limit: usize) -> LogQuery {
    LogQuery { limit, ..LogQuery::default() }
}

fn oldest_first(limit: usize) -> LogQuery {
    LogQuery { order: Order::OldestFirst, ..query(limit) }
}

#[test]
fn lines_come_back_in_both_orders_whatever_the_size_of_a_page() {
    let log = Log::new(LogLimits { segment_bytes: 20_000, ..LogLimits::default() });
    for number in 0..1_000 {
        log.php(A, Severity::Notice, format!("line {number} {}", "x".repeat(number % 300)));
        if number % 3 == 0 {
            let line =
                NewLine::new(LogSource::Cron, "php", Severity::Info, format!("run {number}"));
            log.writer.push(A, line);
        }
        if number % 100 == 99 {
            log.flushed();
        }
    }
    let all = log.all(A, &oldest_first(1_000_000));
    assert_eq!(all.len(), 1_334);
    assert!(all.is_sorted_by_key(|line| line.id.parse::<LineId>().unwrap()));
    for limit in [1, 7, 500] {
        assert_eq!(log.all(A, &oldest_first(limit)), all, "{limit}");
        let mut newest_first = log.all(A, &query(limit));
        newest_first.reverse();
        assert_eq!(newest_first, all, "{limit}");
    }
    assert!(log.all(B, &query(10)).is_empty(), "of another tenant there is nothing");
    assert!(log.all(Uuid::from_u128(9), &query(10)).is_empty());
}

#[test]
fn filters_keep_what_was_asked_for() {
    let log = Log::new(LogLimits::default());
    for number in 0..100 {
        let severity = if number % 10 == 0 { Severity::Error } else { Severity::Notice };
        log.php(A, severity, format!("broken \"{number}\" ü"));
        log.writer.push(A, NewLine::new(LogSource::Mail, "php", Severity::Info, "not sent"));
    }
    log.flushed();
    let errors = LogQuery { severity: Some(Severity::Warning), ..query(1_000) };
    assert_eq!(log.messages(A, &errors).len(), 10);
    let mail = LogQuery { sources: vec![LogSource::Mail], ..query(3) };
    assert_eq!(log.messages(A, &mail), vec!["not sent"; 100]);
    let one = LogQuery { contains: Some("\"42\" ü".to_owned()), ..query(5) };
    assert_eq!(log.messages(A, &one), ["broken \"42\" ü"]);
    let none = LogQuery { contains: Some("severity".to_owned()), ..query(5) };
    assert!(log.messages(A, &none).is_empty(), "names of fields are no text of a line");
    let all = log.all(A, &oldest_first(1_000));
    let at = |index: usize| Some(all[index].id.parse::<LineId>().unwrap().micros);
    let within = LogQuery { since: at(50), until: at(60), ..query(2) };
    let mut found = log.all(A, &within);
    found.reverse();
    let since = at(50).unwrap()..at(60).unwrap();
    let expected: Vec<_> = all
        .iter()
        .filter(|line| since.contains(&line.id.parse::<LineId>().unwrap().micros))
        .cloned()
        .collect();
    assert_eq!(found, expected);
    assert!((9..=11).contains(&found.len()), "{}", found.len());
}

#[test]
fn a_flood_costs_the_flooder_its_oldest_lines_and_nobody_else_one() {
    let limits = LogLimits {
        large_bytes: 2 * 1024 * 1024,
        segment_bytes: 256 * 1024,
        queue_bytes: 256 * 1024,
        total_queue_bytes: 1024 * 1024,
        ..LogLimits::default()
    };
    let log = Log::new(limits);
    let text = "PHP Warning: something ".repeat(50);
    let (mut sent, mut bytes, mut most_waiting) = (0_u64, 0, 0);
    let started = Instant::now();
    while bytes < 100 * 1024 * 1024 {
        log.php(A, Severity::Warning, format!("{sent} {text}"));
        (sent, bytes) = (sent + 1, bytes + text.len());
        if sent % 100 == 0 {
            log.php(B, Severity::Notice, format!("{}", sent / 100));
            most_waiting = most_waiting.max(log.writer.waiting_bytes());
        }
    }
    let took = started.elapsed();
    log.flushed();
    let quiet = log.messages(B, &oldest_first(1_000));
    let expected: Vec<String> = (1..=sent / 100).map(|number| number.to_string()).collect();
    assert_eq!(quiet, expected, "the neighbour loses nothing, in {took:?}");
    assert!(most_waiting <= 1024 * 1024 + 16 * 1024, "{most_waiting} bytes waited");
    assert!(log.bytes(A) <= 2 * 1024 * 1024, "{} bytes on disk", log.bytes(A));
    let newest = log.reader.read(A, &query(5)).unwrap().lines;
    assert!(newest[0].message.starts_with(&format!("{} ", sent - 1)), "the newest line is there");
    // What is on disk says of each hole how large it is.
    let kept = log.all(A, &oldest_first(1_000));
    let mut before: Option<u64> = None;
    let mut missing = 0;
    for line in &kept {
        if let Some(dropped) = line.dropped {
            assert!(line.message.contains("missing here"));
            missing = dropped;
            continue;
        }
        let number: u64 = line.message.split(' ').next().unwrap().parse().unwrap();
        if let Some(before) = before {
            assert_eq!(number, before + missing + 1);
        }
        (before, missing) = (Some(number), 0);
    }
}

#[test]
fn the_next_writer_goes_on_where_a_killed_one_ended() {
    let log = Log::new(LogLimits::default());
    log.php(A, Severity::Notice, "before");
    log.flushed();
    let folder = log.dir.path().join(A.to_string()).join("php");
    let segment = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&segment).unwrap();
    let half = [whole.as_slice(), b"{\"id\":\"1795269509123456-php\",\"ti"].concat();
    std::fs::write(&segment, half).unwrap();
    assert_eq!(log.messages(A, &query(10)), ["before"], "half a line is no line");
    let next = LogWriter::start(log.dir.path(), "local", LogLimits::default()).unwrap();
    next.push(A, NewLine::new(LogSource::Php, "php", Severity::Notice, "after"));
    assert!(next.flush(PATIENCE));
    assert_eq!(log.messages(A, &oldest_first(10)), ["before", "after"]);
}

#[test]
fn a_tenant_without_a_folder_gets_none() {
    let log = Log::new(LogLimits::default());
    let erased = Uuid::from_u128(7);
    log.php(erased, Severity::Error, "too late");
    log.flushed();
    assert!(!log.dir.path().join(erased.to_string()).exists());
}

#[test]
fn links_are_not_followed() {
    let log = Log::new(LogLimits::default());
    log.php(B, Severity::Error, "of another");
    log.flushed();
    let (a, b) = (log.dir.path().join(A.to_string()), log.dir.path().join(B.to_string()));
    std::os::unix::fs::symlink(b.join("php"), a.join("php")).unwrap();
    assert!(log.reader.read(A, &query(10)).is_err());
    std::fs::remove_dir(&a).unwrap_err();
    std::fs::remove_file(a.join("php")).unwrap();
    std::fs::create_dir(a.join("php")).unwrap();
    let segment = std::fs::read_dir(b.join("php")).unwrap().next().unwrap().unwrap().path();
    std::os::unix::fs::symlink(&segment, a.join("php").join(segment.file_name().unwrap())).unwrap();
    assert!(log.reader.read(A, &query(10)).is_err());
}

#[test]
fn what_is_too_old_goes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(A.to_string()).join("php");
    std::fs::create_dir_all(&folder).unwrap();
    let old = folder.join("00001000000000000000.jsonl");
    std::fs::write(&old, "{\"id\":\"1000000000000000-php\"}\n").unwrap();
    let month_ago = std::time::SystemTime::now() - Duration::from_secs(31 * 24 * 3600);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(month_ago).unwrap();
    let writer = LogWriter::start(dir.path(), "local", LogLimits::default()).unwrap();
    writer.push(A, NewLine::new(LogSource::Php, "php", Severity::Notice, "new"));
    assert!(writer.flush(PATIENCE));
    assert!(!old.exists());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn two_processes_write_one_source_and_no_line_is_lost_or_out_of_order() {
    // Small segments, so that each finds that the other has begun a new one.
    let limits = LogLimits { segment_bytes: 16 * 1024, ..LogLimits::default() };
    let log = Log::new(limits.clone());
    let other = LogWriter::start(log.dir.path(), "local", limits).unwrap();
    for number in 0..2000 {
        log.php(A, Severity::Info, format!("gateway {number}"));
        let line = NewLine::new(LogSource::Php, "shard", Severity::Info, format!("shard {number}"));
        other.push(A, line);
        if number % 50 == 0 {
            log.flushed();
        }
        if number % 70 == 0 {
            assert!(other.flush(PATIENCE));
        }
    }
    log.flushed();
    assert!(other.flush(PATIENCE));
    let lines = log.all(A, &oldest_first(500));
    for who in ["gateway", "shard"] {
        let own: Vec<_> = lines.iter().filter(|line| line.message.starts_with(who)).collect();
        let expected: Vec<_> = (0..2000).map(|number| format!("{who} {number}")).collect();
        assert_eq!(
            own.iter().map(|line| &line.message).collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
    }
    let ids: Vec<LineId> = lines.iter().map(|line| line.id.parse().unwrap()).collect();
    assert!(ids.windows(2).all(|two| two[0] < two[1]), "ids grow");
    let folder = log.dir.path().join(A.to_string()).join("php");
    assert!(std::fs::read_dir(folder).unwrap().count() > 2, "it went over segments");
}

#[test]
fn what_root_begins_is_the_folders_owners() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let log = Log::new(LogLimits::default());
    let folder = log.dir.path().join(A.to_string());
    std::os::unix::fs::chown(&folder, Some(230_990), Some(230_990)).unwrap();
    // A segment of an older build, which left it to root.
    let source = folder.join("php");
    std::fs::create_dir(&source).unwrap();
    std::os::unix::fs::chown(&source, Some(230_990), Some(230_990)).unwrap();
    let begun = crate::id::now_micros();
    std::fs::write(source.join(format!("{begun:020}.jsonl")), "").unwrap();
    log.php(A, Severity::Info, "by root");
    log.flushed();
    let segments: Vec<_> = std::fs::read_dir(&source).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(segments.len(), 1);
    let owner = std::os::unix::fs::MetadataExt::uid(&segments[0].metadata().unwrap());
    assert_eq!(owner, 230_990);
    assert_eq!(log.messages(A, &oldest_first(10)), ["by root"]);
}

#[test]
fn a_full_disk_costs_lines_which_are_counted_and_holds_up_nobody() {
    let Some(disk) = SmallDisk::new("a full disk of logs", 16) else { return };
    let writer = LogWriter::start(disk.path(), "local", LogLimits::default()).unwrap();
    for tenant in [A, B] {
        std::fs::create_dir(disk.path().join(tenant.to_string())).unwrap();
    }
    let push = |tenant, message: String| {
        writer.push(tenant, NewLine::new(LogSource::Php, "php", Severity::Error, message));
    };
    // One tenant has a log, the other could not even make it.
    push(A, "before".into());
    assert!(writer.flush(PATIENCE));
    disk.fill(0);
    for number in 0..300 {
        push(A, format!("{number} {}", "x".repeat(4_000)));
        push(B, format!("{number} {}", "x".repeat(4_000)));
        if number % 50 == 0 {
            assert!(writer.flush(PATIENCE), "nobody waits for a disk that takes nothing");
        }
    }
    assert!(writer.flush(PATIENCE));
    disk.free();
    let reader = LogReader::new(disk.path());
    for tenant in [A, B] {
        push(tenant, "after".into());
        assert!(writer.flush(PATIENCE));
        let query = LogQuery { limit: 1_000, ..LogQuery::default() };
        let lines = reader.read(tenant, &query).unwrap().lines;
        assert!(lines.iter().any(|line| line.message == "after"), "it goes on");
        let kept = lines.iter().filter(|line| line.message.contains("xxx")).count() as u64;
        let missing: u64 = lines.iter().filter_map(|line| line.dropped).sum();
        assert!(missing > 0, "some did not fit");
        assert_eq!(kept + missing, 300, "each is there or counted");
    }
}
