//! `aipress tenant export`: an archive of a site, as it is written; a broken connection goes on.

use std::fs::File;
use std::io::IsTerminal;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use aipress_api::ExportView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use http_body_util::BodyExt;
use sha2::Digest;
use sha2::Sha256;

use crate::args::TenantExport;
use crate::cli::tenant::progress::Meter;
use crate::exit::Failure;

/// Times in a row that a connection may break without a byte in between.
const BREAKS: u32 = 20;
const AGAIN: Duration = Duration::from_millis(500);
/// Longest wait for the shard's last word after the last byte.
const END: Duration = Duration::from_secs(30);

/// Exports the site.
pub(super) async fn run(client: &ApiClient, args: TenantExport) -> Result<(), Failure> {
    if client.is_dry_run() {
        // Before a file is made, or emptied.
        client.tenant_export(&args.tenant).await?;
    }
    let mut out: Box<dyn Write> = match &args.file {
        Some(path) => {
            let failed = |error| anyhow::anyhow!("{}: {error}", path.display());
            Box::new(File::create(path).map_err(failed)?)
        }
        None if std::io::stdout().is_terminal() => {
            return Err(Failure::Usage(
                "an archive is nothing for a terminal: add `> site.aip` or --file site.aip"
                    .to_owned(),
            ));
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let accepted = client.tenant_export(&args.tenant).await?;
    let id = accepted.export.id.to_string();
    let mut download = Download { at: 0, hash: Sha256::new(), etag: String::new() };
    let mut meter = Meter::new("exported");
    let begun = Instant::now();
    download.run(client, &id, &mut *out, &mut meter).await?;
    out.flush()?;
    meter.end(download.at);
    let export = ended(client, &id).await?;
    let sha256 = hex::encode(download.hash.finalize());
    if export.sha256.as_deref() != Some(sha256.as_str()) {
        return Err(Failure::Failed(anyhow::anyhow!(
            "what arrived has the SHA-256 {sha256}, the archive another: export the site again"
        )));
    }
    for note in &export.notes {
        eprintln!("note: {note}");
    }
    eprintln!(
        "{} exported: {} in {:.1} s, SHA-256 {sha256}",
        export.tenant_name,
        crate::cli::tenant::progress::size(download.at),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

struct Download {
    at: u64,
    hash: Sha256,
    etag: String,
}

impl Download {
    /// Until the last byte, whatever breaks in between.
    async fn run(
        &mut self,
        client: &ApiClient,
        id: &str,
        out: &mut dyn Write,
        meter: &mut Meter,
    ) -> Result<(), Failure> {
        let mut breaks = 0;
        loop {
            let before = self.at;
            match self.stream(client, id, out, meter).await {
                Ok(()) => return Ok(()),
                Err(Failure::Api(ApiError::Transport(_) | ApiError::Unexpected { .. })) => {}
                // The shard is coming back, say.
                Err(Failure::Api(ApiError::Problem(problem))) if problem.status >= 500 => {}
                Err(other) => return Err(other),
            }
            breaks = if self.at > before { 0 } else { breaks + 1 };
            if breaks > BREAKS {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "the download breaks again and again; the archive is kept for 24 h: \
                     GET /v1/exports/{id}/data"
                )));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn stream(
        &mut self,
        client: &ApiClient,
        id: &str,
        out: &mut dyn Write,
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
        loop {
            let Some(frame) = body.frame().await else { return Ok(()) };
            let broken = |error: hyper::Error| ApiError::Unexpected {
                path: id.to_owned(),
                status: 200,
                detail: error.to_string(),
            };
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                out.write_all(&data)?;
                self.hash.update(&data);
                self.at += data.len() as u64;
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
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            "done" => return Ok(export),
            _ => {
                let why = export.message.unwrap_or_else(|| "it does not end".to_owned());
                return Err(Failure::Failed(anyhow::anyhow!("the export failed: {why}")));
            }
        }
    }
}
