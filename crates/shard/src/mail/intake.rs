//! The socket that PHP's `mail()` writes to (`php/mail.php`): five texts, each as `LENGTH:BYTES,`
//! (to, subject, message, headers, the tenant's uid), answered by `+ID` or `-WHY NOT` and a line end.
//!
//! Who sends is told by the kernel: the socket's other end has the Unix user of a slot. Only where all
//! sites share one user, without root, the uid that PHP says counts.
//!
//! What is bounded for all is either a site's own share of it, or is taken back from whoever is slow
//! while others wait: no number of sites together keeps another's mail from being taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_drivers::Slot;
use aipress_kit::listen::Listener;
use aipress_kit::tasks;
use aipress_types::TenantUid;
use aipress_types::capacity::SLOTS_PER_SHARD;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::From;
use super::compose::Given;
use crate::journal::Entry;
use crate::plane::Plane;

/// Largest message with its attachments, in bytes.
const MESSAGE_MAX: u64 = 10 * 1024 * 1024;
/// Longest of the other texts, in bytes.
const FIELD_MAX: u64 = 64 * 1024;
/// A message up to this is read without a turn, in bytes: one of each site at once is little.
const SMALL_MAX: u64 = 256 * 1024;
/// Connections of one site at once: as many workers as it can have, and some.
const CONNECTIONS_OF_ONE: usize = 32;
/// Connections at once: all that all sites may have. More wait in the backlog.
const CONNECTIONS: usize = CONNECTIONS_OF_ONE * SLOTS_PER_SHARD as usize;
/// Larger messages that are read at once, one of each site.
const READ_AT_ONCE: usize = 8;
/// Whoever has such a turn keeps it so long when others wait for one. 49 sites that each use it up
/// are through in 11 s, and the fiftieth has its turn within [`TIME_LIMIT`].
const TURN: Duration = Duration::from_millis(1500);
/// Time for a turn and a message: it comes from this machine's memory.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Pause after a failed accept (out of descriptors), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Turns to be read.
struct Turns {
    /// Those of messages that are not small.
    large: Arc<Semaphore>,
    /// How many wait for one of these.
    wanted: watch::Sender<usize>,
    /// One for each Unix user that ever sent: the slots'.
    own: Mutex<BTreeMap<u32, Own>>,
    connections_of_one: usize,
    turn: Duration,
}

/// What one Unix user has of them.
#[derive(Clone)]
struct Own {
    /// Its turn.
    turn: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

impl Own {
    fn new(connections: usize) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            connections: Arc::new(Semaphore::new(connections)),
        }
    }
}

/// What a message holds until it was stored.
struct Held {
    _connection: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

/// One that waits for a turn, until it has it or is given up.
struct Wanting<'a>(&'a watch::Sender<usize>);

impl<'a> Wanting<'a> {
    fn new(wanted: &'a watch::Sender<usize>) -> Self {
        wanted.send_modify(|number| *number += 1);
        Self(wanted)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|number| *number -= 1);
    }
}

impl Turns {
    fn new(connections_of_one: usize, turn: Duration) -> Self {
        Self {
            large: Arc::new(Semaphore::new(READ_AT_ONCE)),
            wanted: watch::Sender::new(0),
            own: Mutex::default(),
            connections_of_one,
            turn,
        }
    }

    /// Reads a message of this Unix user, in its turn.
    async fn read(&self, peer: u32, stream: &mut Stream) -> Result<(Given, String, Held), String> {
        let own = {
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.entry(peer).or_insert_with(|| Own::new(self.connections_of_one)).clone()
        };
        let connection = own
            .connections
            .try_acquire_owned()
            .map_err(|_| "too much mail of this site is on its way: try again".to_owned())?;
        let ending = |_| "the platform is ending".to_owned();
        let turn = own.turn.acquire_owned().await.map_err(ending)?;
        let to = text(stream, FIELD_MAX).await?;
        let subject = text(stream, FIELD_MAX).await?;
        let length = length(stream, MESSAGE_MAX).await?;
        if length <= SMALL_MAX {
            let (message, headers, claimed) = rest(stream, length).await?;
            let held = Held { _connection: connection, _own: turn, _large: None };
            return Ok((Given { to, subject, message, headers }, claimed, held));
        }
        let wanting = Wanting::new(&self.wanted);
        let large = Arc::clone(&self.large).acquire_owned().await.map_err(ending)?;
        drop(wanting);
        let (message, headers, claimed) = tokio::select! {
            biased;
            read = rest(stream, length) => read?,
            () = self.is_over() => {
                return Err("it came too slowly while others waited: try again".to_owned());
            }
        };
        let held = Held { _connection: connection, _own: turn, _large: Some(large) };
        Ok((Given { to, subject, message, headers }, claimed, held))
    }

