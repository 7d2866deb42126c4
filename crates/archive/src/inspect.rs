//! Looks at a whole site before anything is made of it: whether it can be taken, and what of it
//! will not work here, with the reason. What stops an import is an error, the rest is told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;

use serde::Deserialize;
use serde::Serialize;

use crate::error::ArchiveError;
use crate::manifest::Manifest;
use crate::member::Member;
use crate::member::MemberKind;
use crate::member::Shown;
use crate::read;
use crate::read::Check;
use crate::read::Flow;
use crate::read::Limits;
use crate::read::Visitor;
use crate::serialized;
use crate::sql::Judge;
use crate::sql::Rules;
use crate::sql::Splitter;
use crate::sql::Statement;
use crate::sql::Verdict;
use crate::sql::rows;

/// Most findings of a report; a count follows.
const FINDINGS_MAX: usize = 100;
/// Largest value of an option that is kept for the report, in bytes.
const OPTION_MAX: usize = 256 * 1024;
/// Most bytes of options that are kept, of all tables: a site has some KiB, a dump several sites.
const OPTIONS_MAX: usize = 16 * 1024 * 1024;
/// Longest message of a finding, in characters: names from a dump stand in it.
const MESSAGE_MAX: usize = 1_000;
/// Files directly in `wp-content` that WordPress runs before anything else, and whose place is the
/// platform's here.
pub const DROP_INS: &[&str] = &[
    "advanced-cache.php",
    "object-cache.php",
    "db.php",
    "db-error.php",
    "sunrise.php",
    "maintenance.php",
    "fatal-error-handler.php",
    "install.php",
    "blog-deleted.php",
    "blog-inactive.php",
    "blog-suspended.php",
];
/// Folders of caches directly in `wp-content`: made anew by whoever needs them.
pub const CACHES: &[&str] = &["cache", "wflogs", "et-cache", "litespeed", "wpo-cache"];
/// Plugins that do what the platform does, and fight it: folder, what it is, what replaces it.
const FIGHTING: &[(&str, &str)] = &[
    ("w3-total-cache", CACHE),
    ("wp-super-cache", CACHE),
    ("wp-fastest-cache", CACHE),
    ("litespeed-cache", CACHE),
    ("wp-rocket", CACHE),
    ("cache-enabler", CACHE),
    ("comet-cache", CACHE),
    ("hummingbird-performance", CACHE),
    ("sg-cachepress", CACHE),
    ("breeze", CACHE),
    ("redis-cache", OBJECT),
    ("memcached", OBJECT),
    ("wp-redis", OBJECT),
    ("object-cache-pro", OBJECT),
    ("updraftplus", BACKUP),
    ("backwpup", BACKUP),
    ("duplicator", BACKUP),
    ("all-in-one-wp-migration", BACKUP),
    ("backupbuddy", BACKUP),
    ("wordfence", WAF),
    ("better-wp-security", WAF),
    ("sucuri-scanner", WAF),
    ("all-in-one-wp-security-and-firewall", WAF),
    ("wp-cerber", WAF),
    ("ninjafirewall", WAF),
];
const CACHE: &str = "a page cache: pages are cached by the platform's edge";
const OBJECT: &str = "an object cache: the platform's Redis is used without it";
const BACKUP: &str = "a backup plugin: backups are the platform's";
const WAF: &str = "a security plugin: it edits files that are not there (.htaccess, wp-config.php)";

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It can't be imported.
    Error,
    /// Something will not work as before.
    Warning,
    /// Something is different, which most sites don't notice.
    Note,
}

/// One thing that is worth telling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Stable word for programs.
    pub code: String,
    /// What it is, and what becomes of it.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(level: Level, code: &str, message: impl Into<String>) -> Self {
        Self { level, code: code.to_owned(), message: message.into() }
    }
}

/// What a look at a site brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What is worth telling, the worst first.
    pub findings: Vec<Finding>,
    /// Name that the site had.
    pub name: String,
    /// Address that the site had.
    pub home: String,
    /// Address that its WordPress had.
    pub siteurl: String,
    /// Prefix of its tables.
    pub table_prefix: String,
    /// Tables.
    pub tables: u64,
    /// `db_version` of its options: which WordPress its database is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_version: Option<u64>,
    /// WordPress version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wordpress_version: Option<String>,
    /// Active plugins.
    pub plugins: Vec<String>,
    /// Bytes of SQL.
    pub database_bytes: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Whether it comes from another host.
    pub foreign: bool,
}

impl Report {
    /// Whether it can be imported.
    pub fn is_fine(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Error)
    }

    /// Adds a finding, the worst first and within bounds.
    pub fn add(&mut self, mut finding: Finding) {
        if let Some((end, _)) = finding.message.char_indices().nth(MESSAGE_MAX) {
            finding.message.truncate(end);
            finding.message.push('…');
        }
        if self.findings.contains(&finding) {
            return;
        }
        self.findings.push(finding);
        self.findings.sort();
        self.findings.truncate(FINDINGS_MAX);
    }
}

