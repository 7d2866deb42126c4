//! `tenant export`, `tenant import`, `tenant clone`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::args::Wait;

/// `tenant export`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantExport {
    /// Name or uid of the site
    pub(crate) tenant: String,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lock: ExportLock,
}

/// What an export is encrypted with.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ExportLock {
    /// Encrypt it on this machine to this recipient (age1…, of age-keygen); may be repeated
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "passphrase_file")]
    pub(crate) encrypt_to: Vec<String>,
    /// Encrypt it on this machine under the passphrase in the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// What an import is opened with.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ImportKey {
    /// File with the identity (AGE-SECRET-KEY-1…) that opens an encrypted archive; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase_file", "from_sql"])]
    pub(crate) identity: Vec<PathBuf>,
    /// File whose first line is the passphrase of an encrypted archive
    #[arg(long, value_name = "FILE", conflicts_with = "from_sql")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// `tenant import`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantImport {
    /// The archive, or - for standard input
    #[arg(
        required_unless_present = "from_sql",
        conflicts_with = "from_sql",
        value_name = "ARCHIVE"
    )]
    pub(crate) archive: Option<PathBuf>,
    /// Name of the site that is made: 3 to 40 of a-z, 0-9 and -
    #[arg(long)]
    pub(crate) name: String,
    /// A dump of another host's WordPress: .sql, .sql.gz or .sql.zst
    #[arg(long, value_name = "DUMP", requires = "files")]
    pub(crate) from_sql: Option<PathBuf>,
    /// Its files: the web root, or wp-content itself; a folder or a .zip
    #[arg(long, value_name = "DIR|ZIP", requires = "from_sql")]
    pub(crate) files: Option<PathBuf>,
    /// Table prefix, where the dump has several WordPress sites [default: as in wp-config.php, else
    /// the only one]
    #[arg(long, value_name = "PREFIX", requires = "from_sql")]
    pub(crate) prefix: Option<String>,
    /// Only look at it and say what will not work here
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) key: ImportKey,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `tenant clone`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TenantClone {
    /// Name or uid of the site that is copied
    pub(crate) tenant: String,
    /// Name of the new site
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