    /// When a turn that begins now is over: somebody wants it, and it was long enough.
    async fn is_over(&self) {
        tokio::time::sleep(self.turn).await;
        // An error would be the end of these turns, which are held by who waits here.
        let _ = self.wanted.subscribe().wait_for(|number| *number > 0).await;
    }
}

type Stream = BufReader<UnixStream>;

/// Takes mail until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, listener: Listener, stop: CancellationToken) {
    let Listener::Unix(listener) = listener else { return };
    let turns = Arc::new(Turns::new(CONNECTIONS_OF_ONE, TURN));
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
    let mut stream = BufReader::new(stream);
    let said = match turns.read(peer, &mut stream).await {
        Ok((given, claimed, held)) => match sender(plane, peer, &claimed) {
            Some(from) => {
                let plane = Arc::clone(plane);
                let taken = move || {
                    let taken = plane.mails.take(&from, &given);
                    drop(held);
                    taken
                };
                tokio::task::spawn_blocking(taken)
                    .await
                    .unwrap_or_else(|error| Err(error.to_string()))
            }
            None => Err("who sends it is no site that is served".to_owned()),
        },
        Err(words) => Err(words),
    };
    let said = match said {
        Ok(id) => format!("+{id}\n"),
        Err(words) => format!("-{words}\n"),
    };
    answer(&mut stream, &said).await;
}

/// Whoever left meanwhile hears nothing; what was taken is taken.
async fn answer(stream: &mut Stream, line: &str) {
    let _ = stream.write_all(line.as_bytes()).await;
    let _ = stream.flush().await;
}

/// The message, its headers, and whose it is said to be.
async fn rest(
    stream: &mut Stream,
    length: u64,
) -> Result<(Vec<u8>, Vec<u8>, String), &'static str> {
    let message = bytes(stream, length).await?;
    let headers = text(stream, FIELD_MAX).await?;
    let claimed = text(stream, FIELD_MAX).await?;
    Ok((message, headers, String::from_utf8_lossy(&claimed).into_owned()))
}

const WRONG: &str = "it came in pieces that are not understood";

async fn text(stream: &mut Stream, max: u64) -> Result<Vec<u8>, &'static str> {
    let length = length(stream, max).await?;
    bytes(stream, length).await
}

async fn length(stream: &mut Stream, max: u64) -> Result<u64, &'static str> {
    let mut length = Vec::new();
    let read = stream.take(12).read_until(b':', &mut length).await;
    read.map_err(|_| WRONG)?;
    let length = length.strip_suffix(b":").and_then(|it| std::str::from_utf8(it).ok());
    let length: u64 = length.and_then(|it| it.parse().ok()).ok_or(WRONG)?;
    if length > max {
        return Err("it is too large: 10 MiB are the most, 64 KiB for its headers");
    }
    Ok(length)
}

