//! Whether a site works: its home page and its sign-in page as a visitor sees them, and the first
//! page of wp-admin as an administrator does.
//!
//! For whoever changes a site and wants to know that it still works. How to use it:
//!
//! ```text
//! let before = smoke::check(plane, uid).await?;      // before anything is changed
//! …                                                  // the change; a site in maintenance is asked, too
//! let after = smoke::check(plane, uid).await?;
//! if let Some(words) = after.worse_than(&before) {   // a site that was broken before is not blamed
//!     …undo, and fail with `words`
//! }
//! ```
//!
//! A look tells of the site or of nothing: when the machine is what fails (PHP takes no connection,
//! a server is down), it is tried again, and ends with [`Unknown`], never with a verdict.
//!
//! What a look runs is what lies on disk. PHP goes on running the code that a file had before for up
//! to `opcache.revalidate_freq` seconds and the rest of that second, so a page right after a change
//! may be that of the old code. A look has PHP compare every file (`php/prepend.php`).
//!
//! The pages are asked for in process by the gateway's own code (`aipress_runtime`), over the
//! slot's FastCGI socket: so it sees what visitors would see, also while those are kept away.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::internal::SiteEntry;
use aipress_drivers::ShardIds;
use aipress_runtime::Asked;
use aipress_runtime::ErrorSink;
use aipress_runtime::RuntimeConfig;
use aipress_runtime::SiteService;
use aipress_runtime::SiteState;
use aipress_runtime::SiteTable;
use aipress_runtime::is_of_machine;
use aipress_types::TenantUid;
use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;

use crate::gateway;
use crate::plane::Plane;
use crate::sites;
use crate::steps::StepError;

/// Pages that every site has, and who asks for them.
const PAGES: &[(&str, As)] =
    &[("/", As::Visitor), ("/wp-login.php", As::Visitor), ("/wp-admin/", As::Administrator)];

/// How long a machine that fails is waited for, before a look ends without a verdict.
const MACHINE_PATIENCE: Duration = Duration::from_secs(20);

/// A page that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a page that failed is asked for once more: a worker may just have been ended.
const AGAIN: Duration = Duration::from_millis(500);
/// A page of HTML that is shorter is a white one, in bytes.
const SHORTEST: usize = 64;
/// Most that is read of a page, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;
/// Most that is told of PHP's error, in characters.
const ERROR_CHARS: usize = 300;

/// What config.php writes when a slot is not, or no longer, its tenant's.
const NOT_ITS_SLOT: &str = "aipress: ";

/// Who asks for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Somebody who is not signed in.
    Visitor,
    /// The site's first administrator.
    Administrator,
}

impl As {
    /// What PHP is told (`php/mu-plugins/aipress/smoke.php`).
    fn as_str(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Administrator => "administrator",
        }
    }
}

/// What a visitor got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visit {
    /// Status; 0 when no answer came.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// The body, as far as it came.
    pub body: Bytes,
    /// Whether it came to its end.
    pub is_whole: bool,
    /// What PHP wrote to its standard error meanwhile.
    pub stderr: String,
    /// Why the machine could not ask the site at all: then nothing else here says anything.
    pub unasked: Option<String>,
}

/// Visits sites: over FastCGI in the real platform, by a list in tests.
#[async_trait]
pub trait Visitor: Send + Sync {
    /// Asks a site for a page. Never fails: no answer is one, too.
    async fn visit(&self, site: &SiteEntry, path: &str, who: As) -> Visit;
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// Its status; 0 when no answer came.
    pub status: u16,
    /// What is wrong with it, in words; `None` when nothing is.
    pub problem: Option<String>,
}

/// How a site is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Its pages.
    pub pages: Vec<Page>,
}

impl Health {
    /// What is wrong, in words for people: of such a site nobody can say whether a change did harm.
    pub fn complaint(&self) -> Option<String> {
        self.pages.iter().find_map(|page| {
            page.problem.as_ref().map(|problem| format!("{} {problem}", page.path))
        })
    }

    /// What is wrong that was not before, in words for people.
    pub fn worse_than(&self, before: &Self) -> Option<String> {
        self.pages.iter().find_map(|page| {
            let former = before.pages.iter().find(|other| other.path == page.path);
            let was_well = former.is_none_or(|page| page.problem.is_none());
            let was_there = former.is_some_and(|page| (200..400).contains(&page.status));
            match &page.problem {
                Some(problem) if was_well => Some(format!("{} {problem}", page.path)),
                None if was_there && page.status >= 400 => {
                    Some(format!("{} answered {}, not so before", page.path, page.status))
                }
                _ => None,
            }
        })
    }
}

