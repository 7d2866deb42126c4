//! A request's body, whole before PHP is asked: in memory when small, else in an unlinked file.
//!
//! php-fpm needs the length before the first byte, which a chunked body does not tell; and a
//! client that sends slowly would pin a worker all the while. So the worker comes last. Bounded: a
//! body by the site's limit, memory by `body_memory_bytes` a request, files by an allowance for
//! each site and for all.

use std::{
    fs::File,
    io::{self, Write},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{config::RuntimeConfig, fastcgi::stdin::Stdin, files::chunk::ChunkReader};

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It is longer than the site takes: 413.
    #[error("the request body is longer than {0} bytes")]
    TooLarge(u64),
    /// The client paused for too long: 408.
    #[error("the client stopped sending its request body")]
    Stalled,
    /// The client left, or what it sent is no HTTP.
    #[error("the request body broke off")]
    Broken,
    /// Too much is in files already: 503.
    #[error("the allowance for request bodies is used up")]
    Full,
    /// The file cannot be written.
    #[error("write a request body to a file")]
    Io(#[source] io::Error),
}

/// Counts bytes in files, for a site and for all.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) site: Arc<AtomicU64>,
    pub(crate) total: Arc<AtomicU64>,
    taken: u64,
}

impl Allowance {
    pub(crate) fn new(site: &Arc<AtomicU64>, total: &Arc<AtomicU64>) -> Self {
        Self { site: Arc::clone(site), total: Arc::clone(total), taken: 0 }
    }

    fn take(&mut self, bytes: u64, config: &RuntimeConfig) -> Result<(), SpoolError> {
        self.taken += bytes;
        let site = self.site.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let total = self.total.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if site > config.site_spool_bytes || total > config.total_spool_bytes {
            return Err(SpoolError::Full);
        }
        Ok(())
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.site.fetch_sub(self.taken, Ordering::Relaxed);
        self.total.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// Reads all of `body`. The allowance is to be kept for as long as the file may exist.
pub(crate) async fn collect<B>(
    body: B,
    limit: u64,
    config: &RuntimeConfig,
    allowance: &mut Allowance,
) -> Result<Stdin, SpoolError>
where
    B: Body<Data = Bytes>,
{
    let hint = body.size_hint();
    if hint.lower() > limit {
        return Err(SpoolError::TooLarge(limit));
    }
    if body.is_end_stream() {
        return Ok(Stdin::empty());
    }
    let mut body: Pin<Box<B>> = Box::pin(body);
    let mut memory = BytesMut::new();
    let mut file: Option<Arc<File>> = None;
    let mut len = 0_u64;
    loop {
        let frame = timeout(config.body_idle_timeout, body.frame());
        let Some(frame) = frame.await.map_err(|_| SpoolError::Stalled)? else { break };
        // Trailers are no part of the body, and CGI has no place for them.
        let Ok(data) = frame.map_err(|_| SpoolError::Broken)?.into_data() else { continue };
        len += data.len() as u64;
        if len > limit {
            return Err(SpoolError::TooLarge(limit));
        }
        memory.extend_from_slice(&data);
        if memory.len() > config.body_memory_bytes {
            allowance.take(memory.len() as u64, config)?;
            file = Some(append(file, memory.split().freeze(), config).await?);
        }
    }
    let Some(file) = file else { return Ok(Stdin::Memory(memory.freeze())) };
    allowance.take(memory.len() as u64, config)?;
    let file = append(Some(file), memory.freeze(), config).await?;
    let file =
        Arc::try_unwrap(file).or_else(|shared| shared.try_clone()).map_err(SpoolError::Io)?;
    Ok(Stdin::File { reader: ChunkReader::new(file.into()), offset: 0, len })
}

async fn append(
    file: Option<Arc<File>>,
    data: Bytes,
    config: &RuntimeConfig,
) -> Result<Arc<File>, SpoolError> {
    let folder = config.spool_dir.clone();
    let writing = spawn_blocking(move || {
        let file = match file {
            Some(file) => file,
            None => Arc::new(tempfile::tempfile_in(folder)?),
        };
        (&*file).write_all(&data)?;
        Ok(file)
    });
    writing.await.map_err(io::Error::other).flatten().map_err(SpoolError::Io)
}
