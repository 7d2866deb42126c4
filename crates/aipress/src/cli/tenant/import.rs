//! `aipress tenant import`: an archive goes up in pieces, is looked at, and becomes a site.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use aipress_api::ImportCreate;
use aipress_api::ImportView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_archive::Limits;
use aipress_archive::Report;
use aipress_archive::inspect;
use bytes::Bytes;
use sha2::Digest;
use sha2::Sha256;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use crate::args::Output;
use crate::args::TenantImport;
use crate::cli::follow;
use crate::cli::tenant::foreign;
use crate::cli::tenant::foreign::Source;
use crate::cli::tenant::locked;
use crate::cli::tenant::patience::Interrupts;
use crate::cli::tenant::patience::Patience;
use crate::cli::tenant::progress::Meter;
use crate::cli::tenant::progress::size;
use crate::exit::Failure;
use crate::output;

/// One piece, in bytes: a connection that breaks costs no more than this again.
const PIECE: usize = 16 * 1024 * 1024;

/// Imports the site.
pub(super) async fn run(
    client: &ApiClient,
    args: TenantImport,
    output: Output,
) -> Result<(), Failure> {
    let create = ImportCreate { name: args.name.clone(), account: None, spec: None };
    // A foreign site becomes an archive on this machine first; what it says is shown at once.
    let made = match (&args.from_sql, &args.files) {
        (Some(dump), Some(files)) => {
            // A look needs no platform: one that can't be reached leaves a gap in the report only.
            let php = client.me().await.ok().and_then(|me| me.php_version);
            let source = Source { dump, files, prefix: args.prefix.as_deref() };
            let look_only = args.check || client.is_dry_run();
            let made = foreign::archive(&source, php.as_deref(), look_only)?;
            show(&made.report, output)?;
            refuse(&made.report)?;
            if args.check {
                return Ok(());
            }
            if client.is_dry_run() {
                // Ends with the plan: there is no archive of a look.
                return Ok(client.import_create(&create).await.map(drop)?);
            }
            made.archive
        }
        _ => None,
    };
    let (input, total): (Box<dyn Read + Send>, Option<u64>) = match (made, &args.archive) {
        (Some(file), _) => {
            let total = file.metadata()?.len();
            (Box::new(file), Some(total))
        }
        (None, Some(path)) if path == Path::new("-") => (Box::new(std::io::stdin()), None),
        (None, Some(path)) => {
            let failed = |error| anyhow::anyhow!("{}: {error}", path.display());
            let file = File::open(path).map_err(failed)?;
            let found = file.metadata()?;
            if found.is_dir() {
                return Err(Failure::Usage(format!(
                    "{0}: it is a folder, and an archive is a file; the files of another host's \
                     WordPress go with --from-sql DUMP --files {0}",
                    path.display()
                )));
            }
            (Box::new(file), found.is_file().then_some(found.len()))
        }
        (None, None) => return Err(Failure::Usage("give an archive, or --from-sql".to_owned())),
    };
    let mut input = locked::opened(input, locked::key(&args.key)?.as_ref())?;
    if client.is_dry_run() {
        look(&mut *input, &args, output)?;
    }
    let mut interrupts = Interrupts::new()?;
    let import = client.import_create(&create).await?;
    let id = import.id.to_string();
    let sent = interrupts.or(upload(client, &id, input, total)).await;
    let done = match sent {
        Ok(sha256) => finish(client, &id, &sha256, &args, output, &mut interrupts).await,
        Err(error) => Err(error),
    };
    if done.is_err() || args.check {
        // Nothing is left behind; one that is a site by now takes no harm from this.
        let _ = client.import_delete(&id).await;
    }
    done
}

/// What is in an archive of a platform, and whether it can be imported; nothing is sent.
fn look(input: &mut dyn Read, args: &TenantImport, output: Output) -> Result<(), Failure> {
    if args.from_sql.is_some() {
        return Ok(());
    }
    let mut input = std::io::BufReader::new(input);
    let (_, _, report) = inspect::archive(&mut input, &Limits::default())
        .map_err(|error| anyhow::anyhow!("the archive: {error}"))?;
    if output.is_for_people() {
        tell(&report);
    }
    refuse(&report)
}

