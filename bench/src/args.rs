//! The command line.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::Parser;
use clap::Subcommand;

/// Measures AIPress beside named peers.
#[derive(Debug, Parser)]
#[command(name = "aipress-bench", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// All of them, one after the other
    All(Options),
    /// From `POST /v1/tenants` to the home page
    Create(Options),
    /// Uncached home page beside nginx + php-fpm
    Page(Options),
    /// Memory of idle sites
    Idle(Options),
    /// First request to a site without a PHP process
    Cold(Options),
    /// Scheduled posts of 50 sites, and PHP processes in between
    Cron(Options),
    /// A look at a million audit rows
    Audit(Options),
    /// Lists of 50,000 tenants, filtered and sorted
    List(Options),
    /// Events and operations for 1,000 followers at 100 changes a second
    Events(Options),
    /// Neighbours of a site that takes all it can get
    Noise(Options),
    /// Export and import of a site of 1 GB beside mariadb-dump, tar and zstd
    Transfer(Options),
    /// An HTML page with charts of the results
    Report(Report),
}

/// What every benchmark takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Options {
    /// The binary that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/aipress")]
    pub(crate) aipress: PathBuf,
    /// Few samples, to see that it works; the figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Seed of names and orders
    #[arg(long, default_value_t = 20_261_121)]
    pub(crate) seed: u64,
    /// Folder that data folders are made in; on a disk, since durability is part of the figure
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    pub(crate) scratch: PathBuf,
    /// First Unix id of the platform that is measured
    #[arg(long, value_name = "ID", default_value_t = 930_000)]
    pub(crate) uid_base: u32,
    /// Folder for the results [default: bench/results; with --quick, none is kept in the repository]
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
}

impl Options {
    /// Where results go.
    pub(crate) fn results_dir(&self) -> PathBuf {
        match &self.results {
            Some(dir) => dir.clone(),
            None if self.quick => {
                let target = std::env::var_os("CARGO_TARGET_DIR");
                PathBuf::from(target.unwrap_or_else(|| "target".into())).join("bench-quick")
            }
            None => PathBuf::from("bench/results"),
        }
    }

    /// `full` samples, or `quick` ones with `--quick`.
    pub(crate) fn samples(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// `report`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Report {
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "bench/results")]
    pub(crate) results: PathBuf,
    /// The page [default: report.html beside the results]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Not used; every verb takes it
    #[arg(long, hide = true)]
    pub(crate) aipress: Option<PathBuf>,
}
