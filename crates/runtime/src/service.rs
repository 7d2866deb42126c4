//! The phases of a request, put together: who, which site, what, and the answer.

use std::{
    convert::Infallible,
    future::Future,
    path::Path,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as HttpBody;

use crate::{
    access::{AccessRecord, AccessSink, Asked, ErrorSink, REQUEST_ID, Source, Told},
    admission::Admission,
    answer::notice::Notice,
    body::Body,
    client::{Client, TENANT_HEADER},
    config::RuntimeConfig,
    decide::{Decision, Target, Tree, decide},
    files::{
        open::{OpenError, OpenedFile, Owner},
        send,
    },
    path::{PathError, SitePath},
    php::{
        params::Script,
        run::{Php, RunError},
    },
    site::{Site, SiteState},
    spool::SpoolError,
    table::{SiteEntry, SiteTable},
};

/// Serves the sites of a [`SiteTable`]. Cheap to clone; knows nothing of listeners.
///
/// Whoever can connect is believed to be the edge (see [`crate::client`]): let nobody else.
#[derive(Clone)]
pub struct SiteService {
    shared: Arc<Shared>,
}

struct Shared {
    config: RuntimeConfig,
    table: Arc<SiteTable>,
    access: Arc<dyn AccessSink>,
    errors: Arc<dyn ErrorSink>,
    total_workers: Arc<Admission>,
    total_spooled: Arc<AtomicU64>,
}

/// An answer with what the access record says of it.
struct Answer {
    response: Response<Body>,
    source: Source,
    queued: Duration,
}

impl SiteService {
    /// A service for the sites of `table`, reporting to the two sinks (`Arc::new(())` for none).
    pub fn new(
        config: RuntimeConfig,
        table: Arc<SiteTable>,
        access: Arc<dyn AccessSink>,
        errors: Arc<dyn ErrorSink>,
    ) -> Self {
        // A site's own queue is bounded; those that have left it may all wait here.
        let total_workers = Admission::new(config.total_workers, usize::MAX);
        let total_spooled = Arc::default();
        let shared = Shared { config, table, access, errors, total_workers, total_spooled };
        Self { shared: Arc::new(shared) }
    }

    /// Answers a request. Dropped before it is done, it stops what it began.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
    {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let shared = &*self.shared;
        let client = Client::of(&parts.uri, &parts.headers);
        let entry = client.as_ref().ok().and_then(|client| shared.find(&parts, client));
        let answer = match (&client, &entry) {
            (Err(_), _) => Answer::notice(Notice::BadRequest, &parts),
            (Ok(_), None) => Answer::notice(Notice::UnknownSite, &parts),
            (Ok(client), Some(entry)) => shared.serve(entry, client, &parts, body).await,
        };
        let (head, body) = answer.response.into_parts();
        let record = AccessRecord {
            uid: entry.map(|entry| Arc::clone(&entry.site.uid)),
            client: client.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |client| client.addr),
            told: Told::of(&parts.headers),
            uri: parts.uri,
            status: head.status,
            bytes: 0,
            duration: Duration::ZERO,
            answered: started.elapsed(),
            queued: answer.queued,
            source: answer.source,
            complete: false,
            method: parts.method,
        };
        let bodiless = record.method == Method::HEAD
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = body.observed(Arc::clone(&shared.access), record, started, bodiless);
        Response::from_parts(head, body)
    }
}

impl<B> hyper::service::Service<Request<B>> for SiteService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

impl Shared {
    /// The edge names the tenant; without it, the host does.
    fn find(&self, parts: &Parts, client: &Client) -> Option<Arc<SiteEntry>> {
        match parts.headers.get(TENANT_HEADER) {
            Some(uid) => self.table.by_uid(uid.to_str().ok()?),
            None => self.table.by_host(&client.host),
        }
    }

    async fn serve<B>(&self, entry: &SiteEntry, client: &Client, parts: &Parts, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes>,
    {
        let notice = |notice| Answer::notice(notice, parts);
        match &entry.site.state {
            SiteState::Serving => {}
            SiteState::Starting => return notice(Notice::Starting),
            SiteState::Suspended => return notice(Notice::Suspended),
            SiteState::Broken(_) => return notice(Notice::Broken),
        }
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            return notice(Notice::MethodNotAllowed);
        }
        let path = match SitePath::parse(parts.uri.path()) {
            Ok(path) => path,
            Err(PathError::TooLong) => return notice(Notice::PathTooLong),
            Err(_) => return notice(Notice::BadRequest),
        };
        let site = &entry.site;
        let front = |path_info| Script { root: &site.core_dir, file: b"index.php", path_info };
        let script = match decide(&path, site.runs_uploads) {
            Decision::Front { path_info } => front(path_info),
            Decision::Script(target) => match find_file(site, target).await {
                Ok((root, _)) => Script { root, file: target.file, path_info: None },
                Err(error) => return Answer::unopened(site, &error, parts),
            },
            Decision::Static(target) => return self.send_file(site, target, parts).await,
            Decision::StaticOrFront(target) => match find_file(site, target).await {
                Err(OpenError::NotFound) => front(None),
                Ok((_, opened)) => return Self::send_opened(site, opened, target, parts).await,
                Err(error) => return Answer::unopened(site, &error, parts),
            },
            Decision::AddSlash => return Answer::with_slash(parts),
            Decision::Refuse => return notice(Notice::NotFound),
        };
        self.run_php(entry, client, parts, script, body).await
    }