async fn bytes(stream: &mut Stream, length: u64) -> Result<Vec<u8>, &'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest wait for anything.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn frame(texts: [&str; 5]) -> Vec<u8> {
        texts.iter().flat_map(|text| format!("{}:{text},", text.len()).into_bytes()).collect()
    }

    /// Has the message of a user read: its end, to which the bytes were written.
    async fn begin(
        turns: &Arc<Turns>,
        peer: u32,
        bytes: &[u8],
    ) -> (UnixStream, tokio::task::JoinHandle<Result<Given, String>>) {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let (turns, mut ours) = (Arc::clone(turns), BufReader::new(ours));
        let reading = tokio::task::spawn(async move {
            turns.read(peer, &mut ours).await.map(|(given, _, _held)| given)
        });
        tokio::time::timeout(PATIENCE, theirs.write_all(bytes)).await.unwrap().unwrap();
        (theirs, reading)
    }

    /// What is large, of which a site sends a part and says no more.
    fn large() -> Vec<u8> {
        frame(["a@example.org", "s", &"x".repeat(300 * 1024), "", ""])
    }

    type Reading = (UnixStream, tokio::task::JoinHandle<Result<Given, String>>);

    /// As many sites as there are turns hold all of them.
    async fn hold_all(turns: &Arc<Turns>) -> Vec<Reading> {
        let (mut held, message) = (Vec::new(), large());
        for peer in 0..READ_AT_ONCE {
            let part = message.get(..100 * 1024).unwrap();
            held.push(begin(turns, u32::try_from(peer).unwrap(), part).await);
        }
        while turns.large.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        held
    }

    async fn read(
        reading: tokio::task::JoinHandle<Result<Given, String>>,
    ) -> Result<Given, String> {
        tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn sites_that_hold_all_turns_together_keep_nobody_from_sending() {
        let turns = Arc::new(Turns::new(CONNECTIONS_OF_ONE, TURN));
        let held = hold_all(&turns).await;
        // What is small needs none of their turns.
        let (_, reading) = begin(&turns, 100, &frame(["b@example.org", "s", "text", "", ""])).await;
        assert_eq!(read(reading).await.unwrap().message, b"text");
        // Nobody else wants them: they may go on.
        assert!(held.iter().all(|(_, reading)| !reading.is_finished()));
        // What is large gets one that was held too long.
        let (_, reading) = begin(&turns, 101, &large()).await;
        assert_eq!(read(reading).await.unwrap().message.len(), 300 * 1024);
        let mut refused = 0;
        for (end, reading) in held {
            drop(end);
            let words = read(reading).await.unwrap_err();
            refused += usize::from(words.contains("while others waited"));
        }
        assert!(refused > 0, "somebody was told why");
    }

    #[tokio::test]
    async fn turns_that_nobody_takes_back_are_held_as_long_as_sites_like() {
        let turns = Arc::new(Turns::new(CONNECTIONS_OF_ONE, PATIENCE * 60));
        let held = hold_all(&turns).await;
        let (mut end, ours) = UnixStream::pair().unwrap();
        let (theirs, mut ours) = (Arc::clone(&turns), BufReader::new(ours));
        let reading = tokio::task::spawn(async move {
            theirs.read(101, &mut ours).await.map(|(given, _, _held)| given)
        });
        end.write_all(large().get(..100 * 1024).unwrap()).await.unwrap();
        while *turns.wanted.borrow() == 0 {
            tokio::task::yield_now().await;
        }
        // Longer than the bound, with which somebody would have been ended by then.
        tokio::time::sleep(TURN * 2).await;
        assert!(held.iter().all(|(_, reading)| !reading.is_finished()));
        assert_eq!(*turns.wanted.borrow(), 1, "it waits");
        reading.abort();
    }

    #[tokio::test]
    async fn a_site_has_its_own_connections_and_all_sites_have_theirs() {
        for (bound, is_refused) in [(CONNECTIONS_OF_ONE, true), (CONNECTIONS_OF_ONE * 2, false)] {
            let turns = Arc::new(Turns::new(bound, TURN));
            let mut held = Vec::new();
            for _ in 0..CONNECTIONS_OF_ONE {
                held.push(begin(&turns, 1, b"5:").await);
            }
            let free = || {
                let own = turns.own.lock().unwrap();
                own.get(&1).map_or(bound, |own| own.connections.available_permits())
            };
            while free() > bound - CONNECTIONS_OF_ONE {
                tokio::task::yield_now().await;
            }
            let small = frame(["b@example.org", "s", "text", "", ""]);
            let (_, reading) = begin(&turns, 1, &small).await;
            if is_refused {
                let words = read(reading).await.unwrap_err();
                assert!(words.starts_with("too much mail of this site"), "{words}");
            } else {
                while free() == CONNECTIONS_OF_ONE {
                    tokio::task::yield_now().await;
                }
            }
            // Whatever that one does, another site's is read.
            let (_, reading) = begin(&turns, 2, &small).await;
            assert!(read(reading).await.is_ok());
        }
    }
}