/// Gathers what a dump and a tree of files say of their site.
pub struct Inspector {
    judge: Judge,
    tables: BTreeSet<String>,
    options: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    options_left: usize,
    report: Report,
}

impl Inspector {
    /// A look at a site that may come from another host.
    pub fn new(foreign: bool) -> Self {
        let report = Report { foreign, ..Report::default() };
        let rules = Rules { foreign, ..Rules::default() };
        Self {
            judge: Judge::new(rules),
            tables: BTreeSet::new(),
            options: BTreeMap::new(),
            options_left: OPTIONS_MAX,
            report,
        }
    }

    /// Looks at the next statement of the dump.
    pub fn statement(&mut self, statement: &Statement) {
        self.report.database_bytes += statement.text.len() as u64;
        match self.judge.judge(statement) {
            Ok(Verdict::Run(run)) => {
                if !run.rows && run.sql.starts_with(b"CREATE") {
                    self.tables.insert(run.table.clone());
                }
                if run.rows
                    && run.table.ends_with("options")
                    && self.tables.contains(&run.table)
                    && self.options_left > 0
                {
                    let kept = self.options.entry(run.table.clone()).or_default();
                    keep_options(kept, &run.sql, &mut self.options_left);
                }
            }
            Ok(Verdict::Ignored) => {}
            Ok(Verdict::Left(what)) => self.report.add(Finding::new(
                Level::Warning,
                "not_taken",
                format!("{what} is left out: only tables and their rows are taken"),
            )),
            Err(error) => {
                self.report.add(Finding::new(Level::Error, "statement_refused", error.to_string()));
            }
        }
    }

    /// Looks at a file below `wp-content`.
    pub fn file(&mut self, below: &[u8], size: u64) {
        self.report.files += 1;
        self.report.file_bytes += size;
        if let Some(name) = DROP_INS.iter().find(|name| name.as_bytes() == below) {
            self.report.add(Finding::new(
                Level::Note,
                "drop_in",
                format!("wp-content/{name} does nothing here: its place is the platform's"),
            ));
        }
    }

    /// Adds a finding of one's own.
    pub fn add(&mut self, finding: Finding) {
        self.report.add(finding);
    }

    /// The prefixes of which there is a whole WordPress.
    pub fn prefixes(&self) -> Vec<String> {
        self.tables
            .iter()
            .filter_map(|table| table.strip_suffix("options"))
            .filter(|prefix| {
                ["posts", "users", "usermeta"]
                    .iter()
                    .all(|name| self.tables.contains(&format!("{prefix}{name}")))
            })
            .map(str::to_owned)
            .collect()
    }

    /// What was found of the WordPress with this prefix; without one, of the only one there is.
    pub fn finish(mut self, prefix: Option<&str>) -> Report {
        self.report.tables = self.tables.len() as u64;
        let prefixes = self.prefixes();
        let error = |code: &str, message: String| Finding::new(Level::Error, code, message);
        let prefix = match (prefix, &*prefixes) {
            (Some(wanted), _) if prefixes.iter().any(|found| found == wanted) => wanted.to_owned(),
            (None, [only]) => only.clone(),
            (Some(wanted), _) => {
                let found =
                    if prefixes.is_empty() { "none".to_owned() } else { prefixes.join(", ") };
                self.report.add(error(
                    "no_wordpress",
                    format!("the database has no WordPress with the table prefix `{wanted}`; found: {found}"),
                ));
                return self.report;
            }
            (None, []) => {
                self.report.add(error(
                    "no_wordpress",
                    "the database has no WordPress: tables …options, …posts, …users and …usermeta \
                     are needed"
                        .to_owned(),
                ));
                return self.report;
            }
            (None, several) => {
                self.report.add(error(
                    "several_wordpress",
                    format!(
                        "the database has several WordPress sites, with the table prefixes {}: \
                         say which with --prefix",
                        several.join(", ")
                    ),
                ));
                return self.report;
            }
        };
        self.finish_with(&prefix);
        self.report
    }