    async fn send_file(&self, site: &Site, target: Target<'_>, parts: &Parts) -> Answer {
        match find_file(site, target).await {
            Ok((_, opened)) => Self::send_opened(site, opened, target, parts).await,
            Err(error) => Answer::unopened(site, &error, parts),
        }
    }

    async fn send_opened(
        site: &Site,
        opened: OpenedFile,
        target: Target<'_>,
        parts: &Parts,
    ) -> Answer {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Answer::notice(Notice::MethodNotAllowed, parts);
        }
        let Parts { method, uri, headers, .. } = parts;
        match send::respond(opened, target.file, method, uri, headers).await {
            Ok(response) => Answer { response, source: Source::Static, queued: Duration::ZERO },
            Err(error) => Answer::unopened(site, &error, parts),
        }
    }

    async fn run_php<B>(
        &self,
        entry: &SiteEntry,
        client: &Client,
        parts: &Parts,
        script: Script<'_>,
        body: B,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes>,
    {
        let php = Php {
            config: &self.config,
            total_workers: &self.total_workers,
            total_spooled: &self.total_spooled,
            errors: &self.errors,
        };
        let mut queued = Duration::ZERO;
        let outcome = php.run(entry, parts, client, script, body, &mut queued).await;
        match outcome {
            Ok(response) => Answer { response, source: Source::Php, queued },
            Err(error) => {
                let notice = notice_of(&error);
                let request_id = parts.headers.get(REQUEST_ID).cloned();
                if is_of_php(&error) {
                    let uid = Arc::clone(&entry.site.uid);
                    self.errors.failed(&Asked { uid, request_id: request_id.clone() }, &error);
                }
                tracing::warn!(
                    tenant.uid = %entry.site.uid,
                    tenant.name = %entry.site.name,
                    slot = entry.site.slot,
                    http.path = parts.uri.path(),
                    request_id = request_id.as_ref().and_then(|id| id.to_str().ok()),
                    error = &error as &dyn std::error::Error,
                    "no page from php"
                );
                Answer { queued, ..Answer::notice(notice, parts) }
            }
        }
    }
}

/// Looks for a file in its tree, and for a theme in core, too. Gives the root that has it.
async fn find_file<'s>(
    site: &'s Site,
    target: Target<'_>,
) -> Result<(&'s Path, OpenedFile), OpenError> {
    let (root, owner) = match target.tree {
        Tree::Core => (site.core_dir.as_path(), Owner::Any),
        Tree::Site => (site.site_dir.as_path(), Owner::User(site.owner_uid)),
        Tree::Platform => match &site.php_dir {
            Some(php_dir) => (php_dir.as_path(), Owner::Any),
            None => return Err(OpenError::NotFound),
        },
    };
    match send::open(root, target.file, owner).await {
        Err(OpenError::NotFound) if target.or_core => {
            let core = site.core_dir.as_path();
            Ok((core, send::open(core, target.file, Owner::Any).await?))
        }
        found => Ok((root, found?)),
    }
}

/// Whether it is the site's own affair, and not the visitor's.
fn is_of_php(error: &RunError) -> bool {
    !matches!(error, RunError::Spool(_) | RunError::ParamsTooLarge(_))
}

fn notice_of(error: &RunError) -> Notice {
    match error {
        RunError::Spool(SpoolError::TooLarge(_)) => Notice::BodyTooLarge,
        RunError::Spool(SpoolError::Stalled) => Notice::Stalled,
        RunError::Spool(SpoolError::Broken) => Notice::BadRequest,
        RunError::Spool(SpoolError::Full | SpoolError::Io(_))
        | RunError::Admission(_)
        | RunError::Overloaded => Notice::Busy,
        RunError::ParamsTooLarge(_) => Notice::HeadersTooLarge,
        RunError::Exchange(_) | RunError::Head(_) | RunError::NoHead(_) | RunError::Refused(_) => {
            Notice::Failed
        }
        RunError::TimedOut => Notice::TimedOut,
    }
}

impl Answer {
    fn notice(notice: Notice, parts: &Parts) -> Self {
        let response = notice.respond(&parts.headers);
        Self { response, source: Source::Platform, queued: Duration::ZERO }
    }

    fn unopened(site: &Site, error: &OpenError, parts: &Parts) -> Self {
        let notice = match error {
            OpenError::NotFound => Notice::NotFound,
            OpenError::Forbidden => Notice::Forbidden,
            OpenError::WouldBlock | OpenError::Io(_) => {
                tracing::error!(
                    tenant.uid = %site.uid,
                    http.path = parts.uri.path(),
                    error = error as &dyn std::error::Error,
                    "a file could not be read"
                );
                Notice::Internal
            }
        };
        Self::notice(notice, parts)
    }

    /// 301 to the same address with a slash behind its path, as web servers do for folders.
    fn with_slash(parts: &Parts) -> Self {
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        // The path decides to one of three known ones, so it cannot begin with `//`, but for the
        // slashes that were taken for one.
        let path = parts.uri.path().trim_start_matches('/');
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        match HeaderValue::try_from(format!("/{path}/{query}")) {
            Ok(location) => {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Err(_) => return Self::notice(Notice::BadRequest, parts),
        }
        Self { response, source: Source::Platform, queued: Duration::ZERO }
    }
}
