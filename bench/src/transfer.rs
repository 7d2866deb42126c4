//! A site of 1 GB leaves in one file and comes back under another name, by the command line as a
//! user types it; beside `mariadb-dump | zstd` and `tar | zstd` of the same site, and back into the
//! same server. Then a site of 2 GB, for the memory that it takes.

mod contents;
mod memory;
mod peer;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use aipress_api::tenant::TenantView;
use aipress_types::Tier;
use anyhow::Context;
use anyhow::ensure;

use crate::args::Options;
use crate::cores::Cores;
use crate::peer::Site;
use crate::platform::Platform;
use crate::results::Better;
use crate::results::Row;
use crate::results::Run;
use crate::scratch::Scratch;
use crate::stats::Seeded;
use crate::stats::Stats;
use crate::transfer::contents::Contents;
use crate::transfer::memory::Peaks;
use crate::transfer::peer::Pipes;

/// Bytes of a site as `measuring.md` asks for it: a quarter of them rows, the rest files.
const GB: u64 = 1_000_000_000;
/// Floor and aim of the speed, as a multiple of the peer's.
const BOUNDS: (f64, f64) = (0.9, 1.2);
/// Most memory of any process of ours, in MB, whatever the size of the site.
const MEMORY_MB: f64 = 256.0;
/// The server writes dirty pages back: not within somebody's time.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_LIMIT: Duration = Duration::from_secs(60);

/// Measures.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Run> {
    let scratch = Scratch::make(&options.scratch, "transfer")?;
    let cores = Cores::shared();
    let mut run = Run::begin("transfer", options, cores, scratch.path())?;
    let platform = Platform::start(options, cores, scratch.path()).await?;
    measure(options, &platform, scratch.path(), &mut run).await?;
    Ok(run)
}

/// Seconds of one way, ours and the peer's.
#[derive(Default)]
struct Way {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

async fn measure(
    options: &Options,
    platform: &Platform,
    scratch: &Path,
    run: &mut Run,
) -> anyhow::Result<()> {
    let bytes = if options.quick { GB / 20 } else { GB };
    let mut seeded = Seeded::new(options.seed);
    let name = seeded.name("transfer");
    let tenant = platform.create(&name, Tier::Bronze).await?;
    let site = Site::look(platform, &tenant).await?;
    let mut contents = Contents::new(&site, platform, &tenant)?;
    eprintln!("  a site of {} MB is filled", bytes / 1_000_000);
    contents.fill(&mut seeded, bytes).await?;
    let pipes = Pipes::new(&site, platform, &tenant, scratch);
    let bench = Bench { platform, site: &site, tenant: &tenant, scratch, pipes };
    let (mut out, mut back) = (Way::default(), Way::default());
    for round in 0..options.samples(5, 1) {
        let copy = seeded.name("copy");
        // Whoever goes first meets colder caches: they take turns.
        for ours in [round % 2 == 0, round % 2 != 0] {
            bench.settle().await?;
            let took = if ours { bench.export().await? } else { bench.pipes.export().await? };
            let of = if ours { &mut out.ours } else { &mut out.peer };
            of.push(took);
        }
        for ours in [round % 2 != 0, round % 2 == 0] {
            bench.settle().await?;
            let took = if ours { bench.import(&copy).await? } else { bench.pipes.import().await? };
            let of = if ours { &mut back.ours } else { &mut back.peer };
            of.push(took);
            if ours {
                bench.compare(&copy).await?;
                bench.erase(&copy).await?;
            } else {
                bench.pipes.clear().await?;
            }
        }
        let last = |values: &[f64]| values.last().copied().unwrap_or_default();
        eprintln!(
            "  round {}: out {:.1} s beside {:.1} s, back {:.1} s beside {:.1} s",
            round + 1,
            last(&out.ours),
            last(&out.peer),
            last(&back.ours),
            last(&back.peer)
        );
    }
    describe(run, &contents);
    rows(run, &out, &back);
    eprintln!("  the site grows to twice its size");
    contents.fill(&mut seeded, bytes).await?;
    let peaks = bench.peaks(&seeded.name("large")).await?;
    memory_row(run, &contents, &peaks);
    Ok(())
}

fn describe(run: &mut Run, contents: &Contents) {
    run.method(format!(
        "a site with {} MB of rows (posts, their metadata, comments; addresses and PHP's serialization in them) and {} MB in {} files of wp-content, of which seven eighths don't shrink",
        contents.row_bytes / 1_000_000,
        contents.file_bytes / 1_000_000,
        contents.files
    ));
    run.method("ours: `aipress tenant export NAME --file F`, from its start to its end; `aipress tenant import F --name OTHER` until the site is served, its addresses changed, everything checked by SHA-256, files synced");
    run.method("peer: `mariadb-dump --single-transaction | zstd`, then `tar | zstd`; `zstd -d | mariadb` into a new database of the same server (same durability, same binary log), then `zstd -d | tar -x` and `sync -f`");
    run.method(
        "in turn, after the platform spends no CPU time and `sync`; page cache warm for both",
    );
}

fn rows(run: &mut Run, out: &Way, back: &Way) {
    let both = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
    let round = Way { ours: both(&out.ours, &back.ours), peer: both(&out.peer, &back.peer) };
    for (id, title, way) in [
        ("export", "export", out),
        ("import", "import", back),
        ("round", "export and import", &round),
    ] {
        let ratios: Vec<f64> = way.ours.iter().zip(&way.peer).map(|(a, b)| b / a).collect();
        let of = Stats::of(&ratios);
        run.rows.push(
            Row::new(
                &format!("{id}-ratio"),
                &format!("{title}: peer's time / ours"),
                "×",
                Better::Higher,
                of,
            )
            .bounds(BOUNDS.0, Some(BOUNDS.1)),
        );
        let peer = Stats::of(&way.peer);
        run.rows.push(
            Row::new(&format!("{id}-time"), title, "s", Better::Lower, Stats::of(&way.ours))
                .beside("mariadb-dump, tar, zstd", peer.median, peer),
        );
    }
}

fn memory_row(run: &mut Run, contents: &Contents, peaks: &BTreeMap<String, f64>) {
    let most = peaks.values().copied().fold(0.0, f64::max);
    let title = format!(
        "most memory of a process of ours, site of {:.1} GB",
        (contents.row_bytes + contents.file_bytes) as f64 / GB as f64
    );
    let mut row =
        Row::new("memory", &title, "MB", Better::Lower, Stats::of(&[most])).bounds(MEMORY_MB, None);
    for (name, mb) in peaks {
        row = row.detail(format!("{name}, MB"), *mb);
    }
    run.rows.push(row);
    run.method("memory: the highest resident size (VmHWM) of each process during one export and one import of the larger site; MariaDB is bounded by its own settings and not counted");
}

struct Bench<'a> {
    platform: &'a Platform,
    site: &'a Site,
    tenant: &'a TenantView,
    scratch: &'a Path,
    pipes: Pipes<'a>,
}

