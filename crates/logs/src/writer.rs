//! Takes lines without making anybody wait, and writes them in a thread of its own.

use std::collections::HashMap;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use aipress_api::LogSource;
use aipress_api::Severity;
use uuid::Uuid;

use crate::files;
use crate::id::now_micros;
use crate::limits::LogLimits;
use crate::line::NewLine;
use crate::queue::Key;
use crate::queue::Queues;
use crate::queue::Waiting;
use crate::segment::Tail;

/// Pause of the writer when little waits, so that it is not woken for each line.
const PAUSE: Duration = Duration::from_millis(20);
/// Segments that are kept open at most.
const MAX_OPEN: usize = 256;
/// A segment is let go when nothing was appended for so long: its tenant may be erased.
const OPEN_FOR: Duration = Duration::from_secs(60);
/// Between two complaints about a disk that takes nothing.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Takes lines. Cheap to clone; the thread ends with the last one.
#[derive(Debug, Clone)]
pub struct LogWriter {
    shared: Arc<Handle>,
}

/// What the thread has no part of, so that it ends when nobody is left who could give it a line.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.state().is_closed = true;
        self.bell.notify_one();
    }
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    region: String,
    limits: LogLimits,
    state: Mutex<State>,
    /// Rung when there is something to write, or to end.
    bell: Condvar,
    /// Rung when all is written.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queues: Queues,
    /// Whether the thread is writing what it took.
    is_writing: bool,
    /// Whether the thread waits for the bell.
    is_asleep: bool,
    is_closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter {
    /// Writes below `root` in a thread of its own. A tenant without a folder there is not logged.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        root: impl Into<PathBuf>,
        region: impl Into<String>,
        limits: LogLimits,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            root: root.into(),
            region: region.into(),
            limits,
            state: Mutex::default(),
            bell: Condvar::new(),
            idle: Condvar::new(),
        });
        let thread = Thread { shared: Arc::clone(&shared), open: HashMap::new(), complained: None };
        std::thread::Builder::new().name("tenant-logs".to_owned()).spawn(move || thread.run())?;
        Ok(Self { shared: Arc::new(Handle(shared)) })
    }

    /// Takes a line. Never waits for the disk; what does not fit is counted.
    pub fn push(&self, tenant: Uuid, mut line: NewLine) {
        line.cut();
        let mut state = self.shared.state();
        if state.is_closed {
            return;
        }
        let key = (tenant, line.source);
        state.queues.push(key, now_micros(), line, &self.shared.limits);
        if state.is_asleep {
            state.is_asleep = false;
            self.shared.bell.notify_one();
        }
    }

    /// Waits until all that was taken is written, for no longer than this. Says whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let state = self.shared.state();
        self.shared.bell.notify_one();
        let busy = |state: &mut State| !state.queues.is_empty() || state.is_writing;
        let waited = self.shared.idle.wait_timeout_while(state, patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Takes no more lines, and writes those that wait, for no longer than this.
    pub fn close(&self, patience: Duration) {
        self.shared.state().is_closed = true;
        self.flush(patience);
    }

    /// Bytes that wait to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.state().queues.bytes()
    }
}

/// The thread that writes.
struct Thread {
    shared: Arc<Shared>,
    open: HashMap<Key, (Tail, Instant)>,
    complained: Option<Instant>,
}

impl Thread {
    fn run(mut self) {
        let mut swept: Option<Instant> = None;
        loop {
            if swept.is_none_or(|at| at.elapsed() >= self.shared.limits.sweep) {
                self.sweep();
                swept = Some(Instant::now());
            }
            let Some((key, waiting)) = self.next() else {
                if self.shared.state().is_closed {
                    return;
                }
                self.open.retain(|_, (_, used)| used.elapsed() < OPEN_FOR);
                continue;
            };
            self.write(key, waiting);
        }
    }