/// Why a look says nothing of the site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the site can't be looked at: {0}")]
pub(crate) struct Unknown(pub(crate) String);

impl From<Unknown> for StepError {
    fn from(error: Unknown) -> Self {
        Self { message: error.to_string(), retryable: true }
    }
}

/// Looks at a site's pages, whether the gateway serves it or not.
///
/// # Errors
/// When the machine gives no answer that tells of the site. Trying again may help.
pub(crate) async fn check(plane: &Plane, uid: TenantUid) -> Result<Health, Unknown> {
    let entry = plane.tenants.fetch(uid).and_then(|tenant| sites::entry(plane, &tenant));
    let site = entry.ok_or_else(|| Unknown("it has no slot".to_owned()))?;
    let mut pages = Vec::new();
    for (path, who) in PAGES {
        pages.push(page(plane, &site, path, *who).await?);
    }
    Ok(Health { pages })
}

/// One page: well, or twice in a row not, with servers that work.
async fn page(plane: &Plane, site: &SiteEntry, path: &str, who: As) -> Result<Page, Unknown> {
    let deadline = Instant::now() + MACHINE_PATIENCE;
    let mut is_second = false;
    loop {
        let visit = plane.visitor.visit(site, path, who).await;
        let page = look(path, &visit);
        if visit.unasked.is_none() && page.problem.is_none() {
            return Ok(page);
        }
        let fault = match visit.unasked {
            Some(fault) => Some(fault),
            None => fault(plane).await,
        };
        match fault {
            None if is_second => return Ok(page),
            // A worker may just have been ended.
            None => is_second = true,
            Some(fault) if Instant::now() >= deadline => return Err(Unknown(fault)),
            Some(_) => is_second = false,
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What of the servers that a site needs does not work.
async fn fault(plane: &Plane) -> Option<String> {
    let drivers = &plane.drivers;
    let (php, database) = tokio::join!(drivers.php.health(), drivers.database.health());
    [php, database].into_iter().find_map(|looked| looked.err().map(|error| error.to_string()))
}

fn look(path: &str, visit: &Visit) -> Page {
    let is_page = visit.status == 200 && visit.content_type.starts_with("text/html");
    let problem = if visit.status == 0 {
        Some("did not answer".to_owned())
    } else if visit.status >= 500 {
        Some(format!("answered {}", visit.status))
    } else if !visit.is_whole {
        Some(format!("answered {} and broke off", visit.status))
    } else if is_page && visit.body.trim_ascii().len() < SHORTEST {
        Some("is a white page".to_owned())
    } else if is_page && !ends_as_html(&visit.body) {
        Some("ends in the middle (no </html>)".to_owned())
    } else {
        None
    };
    let problem = problem.map(|problem| match first_fatal(&visit.stderr) {
        Some(fatal) => format!("{problem}: {fatal}"),
        None => problem,
    });
    Page { path: path.to_owned(), status: visit.status, problem }
}

fn ends_as_html(body: &[u8]) -> bool {
    let tail = &body[body.len().saturating_sub(64 * 1024)..];
    tail.windows(7).any(|window| window.eq_ignore_ascii_case(b"</html>"))
}

/// The first line by which PHP tells why it ended.
fn first_fatal(stderr: &str) -> Option<String> {
    let line = stderr.lines().find(|line| {
        ["PHP Fatal error:", "PHP Parse error:", "PHP Compile error:"]
            .iter()
            .any(|kind| line.contains(kind))
    })?;
    let from = line.find("PHP ").unwrap_or(0);
    Some(line[from..].chars().take(ERROR_CHARS).collect())
}

/// Visits over the slots' FastCGI sockets.
#[derive(Debug, Clone)]
pub struct FastCgiVisitor {
    /// Whose files a site's files are.
    pub ids: ShardIds,
}

/// Keeps what PHP writes to its standard error.
#[derive(Default)]
struct Kept {
    text: Mutex<String>,
    unasked: Mutex<Option<String>>,
}

impl ErrorSink for Kept {
    fn message(&self, _: &Asked, text: &[u8], _: bool) {
        let mut kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_str(&String::from_utf8_lossy(text));
    }

    fn failed(&self, _: &Asked, reason: &(dyn std::error::Error + 'static)) {
        if is_of_machine(reason) {
            let source = reason.source().map(|source| format!(": {source}")).unwrap_or_default();
            let mut unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
            *unasked = Some(format!("{reason}{source}"));
        }
    }
}

#[async_trait]
impl Visitor for FastCgiVisitor {
    async fn visit(&self, site: &SiteEntry, path: &str, who: As) -> Visit {
        let Some(mut found) = gateway::table::site(site, &self.ids) else {
            return Visit { unasked: Some("it has no slot".to_owned()), ..Visit::default() };
        };
        found.state = SiteState::Serving;
        found.told.push(("AIPRESS_SMOKE", who.as_str().to_owned()));
        let host = found.hosts.first().cloned().unwrap_or_default();
        let config = RuntimeConfig {
            header_timeout: PATIENCE,
            total_timeout: PATIENCE,
            ..RuntimeConfig::default()
        };
        let table = Arc::new(SiteTable::new(&config));
        table.replace(vec![found]);
        let errors = Arc::new(Kept::default());
        let service = SiteService::new(config, table, Arc::new(()), Arc::clone(&errors) as _);
        let request = Request::get(path)
            .header(header::HOST, &host)
            .header(header::USER_AGENT, "AIPress-Smoke")
            .header(header::ACCEPT, "text/html")
            .header("x-forwarded-for", "127.0.0.1")
            .body(Full::new(Bytes::new()));
        let Ok(request) = request else { return Visit::default() };
        let asked = tokio::time::timeout(PATIENCE, ask(&service, request)).await;
        let mut visit = asked.unwrap_or_default();
        visit.stderr = errors.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        visit.unasked = errors.unasked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if visit.status == 503 && visit.stderr.contains(NOT_ITS_SLOT) {
            visit.unasked = Some("its slot is not its own at the moment".to_owned());
        }
        visit
    }
}

async fn ask(service: &SiteService, request: Request<Full<Bytes>>) -> Visit {
    let (head, mut body) = service.handle(request).await.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let mut visit = Visit {
        status: head.status.as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        is_whole: true,
        ..Visit::default()
    };
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => read.extend_from_slice(&data),
            Ok(Err(_)) => {}
            Err(_) => {
                visit.is_whole = false;
                break;
            }
        }
        if read.len() > LONGEST {
            break;
        }
    }
    visit.body = Bytes::from(read);
    visit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, body: &str, stderr: &str) -> Page {
        let visit = Visit {
            status,
            content_type: "text/html; charset=UTF-8".to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            is_whole: true,
            stderr: stderr.to_owned(),
            unasked: None,
        };
        look("/", &visit)
    }

    fn whole() -> String {
        format!("<!doctype html><html><body>{}</body></HTML>\n", "bread ".repeat(20))
    }

    #[test]
    fn a_page_is_well_when_it_is_whole() {
        assert_eq!(page(200, &whole(), "PHP Warning:  x").problem, None);
        assert_eq!(page(302, "", "").problem, None);
        assert_eq!(page(404, &whole(), "").problem, None);
        assert!(page(200, " \n", "").problem.unwrap().contains("white"));
        assert!(page(200, &whole()[..100], "").problem.unwrap().contains("middle"));
        let died =
            page(500, &whole(), "noise\nPHP Fatal error:  Uncaught Error: boom in x.php:3\n");
        assert_eq!(
            died.problem.unwrap(),
            "answered 500: PHP Fatal error:  Uncaught Error: boom in x.php:3"
        );
    }

    #[test]
    fn what_was_broken_before_is_not_blamed() {
        let health = |page: Page| Health { pages: vec![page] };
        let well = health(page(200, &whole(), ""));
        let white = health(page(200, "", ""));
        let gone = health(page(404, &whole(), ""));
        assert_eq!(
            (well.complaint(), white.complaint().as_deref()),
            (None, Some("/ is a white page"))
        );
        assert_eq!(white.worse_than(&well).unwrap(), "/ is a white page");
        assert_eq!(white.worse_than(&white), None);
        assert_eq!(well.worse_than(&white), None);
        assert!(gone.worse_than(&well).unwrap().contains("404"));
        assert_eq!(gone.worse_than(&gone), None);
    }
}
