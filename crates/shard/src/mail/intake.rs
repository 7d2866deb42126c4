//! The socket that PHP's `mail()` writes to (`php/mail.php`): five texts, each as `LENGTH:BYTES,`
//! (to, subject, message, headers, the tenant's uid), answered by `+ID` or `-WHY NOT` and a line end.
//!
//! Who sends is told by the kernel: the socket's other end has the Unix user of a slot. Only where all
//! sites share one user, without root, the uid that PHP says counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_drivers::Slot;
use aipress_kit::listen::Listener;
use aipress_kit::tasks;
use aipress_types::TenantUid;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::From;
use super::compose::Given;
use crate::journal::Entry;
use crate::plane::Plane;

/// Largest message with its attachments, in bytes.
const MESSAGE_MAX: u64 = 10 * 1024 * 1024;
/// Longest of the other texts, in bytes.
const FIELD_MAX: u64 = 64 * 1024;
/// Connections at once; more wait in the backlog.
const CONNECTIONS: usize = 256;
/// Of one site: as many workers as it can have, and some; the others are the other sites'.
const CONNECTIONS_OF_ONE: usize = 32;
/// Messages that are read at once, one of each site.
const READ_AT_ONCE: usize = 8;
/// Time for a turn and a message: it comes from this machine's memory.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Pause after a failed accept (out of descriptors), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Turns to be read.
struct Turns {
    all: Semaphore,
    /// One for each Unix user that ever sent: the slots'.
    own: Mutex<BTreeMap<u32, Own>>,
}

/// What one Unix user has of them.
#[derive(Clone)]
struct Own {
    /// Its turn.
    turn: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

impl Own {
    fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            connections: Arc::new(Semaphore::new(CONNECTIONS_OF_ONE)),
        }
    }
}

/// Takes mail until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, listener: Listener, stop: CancellationToken) {
    let Listener::Unix(listener) = listener else { return };
    let turns =
        Arc::new(Turns { all: Semaphore::new(READ_AT_ONCE), own: Mutex::new(BTreeMap::new()) });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            stream = accept(&listener) => stream,
        };
        let (plane, turns) = (Arc::clone(&plane), Arc::clone(&turns));
        tasks::spawn("shard-mail-intake", async move {
            if let Some(stream) = stream {
                let _ = tokio::time::timeout(TIME_LIMIT, take(&plane, &turns, stream)).await;
            }
            drop(permit);
        });
    }
}

async fn accept(listener: &UnixListener) -> Option<UnixStream> {
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            tracing::warn!(%error, "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Reads one message and answers.
async fn take(plane: &Arc<Plane>, turns: &Turns, stream: UnixStream) {
    let Ok(peer) = stream.peer_cred().map(|peer| peer.uid()) else { return };
    let own = {
        let mut own = turns.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.entry(peer).or_insert_with(Own::new).clone()
    };
    let mut stream = BufReader::new(stream);
    let Ok(_connection) = own.connections.try_acquire() else {
        return answer(&mut stream, "-too much mail of this site is on its way: try again\n").await;
    };
    let Ok(_own) = own.turn.acquire().await else { return };
    let Ok(_turn) = turns.all.acquire().await else { return };
    let said = match read(&mut stream).await {
        Ok((given, claimed)) => match sender(plane, peer, &claimed) {
            Some(from) => {
                let plane = Arc::clone(plane);
                let taken = move || plane.mails.take(&from, &given);
                tokio::task::spawn_blocking(taken)
                    .await
                    .unwrap_or_else(|error| Err(error.to_string()))
            }
            None => Err("who sends it is no site that is served".to_owned()),
        },
        Err(words) => Err(words.to_owned()),
    };
    let said = match said {
        Ok(id) => format!("+{id}\n"),
        Err(words) => format!("-{words}\n"),
    };
    answer(&mut stream, &said).await;
}

/// Whoever left meanwhile hears nothing; what was taken is taken.
async fn answer(stream: &mut BufReader<UnixStream>, line: &str) {
    let _ = stream.write_all(line.as_bytes()).await;
    let _ = stream.flush().await;
}

async fn read(stream: &mut BufReader<UnixStream>) -> Result<(Given, String), &'static str> {
    let to = text(stream, FIELD_MAX).await?;
    let subject = text(stream, FIELD_MAX).await?;
    let message = text(stream, MESSAGE_MAX).await?;
    let headers = text(stream, FIELD_MAX).await?;
    let claimed = text(stream, FIELD_MAX).await?;
    let given = Given { to, subject, message, headers };
    Ok((given, String::from_utf8_lossy(&claimed).into_owned()))
}

async fn text(stream: &mut BufReader<UnixStream>, max: u64) -> Result<Vec<u8>, &'static str> {
    const WRONG: &str = "it came in pieces that are not understood";
    let mut length = Vec::new();
    let read = (&mut *stream).take(12).read_until(b':', &mut length).await;
    read.map_err(|_| WRONG)?;
    let length = length.strip_suffix(b":").and_then(|it| std::str::from_utf8(it).ok());
    let length: u64 = length.and_then(|it| it.parse().ok()).ok_or(WRONG)?;
    if length > max {
        return Err("it is too large: 10 MiB are the most, 64 KiB for its headers");
    }
    let mut found = Vec::new();
    let read = (&mut *stream).take(length).read_to_end(&mut found).await.map_err(|_| WRONG)?;
    if read as u64 != length || stream.read_u8().await.map_err(|_| WRONG)? != b',' {
        return Err(WRONG);
    }
    Ok(found)
}

/// The served site of this Unix user.
fn sender(plane: &Plane, peer: u32, claimed: &str) -> Option<From> {
    let claimed = claimed.parse::<TenantUid>().ok();
    let is_senders = |entry: &Entry| {
        let Some(slot) = entry.slot.and_then(Slot::new) else { return false };
        match plane.drivers.exec.sandbox(slot).user {
            Some(user) => user == peer,
            None => claimed == Some(entry.intent.uid),
        }
    };
    let tenants = plane.tenants.list();
    let entry = tenants.iter().map(|tenant| &tenant.entry).find(|entry| is_senders(entry))?;
    if !entry.is_served() {
        return None;
    }
    let intent = &entry.intent;
    let host = intent.hosts.first().map_or("localhost", String::as_str);
    Some(From {
        uid: intent.uid,
        tier: intent.spec.tier,
        host: host.split(':').next().unwrap_or(host).to_owned(),
        shard: plane.config.id.to_string(),
    })
}