async fn finish(
    client: &ApiClient,
    id: &str,
    sha256: &str,
    args: &TenantImport,
    output: Output,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    if args.check {
        let report = report_of(&client.import_check(id).await?);
        show(&report, output)?;
        return refuse(&report);
    }
    // A large archive takes a while to be looked at.
    let complete = async { Ok(client.import_complete(id, sha256).await?) };
    let accepted = match interrupts.or(complete).await {
        Err(Failure::Status(status)) => {
            if let Err(ApiError::Problem(_)) = client.import_delete(id).await {
                let name = &args.name;
                output::note(&format!(
                    "The site is being made already: aipress tenant show {name}"
                ));
            }
            return Err(Failure::Status(status));
        }
        other => other?,
    };
    let report = report_of(&client.import_fetch(id).await?);
    if args.from_sql.is_none() && output.is_for_people() {
        tell(&report);
    }
    let operation = accepted.operation;
    if args.wait.no_wait {
        return output::print(output, &operation, |operation| {
            format!("{} is being made: aipress operation watch {}\n", args.name, operation.id)
        });
    }
    follow::to_the_end(client, &operation, Duration::from_secs(args.wait.timeout)).await?;
    let tenant = client.tenant_fetch(&accepted.tenant.uid.to_string()).await?;
    output::print(output, &tenant, |tenant| output::fields(&[("Site", tenant.url.clone())]))
}

/// Sends all of it; a piece that did not get through is sent again from where it broke. The next
/// one is read meanwhile.
async fn upload(
    client: &ApiClient,
    id: &str,
    input: Box<dyn Read + Send>,
    total: Option<u64>,
) -> Result<String, Failure> {
    let (pieces, mut ready) = tokio::sync::mpsc::channel(1);
    let (told, reading) = oneshot::channel();
    // Not a task of the runtime, whose end would wait for an input that says nothing.
    std::thread::Builder::new().name("import-read".to_owned()).spawn(move || {
        let _ = told.send(read_pieces(input, &pieces));
    })?;
    let mut meter = Meter::new("uploaded");
    let mut at = 0_u64;
    while let Some(piece) = ready.recv().await {
        let length = piece.len() as u64;
        send(client, id, at, piece).await?;
        at += length;
        meter.show(at, total);
    }
    meter.end(at);
    let read = reading.await.map_err(|error| anyhow::anyhow!("read the archive: {error}"))?;
    Ok(read?)
}

/// Reads and hashes all of it; ends early when nobody takes it.
fn read_pieces(mut input: Box<dyn Read + Send>, pieces: &Sender<Bytes>) -> io::Result<String> {
    let mut hash = Sha256::new();
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut input).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&piece);
        if pieces.blocking_send(Bytes::from(piece)).is_err() {
            return Ok(String::new());
        }
    }
}

async fn send(client: &ApiClient, id: &str, begin: u64, piece: Bytes) -> Result<(), Failure> {
    let (end, mut at) = (begin + piece.len() as u64, begin);
    let mut patience = Patience::default();
    while at < end {
        let from = usize::try_from(at - begin).unwrap_or(0);
        let rest = piece.slice(from.min(piece.len())..);
        let error = match client.import_append(id, at, rest).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let passing = match &error {
            ApiError::Transport(_) | ApiError::Unexpected { .. } => true,
            ApiError::Planned(_) => false,
            ApiError::Problem(problem) => matches!(problem.status, 400 | 408 | 409 | 500..),
        };
        if !passing || !patience.wait().await {
            return Err(error.into());
        }
        if let Ok(import) = client.import_fetch(id).await {
            if import.offset < begin || import.offset > end {
                return Err(error.into());
            }
            if import.offset > at {
                patience.renew();
            }
            at = import.offset;
        }
    }
    Ok(())
}

fn report_of(import: &ImportView) -> Report {
    let report = import.report.clone().unwrap_or_default();
    serde_json::from_value(report).unwrap_or_default()
}

fn show(report: &Report, output: Output) -> Result<(), Failure> {
    if output.is_for_people() {
        tell(report);
        return Ok(());
    }
    output::print(output, report, |_| String::new())
}

/// What there is, and what of it will not work here.
fn tell(report: &Report) {
    let version = report.wordpress_version.as_deref().unwrap_or("of an unknown version");
    output::tell(&format!(
        "{}: WordPress {version}, {} tables with {} of SQL, {} files with {}",
        if report.home.is_empty() { "a site without an address" } else { &report.home },
        report.tables,
        size(report.database_bytes),
        report.files,
        size(report.file_bytes),
    ));
    for finding in &report.findings {
        let level = format!("{:?}", finding.level).to_ascii_lowercase();
        output::tell(&format!("{level}: {}", finding.message));
    }
}

fn refuse(report: &Report) -> Result<(), Failure> {
    if report.is_fine() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::anyhow!("it can't be imported; nothing was made")))
}
