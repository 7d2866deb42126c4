//! One site on disk, and the service for it behind a Unix socket.

use std::{fs, path::PathBuf, sync::Arc};

use aipress_runtime::{RuntimeConfig, Site, SiteService, SiteState, SiteTable};
use http::{Request, request::Builder};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::UnixListener;

use super::{Answer, Records, RequestBody, ask, full};

pub(crate) const HOST: &str = "bakery.localhost";

/// A site that is served.
pub(crate) struct Served {
    pub(crate) dir: TempDir,
    pub(crate) table: Arc<SiteTable>,
    pub(crate) records: Arc<Records>,
    pub(crate) socket: PathBuf,
    pub(crate) fpm_socket: PathBuf,
}

impl Served {
    /// Serves a site with default bounds.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {}, |_| {})
    }

    /// Serves a site with other bounds, or another site.
    pub(crate) fn start_with(
        configure: impl FnOnce(&mut RuntimeConfig),
        change: impl FnOnce(&mut Site),
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config =
            RuntimeConfig { spool_dir: dir.path().to_owned(), ..RuntimeConfig::default() };
        configure(&mut config);
        let mut site = site_in(&dir);
        change(&mut site);
        let table = Arc::new(SiteTable::new(&config));
        let fpm_socket = site.fpm_socket.clone();
        table.replace(vec![site]);
        let records = Arc::new(Records::default());
        let (access, errors) = (Arc::clone(&records), Arc::clone(&records));
        let service = SiteService::new(config, Arc::clone(&table), access, errors);
        let socket = dir.path().join("http.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { dir, table, records, socket, fpm_socket }
    }

    /// Replaces the site by a changed one.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Site)) {
        let mut site = site_in(&self.dir);
        change(&mut site);
        self.table.replace(vec![site]);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path)).await
    }

    pub(crate) async fn ask(&self, request: Builder) -> Answer {
        self.send(request.body(full("")).unwrap()).await
    }

    pub(crate) async fn send(&self, mut request: Request<RequestBody>) -> Answer {
        with_host(&mut request);
        ask(&self.socket, request).await
    }

    /// Writes a file beneath the folder of everything.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

pub(crate) fn with_host<B>(request: &mut Request<B>) {
    request.headers_mut().entry("host").or_insert(HOST.parse().unwrap());
}

fn site_in(dir: &TempDir) -> Site {
    let (site_dir, core_dir) = (dir.path().join("site"), dir.path().join("core"));
    fs::create_dir_all(site_dir.join("wp-content/uploads")).unwrap();
    fs::create_dir_all(&core_dir).unwrap();
    Site {
        hosts: vec![format!("{HOST}:8080")],
        site_dir,
        core_dir,
        slot_dir: dir.path().join("slot"),
        php_dir: Some(dir.path().join("php")),
        fpm_socket: dir.path().join("fpm.sock"),
        owner_uid: rustix::process::geteuid().as_raw(),
        state: SiteState::Serving,
        ..Site::new("uid-1", "bakery", 1)
    }
}