    /// The next lines to write; `None` now and then when there are none.
    fn next(&self) -> Option<(Key, Waiting)> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        state.is_writing = false;
        if state.queues.is_empty() {
            shared.idle.notify_all();
            if state.is_closed {
                return None;
            }
            state.is_asleep = true;
            let until = OPEN_FOR.min(shared.limits.sweep);
            let asleep = |state: &mut State| state.is_asleep && !state.is_closed;
            let waited = shared.bell.wait_timeout_while(state, until, asleep);
            let mut woken = waited.unwrap_or_else(PoisonError::into_inner).0;
            woken.is_asleep = false;
            let few = woken.queues.bytes() < shared.limits.queue_bytes / 4 && !woken.is_closed;
            drop(woken);
            if few {
                std::thread::sleep(PAUSE);
            }
            state = shared.state();
        }
        let taken = state.queues.take();
        state.is_writing = taken.is_some();
        taken
    }

    fn write(&mut self, key: Key, waiting: Waiting) {
        let count = waiting.lines.len() as u64 + waiting.dropped;
        let shared = Arc::clone(&self.shared);
        let tail = match self.tail(key) {
            Ok(Some(tail)) => tail,
            Ok(None) => return,
            Err(error) => return self.complain(key, count, &error),
        };
        let first = waiting.lines.front().map_or(0, |(at, _)| *at);
        let gap = (waiting.dropped > 0).then(|| (first, gap(key.1, waiting.dropped)));
        if let Err((lost, error)) =
            tail.append(gap.into_iter().chain(waiting.lines), &shared.region)
        {
            self.open.remove(&key);
            // The folder of a tenant that was erased meanwhile: it is not logged.
            if error.kind() != io::ErrorKind::NotFound {
                self.complain(key, lost, &error);
            }
        }
    }

    fn tail(&mut self, key: Key) -> io::Result<Option<&mut Tail>> {
        if !self.open.contains_key(&key) {
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            let Some(tail) = Tail::open(&self.shared.root, key, &self.shared.limits)? else {
                return Ok(None);
            };
            self.open.insert(key, (tail, Instant::now()));
        }
        Ok(self.open.get_mut(&key).map(|(tail, used)| {
            *used = Instant::now();
            tail
        }))
    }

    fn complain(&mut self, key: Key, lost: u64, error: &io::Error) {
        self.shared.state().queues.lost(key, lost);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            self.complained = Some(Instant::now());
            tracing::error!(tenant_id = %key.0, source = %key.1, lost, %error, "log lines can't be written");
        }
    }

    /// Removes what is too old, of every tenant that has a folder.
    fn sweep(&self) {
        let oldest = now_micros() / 1_000_000;
        let oldest = oldest.saturating_sub(self.shared.limits.max_age.as_secs());
        for tenant in files::tenants(&self.shared.root).unwrap_or_default() {
            for source in LogSource::ALL {
                if let Err(error) = self.sweep_source(tenant, source, oldest) {
                    tracing::warn!(tenant_id = %tenant, %source, %error, "old log lines stay");
                }
            }
        }
    }

    fn sweep_source(&self, tenant: Uuid, source: LogSource, oldest: u64) -> io::Result<()> {
        let Some(folder) = files::open_tenant(&self.shared.root, tenant)? else { return Ok(()) };
        let Some(dir) = files::open_source(&folder, source)? else { return Ok(()) };
        for segment in files::segments(&dir)? {
            if files::look(&dir, segment)?.is_some_and(|(_, changed)| changed < oldest) {
                files::remove(&dir, segment)?;
            }
        }
        Ok(())
    }
}

/// The line that says what is missing.
fn gap(source: LogSource, dropped: u64) -> NewLine {
    let message = match dropped {
        1 => "1 line is missing here: it came too fast, or the disk was full".to_owned(),
        many => {
            format!("{many} lines are missing here: they came too fast, or the disk was full")
        }
    };
    NewLine { dropped: Some(dropped), ..NewLine::new(source, "logs", Severity::Warning, message) }
}
