//! The route table on disk, so that an edge starts without meta.
//!
//! Written whole, atomically and durably, some time after a change and once more at the end. It
//! may be older than the table: its number says from where meta is to go on.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::RouteChanges;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::RouteState;
use aipress_kit::durable;
use aipress_kit::lifecycle::Lifecycle;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Notify;

use super::table::Table;
use crate::metrics::Metrics;

/// Form of the file. One of another form is set aside.
const VERSION: u32 = 1;
/// Owner only: the table tells which customers there are.
const MODE: u32 = 0o600;
/// Pause after a failed write, such as on a full disk.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Stored {
    version: u32,
    seq: u64,
    routes: Vec<RouteEntry>,
}

#[derive(Serialize)]
struct Storing<'a> {
    version: u32,
    seq: u64,
    routes: Vec<&'a RouteEntry>,
}

/// Reads the table. `None` when there is none, or none that can be read: that one is set aside as
/// `….corrupt` and logged, for meta has the truth anyway.
pub(crate) fn load(path: &Path) -> Option<RouteChanges> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "route table on disk is not readable");
            return None;
        }
    };
    let reason = match serde_json::from_slice::<Stored>(&bytes) {
        Ok(stored) if stored.version == VERSION => {
            let Stored { seq, mut routes, .. } = stored;
            // A site that was being made when this was written is most likely up by now: its
            // visitors are better served by a question to meta than by what was.
            routes.retain(|route| route.state != RouteState::Starting);
            return Some(RouteChanges { seq, snapshot: true, routes });
        }
        Ok(stored) => format!("it is of form {}, not {VERSION}", stored.version),
        Err(error) => error.to_string(),
    };
    let aside = aside(path);
    let moved = std::fs::rename(path, &aside);
    tracing::error!(
        path = %path.display(), aside = %aside.display(), is_moved = moved.is_ok(), reason,
        "route table on disk is corrupt and set aside; starting without one"
    );
    None
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".corrupt");
    path.with_file_name(name)
}

/// Writes the table, if it has a number to go on from.
pub(crate) fn store(path: &Path, table: &Table) -> io::Result<()> {
    // The number first: what comes in meanwhile is told again, which changes nothing.
    let Some(seq) = table.seq() else { return Ok(()) };
    let all = table.all();
    let routes = all.iter().map(|route| &route.entry).collect();
    let bytes = serde_json::to_vec(&Storing { version: VERSION, seq, routes })?;
    durable::write(path, &bytes, MODE)
}

/// Writes the table to `path` whenever `changed`, at most once in `debounce`, and at the end.
pub(crate) async fn keep(
    path: PathBuf,
    table: Arc<Table>,
    changed: Arc<Notify>,
    debounce: Duration,
    metrics: Metrics,
    lifecycle: Lifecycle,
) {
    let mut written = table.applied();
    loop {
        let is_last = tokio::select! {
            () = changed.notified() => {
                tokio::select! {
                    () = tokio::time::sleep(debounce) => false,
                    () = lifecycle.drain.cancelled() => true,
                }
            }
            () = lifecycle.drain.cancelled() => true,
        };
        let applied = table.applied();
        if applied != written {
            match write_in_background(path.clone(), Arc::clone(&table)).await {
                Ok(()) => written = applied,
                Err(error) => {
                    metrics.0.snapshot_errors.one();
                    tracing::error!(path = %path.display(), %error, "route table is not on disk");
                    if !is_last {
                        changed.notify_one();
                        tokio::select! {
                            () = tokio::time::sleep(PAUSE) => {}
                            () = lifecycle.drain.cancelled() => {}
                        }
                    }
                }
            }
        }
        if is_last {
            return;
        }
    }
}

async fn write_in_background(path: PathBuf, table: Arc<Table>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || store(&path, &table)).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstreams;
    use std::os::unix::fs::PermissionsExt;

    fn table() -> Table {
        Table::new(Arc::new(Upstreams::default()))
    }

    fn changes() -> RouteChanges {
        let entry = RouteEntry {
            host: "a.localhost".to_owned(),
            tenant: "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse().unwrap(),
            name: "a".to_owned(),
            shard: aipress_types::ShardId::from_number(1).unwrap(),
            upstream: "unix:/g.sock".to_owned(),
            state: RouteState::Suspended,
            placement_epoch: 4,
        };
        RouteChanges { seq: 12, snapshot: true, routes: vec![entry] }
    }

    #[test]
    fn what_is_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("routes.json");
        assert!(load(&path).is_none());
        store(&path, &table()).unwrap();
        assert!(load(&path).is_none(), "a table without a number is not written");
        let table = table();
        table.apply(changes());
        store(&path, &table).unwrap();
        assert_eq!(load(&path).unwrap(), changes());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_site_that_was_being_made_is_asked_for_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("routes.json");
        let mut changes = changes();
        changes.routes[0].state = RouteState::Starting;
        let table = table();
        table.apply(changes);
        store(&path, &table).unwrap();
        let loaded = load(&path).unwrap();
        assert_eq!((loaded.seq, loaded.routes.len()), (12, 0));
    }

    #[test]
    fn what_is_corrupt_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("routes.json");
        for bad in ["", "{", "{\"version\":2,\"seq\":1,\"routes\":[]}"] {
            std::fs::write(&path, bad).unwrap();
            assert!(load(&path).is_none());
            assert!(!path.exists());
            let aside = dir.path().join("routes.json.corrupt");
            assert_eq!(std::fs::read_to_string(aside).unwrap(), bad);
        }
    }
}