impl Bench<'_> {
    async fn settle(&self) -> anyhow::Result<()> {
        rustix::fs::sync();
        self.platform.settle(QUIET, QUIET_LIMIT).await?;
        Ok(())
    }

    fn file(&self) -> std::path::PathBuf {
        self.scratch.join("site.aip")
    }

    async fn export(&self) -> anyhow::Result<f64> {
        let mut command = self.platform.command();
        command.args(["tenant", "export", &self.tenant.name, "--file"]).arg(self.file());
        timed(command).await
    }

    async fn import(&self, name: &str) -> anyhow::Result<f64> {
        let mut command = self.platform.command();
        command.args(["tenant", "import"]).arg(self.file()).args(["--name", name]);
        timed(command).await
    }

    /// What came back is what left: rows, files and bytes.
    async fn compare(&self, name: &str) -> anyhow::Result<()> {
        let copy = self.platform.api.tenant_fetch(name).await?;
        let copy_site = Site::look(self.platform, &copy).await?;
        let (had, has) = (contents::rows(self.site).await?, contents::rows(&copy_site).await?);
        ensure!(had == has, "{had} rows left, {has} came back");
        let had = contents::content_dir(self.platform, self.tenant)?;
        let has = contents::content_dir(self.platform, &copy)?;
        let (had, has) = (contents::files(&had)?, contents::files(&has)?);
        ensure!(had == has, "{had:?} files and bytes left, {has:?} came back");
        Ok(())
    }

    async fn erase(&self, name: &str) -> anyhow::Result<()> {
        for verb in ["delete", "erase"] {
            let mut command = self.platform.command();
            command.args(["tenant", verb, name, "--yes"]);
            timed(command).await?;
        }
        Ok(())
    }

    /// Peaks of memory of one export and one import, in MB by process.
    async fn peaks(&self, name: &str) -> anyhow::Result<BTreeMap<String, f64>> {
        self.settle().await?;
        let peaks = Peaks::begin(self.platform).await?;
        let mut export = self.platform.command();
        export.args(["tenant", "export", &self.tenant.name, "--file"]).arg(self.file());
        let exporting = memory::of_command(export).await?;
        let mut import = self.platform.command();
        import.args(["tenant", "import"]).arg(self.file()).args(["--name", name]);
        let importing = memory::of_command(import).await?;
        let mut found = peaks.end()?;
        found.insert("command line, export".to_owned(), exporting);
        found.insert("command line, import".to_owned(), importing);
        self.compare(name).await?;
        self.erase(name).await?;
        Ok(found)
    }
}

/// Seconds that a command takes; what it says is shown only when it fails.
async fn timed(mut command: Command) -> anyhow::Result<f64> {
    command.stdin(Stdio::null());
    let begun = Instant::now();
    crate::platform::run_quiet(command).await.context("a timed command")?;
    Ok(begun.elapsed().as_secs_f64())
}