    fn finish_with(&mut self, prefix: &str) {
        let options = self.options.remove(&format!("{prefix}options")).unwrap_or_default();
        let text = |name: &str| {
            options.get(name).map(|value| String::from_utf8_lossy(value).trim().to_owned())
        };
        let report = &mut self.report;
        report.table_prefix = prefix.to_owned();
        let address = |name: &str| text(name).unwrap_or_default().trim_end_matches('/').to_owned();
        (report.home, report.siteurl) = (address("home"), address("siteurl"));
        report.db_version = text("db_version").and_then(|version| version.parse().ok());
        report.plugins = active_plugins(options.get("active_plugins").map(Vec::as_slice));
        let multisite = ["blogs", "site", "sitemeta"]
            .iter()
            .all(|name| self.tables.contains(&format!("{prefix}{name}")));
        if multisite {
            report.add(Finding::new(
                Level::Error,
                "multisite",
                "it is a multisite (a network): only single sites are taken; export the wanted \
                 site of the network by itself first",
            ));
        }
        if !report.home.contains("://") && !multisite {
            report.add(Finding::new(
                Level::Warning,
                "no_address",
                "the options have no address (`home`): addresses in texts stay as they are",
            ));
        }
        for plugin in report.plugins.clone() {
            let folder = plugin.split('/').next().unwrap_or(&plugin);
            if let Some((_, why)) = FIGHTING.iter().find(|(name, _)| *name == folder) {
                report.add(Finding::new(
                    Level::Warning,
                    "fighting_plugin",
                    format!("plugin `{folder}` is {why}; deactivate it after the import"),
                ));
            }
        }
        if let Some(path) = text("upload_path")
            && !path.is_empty()
            && path != "wp-content/uploads"
        {
            report.add(Finding::new(
                Level::Note,
                "upload_path",
                format!(
                    "the option upload_path ({}) is of the old host: uploads are in \
                     wp-content/uploads here, and the option is emptied",
                    path.chars().take(100).collect::<String>()
                ),
            ));
        }
        if prefix != "wp_" {
            report.add(Finding::new(
                Level::Note,
                "table_prefix",
                format!("tables and keys that begin with `{prefix}` are renamed to `wp_`"),
            ));
        }
    }
}

fn keep_options(kept: &mut BTreeMap<String, Vec<u8>>, sql: &[u8], left: &mut usize) {
    const WANTED: &[&str] =
        &["home", "siteurl", "db_version", "active_plugins", "upload_path", "template"];
    rows::each(sql, |row| {
        // The name stands before its value, whether the id is there or not.
        for pair in row.windows(2) {
            let [Some(name), Some(value)] = pair else { continue };
            let name = String::from_utf8_lossy(name);
            if WANTED.contains(&&*name)
                && value.len() <= OPTION_MAX.min(*left)
                && !kept.contains_key(&*name)
            {
                *left -= value.len();
                kept.insert(name.into_owned(), value.to_vec());
            }
        }
    });
}

fn active_plugins(serialized: Option<&[u8]>) -> Vec<String> {
    let found = std::cell::RefCell::new(Vec::new());
    let note = |text: &[u8]| {
        found.borrow_mut().push(String::from_utf8_lossy(text).into_owned());
        None
    };
    if let Some(text) = serialized.filter(|text| text.starts_with(b"a:")) {
        let _ = serialized::rewrite(text, &note);
    }
    let mut plugins = found.into_inner();
    plugins.retain(|plugin| plugin.ends_with(".php"));
    plugins
}

/// Looks at a whole archive: that it is whole, and what it has.
///
/// # Errors
/// When it is not whole or not an archive; what is wrong with the site in it is in the report.
pub fn archive(
    input: impl Read,
    limits: &Limits,
) -> Result<(Manifest, Option<Vec<u8>>, Report), ArchiveError> {
    let mut look = Look { manifest: None, document: None, inspector: None };
    read::read(input, limits, Check::Whole, &mut look)?;
    let (Some(manifest), Some(inspector)) = (look.manifest, look.inspector) else {
        return Err(ArchiveError::Incomplete);
    };
    let prefix = manifest.database.table_prefix.clone();
    let mut report = inspector.finish(Some(&prefix));
    report.name.clone_from(&manifest.tenant.name);
    report.wordpress_version.clone_from(&manifest.wordpress.version);
    Ok((manifest, look.document, report))
}

struct Look {
    manifest: Option<Manifest>,
    document: Option<Vec<u8>>,
    inspector: Option<Inspector>,
}

impl Visitor for Look {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.inspector = Some(Inspector::new(manifest.foreign));
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError> {
        let Some(inspector) = &mut self.inspector else { return Err(ArchiveError::Incomplete) };
        match member.kind {
            MemberKind::Document => {
                let mut text = Vec::new();
                data.read_to_end(&mut text)?;
                self.document = Some(text);
            }
            MemberKind::Database => {
                // Chunks end between statements, so each is cut by itself.
                let mut splitter = Splitter::new(data);
                while let Some(statement) = splitter.next_statement()? {
                    inspector.statement(&statement);
                }
            }
            MemberKind::File => inspector.file(member.below_content(), member.size),
            _ => {}
        }
        Ok(Flow::On)
    }
}

/// A path for people.
pub fn shown(path: &[u8]) -> String {
    Shown(path).to_string()
}

#[cfg(test)]
mod tests;
