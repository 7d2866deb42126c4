//! The rows of an archive's database, table by table, to be compared with another's.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Manifest;
use aipress_archive::Member;
use aipress_archive::MemberKind;
use aipress_archive::read;
use aipress_archive::read::Check;
use aipress_archive::read::Flow;
use aipress_archive::read::Visitor;

/// What WordPress writes by itself between two looks: caches with an age, the clock of its cron.
const PASSING: &[&str] = &["'_transient_", "'_site_transient_", "'cron'", "'session_tokens'"];

/// Definitions and rows, in order of their text.
pub(super) struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    /// Of this file.
    pub(super) fn of(archive: &Path) -> Self {
        let text = dump(archive);
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut table = String::new();
        for line in text.lines().filter(|line| !line.starts_with("SET ")) {
            for head in ["CREATE TABLE `", "INSERT INTO `"] {
                if let Some(rest) = line.strip_prefix(head) {
                    table = rest.split('`').next().unwrap().to_owned();
                }
            }
            let line = line.trim_end_matches([',', ';']);
            // The next id is no row.
            let line = line.split(" AUTO_INCREMENT=").next().unwrap();
            if !PASSING.iter().any(|name| line.contains(name)) && !line.starts_with("INSERT") {
                tables.entry(table.clone()).or_default().push(line.to_owned());
            }
        }
        tables.values_mut().for_each(|rows| rows.sort());
        Self(tables)
    }

    pub(super) fn tables(&self) -> usize {
        self.0.len()
    }

    /// Compares each row of each table.
    pub(super) fn is_the_same_as(&self, other: &Self) {
        let names = |rows: &Self| rows.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(other));
        for (table, rows) in &self.0 {
            let there = &other.0[table];
            let missing: Vec<_> = rows.iter().filter(|row| !there.contains(row)).collect();
            let added: Vec<_> = there.iter().filter(|row| !rows.contains(row)).collect();
            assert!(
                missing.is_empty() && added.is_empty(),
                "{table}: {missing:?} became {added:?}"
            );
            assert_eq!(rows.len(), there.len(), "{table}");
        }
    }
}

/// The database of an archive, as SQL.
pub(super) fn dump(archive: &Path) -> String {
    let mut look = Look { sql: Vec::new() };
    let file = std::fs::File::open(archive).unwrap();
    read::read(file, &Limits::default(), Check::Whole, &mut look).unwrap();
    String::from_utf8(look.sql).unwrap()
}

struct Look {
    sql: Vec<u8>,
}

impl Visitor for Look {
    fn manifest(&mut self, _: &Manifest) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError> {
        if member.kind == MemberKind::Database {
            data.read_to_end(&mut self.sql)?;
        }
        Ok(Flow::On)
    }
}
