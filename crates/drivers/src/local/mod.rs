//! The real drivers: processes and folders of this machine, over Unix sockets only.
//!
//! `prepare` functions write configuration and say how to start a server; the supervisor starts
//! it. The driver structs only talk to what runs.

pub mod beneath;
pub mod exec;
pub mod files;
pub mod firewall;
pub mod fpm;
pub mod mariadb;
pub mod quota;
pub mod redis;
pub mod share;

use std::sync::Arc;

pub use beneath::ensure_dir;
pub use exec::LocalExec;
pub use exec::Programs;
pub use files::LocalFiles;
pub use files::SeedFile;
pub use fpm::PhpFpm;
pub use mariadb::MariaDb;
pub use redis::Redis;
pub use share::LocalShare;

use crate::Drivers;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::uids::ShardIds;
use crate::unit::UnitControl;

/// Makes the shard's own folders that several servers use. Called by each `prepare`.
pub(crate) fn ensure_shard_dirs(paths: &ShardPaths, ids: &ShardIds) -> Result<(), DriverError> {
    let root = ids.root();
    for dir in [paths.data().run(), paths.data().shards()] {
        ensure_dir(&dir, root, 0o711)?;
    }
    ensure_dir(paths.dir(), root, 0o711)?;
    ensure_dir(paths.run(), root, 0o711)
}

/// The drivers of a shard whose servers were prepared on this machine. `units` starts and ends
/// those of its servers that run only when needed, `programs` are those of
/// commands in its sites' sandboxes.
///
/// # Errors
/// When credentials of the administrators cannot be read.
pub fn open(
    paths: &ShardPaths,
    ids: ShardIds,
    seed: Vec<SeedFile>,
    units: Arc<dyn UnitControl>,
    programs: Programs,
) -> Result<Drivers, DriverError> {
    let files = Arc::new(LocalFiles::open(paths, ids, seed)?);
    Ok(Drivers {
        database: Arc::new(MariaDb::open(paths)?),
        cache: Arc::new(Redis::open(paths)?),
        php: Arc::new(PhpFpm::open(paths, ids, units)),
        files: Arc::clone(&files) as _,
        exec: Arc::new(LocalExec::open(paths, ids, programs)),
        packages: files,
        share: Arc::new(LocalShare::open(paths, ids)),
    })
}
