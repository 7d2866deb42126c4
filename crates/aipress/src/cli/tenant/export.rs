//! `aipress tenant export`: an archive of a site, as it is written; a broken connection goes on.

mod writing;

use std::io::ErrorKind;
use std::io::IsTerminal;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use aipress_api::ExportView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use http_body_util::BodyExt;
use tempfile::NamedTempFile;

use crate::args::TenantExport;
use crate::cli::tenant::export::writing::Writing;
use crate::cli::tenant::locked;
use crate::cli::tenant::locked::Sink;
use crate::cli::tenant::patience::Interrupts;
use crate::cli::tenant::patience::Patience;
use crate::cli::tenant::progress::Meter;
use crate::cli::tenant::progress::size;
use crate::exit::Failure;

/// Longest wait for the next byte before the connection counts as broken: an export may wait for
/// its turn, but a line that died without a word would be waited for for ever.
const STALL: Duration = Duration::from_secs(120);
/// Longest wait for the shard's last word after the last byte.
const END: Duration = Duration::from_secs(30);
/// Between two questions for it: it is a moment away.
const ASK: Duration = Duration::from_millis(20);

/// Exports the site.
pub(super) async fn run(client: &ApiClient, args: TenantExport) -> Result<(), Failure> {
    if client.is_dry_run() {
        // Before a file is made.
        client.tenant_export(&args.tenant).await?;
    }
    let lock = locked::lock(&args.lock)?;
    if args.file.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "an archive is nothing for a terminal: add `> site.aip` or --file site.aip".to_owned(),
        ));
    }
    let mut interrupts = Interrupts::new()?;
    let (out, place) = destination(args.file.as_deref())?;
    let named = match &args.file {
        Some(path) => path.display().to_string(),
        None => "standard output".to_owned(),
    };
    let writing = Writing::begin(Sink::new(out, lock.as_ref())?, named)?;
    let begun = Instant::now();
    // Whoever gives up here drops `place`, and with it the half file.
    let got = interrupts.or(fetch(client, &args.tenant, writing)).await?;
    if let Some(place) = place {
        place.end()?;
    }
    for note in &got.export.notes {
        crate::output::tell(&format!("note: {note}"));
    }
    crate::output::tell(&format!(
        "{} exported{}: {} in {:.1} s",
        got.export.tenant_name,
        if lock.is_some() { " and encrypted" } else { "" },
        size(got.bytes),
        begun.elapsed().as_secs_f64(),
    ));
    Ok(())
}

/// A whole archive that was written.
struct Got {
    export: ExportView,
    bytes: u64,
}

async fn fetch(client: &ApiClient, tenant: &str, writing: Writing) -> Result<Got, Failure> {
    let accepted = client.tenant_export(tenant).await?;
    let id = accepted.export.id.to_string();
    let mut download = Download { at: 0, etag: String::new(), writing };
    let mut meter = Meter::new("exported");
    let arrived = download.run(client, &id, &mut meter).await;
    let Download { at: bytes, writing, .. } = download;
    meter.end(bytes);
    arrived?;
    let checksum = writing.end().await?;
    let export = ended(client, &id).await?;
    if export.crc32.as_deref() != Some(checksum.as_str()) {
        return Err(Failure::Failed(anyhow::anyhow!(
            "what arrived has the checksum {checksum}, the archive another: export the site again"
        )));
    }
    Ok(Got { export, bytes })
}

/// A file that gets its name once it is whole.
struct Place {
    file: NamedTempFile,
    path: PathBuf,
}

type Out = Box<dyn Write + Send>;

/// Where it is written to.
fn destination(path: Option<&Path>) -> Result<(Out, Option<Place>), Failure> {
    let Some(path) = path else {
        // Not as Rust's own standard output, which looks for ends of lines in it.
        let out = std::io::stdout().as_fd().try_clone_to_owned()?;
        return Ok((Box::new(std::fs::File::from(out)), None));
    };
    let failed = |error| anyhow::anyhow!("{}: {error}", path.display());
    // A pipe or a device is written to; it is no file that another could replace.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let file = std::fs::File::options().write(true).open(path).map_err(failed)?;
        return Ok((Box::new(file), None));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut named = tempfile::Builder::new();
    named.prefix(".aipress-").suffix(".part");
    let file = named.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(|error| {
        match error.kind() {
            // The file that is missing is ours, and its name says nothing to anybody.
            ErrorKind::NotFound => anyhow::anyhow!("{}: its folder is not there", path.display()),
            _ => failed(error),
        }
    })?;
    let out = file.as_file().try_clone().map_err(failed)?;
    Ok((Box::new(out), Some(Place { file, path: path.to_owned() })))
}

impl Place {
    fn end(self) -> Result<(), Failure> {
        let path = self.path.display().to_string();
        let failed = |error: tempfile::PersistError| anyhow::anyhow!("{path}: {}", error.error);
        self.file.persist(&self.path).map_err(failed)?;
        Ok(())
    }
}

struct Download {
    at: u64,
    etag: String,
    writing: Writing,
}

impl Download {
    /// Until the last byte, whatever breaks in between.
    async fn run(
        &mut self,
        client: &ApiClient,
        id: &str,
        meter: &mut Meter,
    ) -> Result<(), Failure> {
        let mut patience = Patience::default();
        loop {
            let before = self.at;
            match self.stream(client, id, meter).await {
                Ok(()) => return Ok(()),
                Err(Failure::Api(ApiError::Transport(_) | ApiError::Unexpected { .. })) => {}
                // The shard is coming back, say.
                Err(Failure::Api(ApiError::Problem(problem))) if problem.status >= 500 => {}
                Err(other) => return Err(other),
            }
            if self.at > before {
                patience.renew();
            }
            if !patience.wait().await {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "the download breaks again and again; the archive is kept for 24 h: \
                     GET /v1/exports/{id}/data"
                )));
            }
        }
    }

    async fn stream(
        &mut self,
        client: &ApiClient,
        id: &str,
        meter: &mut Meter,
    ) -> Result<(), Failure> {
        let download = client.export_data(id, self.at).await?;
        if self.at > 0 && download.etag != self.etag {
            return Err(Failure::Failed(anyhow::anyhow!(
                "the shard had to begin the archive anew: export the site again"
            )));
        }
        self.etag = download.etag;
        let mut body = download.body;
        let broken =
            |detail: String| ApiError::Unexpected { path: id.to_owned(), status: 200, detail };
        loop {
            let next = tokio::time::timeout(STALL, body.frame()).await;
            let Some(frame) = next.map_err(|_| broken("nothing arrives".to_owned()))? else {
                return Ok(());
            };
            if let Ok(data) = frame.map_err(|error| broken(error.to_string()))?.into_data() {
                self.at += data.len() as u64;
                self.writing.give(data).await?;
                meter.show(self.at, None);
            }
        }
    }
}

/// The export once its end is recorded, which is a moment after its last byte.
async fn ended(client: &ApiClient, id: &str) -> Result<ExportView, Failure> {
    let until = Instant::now() + END;
    loop {
        let export = client.export_fetch(id).await?;
        match export.state.as_str() {
            "running" if Instant::now() < until => {
                tokio::time::sleep(ASK).await;
            }
            "done" => return Ok(export),
            _ => {
                let why = export.message.unwrap_or_else(|| "it does not end".to_owned());
                return Err(Failure::Failed(anyhow::anyhow!("the export failed: {why}")));
            }
        }
    }
}
