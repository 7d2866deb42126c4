//! One request to PHP, from its body to its answer: spool, wait for a worker, connect, send, hold
//! back.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body::Body as HttpBody;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    body::PhpBody,
    params::{self, Script, put_request},
    stderr::{Finished, StderrLog},
    work::Work,
};
use crate::{
    access::{Asked, ErrorSink, REQUEST_ID},
    admission::{Admission, AdmissionError, Permit},
    body::Body,
    client::Client,
    config::{HELD_BACK_BYTES, RuntimeConfig},
    fastcgi::{
        decode::Event,
        end_request::ProtocolStatus,
        exchange::{Exchange, ExchangeError},
        head::{Head, HeadError, find_end},
        stdin::Stdin,
    },
    spool::{self, Allowance, SpoolError},
    table::SiteEntry,
};

/// Pools that a request is sent to at most, while the site moves from one to the next.
const POOLS_TRIED: u8 = 3;

/// Longest that a worker may have worked on a request which another one is given after its death: what
/// took longer is too dear to be done twice, and was more likely ended on purpose.
const TRIED_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no answer of PHP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The request's body could not be taken.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The headers are larger than PHP is told.
    #[error("the request's parameters are larger than {0} bytes")]
    ParamsTooLarge(usize),
    /// No worker.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The worker died, or was never there.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The answer's header is bad.
    #[error("read the header of php's answer")]
    Head(#[from] HeadError),
    /// The answer ended before its header, or its header is too large.
    #[error("php's answer has no header of at most {0} bytes")]
    NoHead(usize),
    /// php-fpm has no worker for it.
    #[error("php-fpm is overloaded")]
    Overloaded,
    /// php-fpm did not take the request.
    #[error("php-fpm refused the request: {0:?}")]
    Refused(ProtocolStatus),
    /// It took too long.
    #[error("php did not answer in time")]
    TimedOut,
}

/// Whether a failure that an [`ErrorSink`] was told of says nothing of the site: its request never
/// came to a worker.
pub fn is_of_machine(reason: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        reason.downcast_ref(),
        Some(
            RunError::Spool(_)
                | RunError::Admission(_)
                | RunError::Exchange(ExchangeError::Connect(_))
                | RunError::Overloaded
        )
    )
}

/// What all requests to PHP share.
pub(crate) struct Php<'a> {
    pub(crate) config: &'a RuntimeConfig,
    pub(crate) total_workers: &'a Arc<Admission>,
    pub(crate) total_spooled: &'a Arc<AtomicU64>,
    pub(crate) errors: &'a Arc<dyn ErrorSink>,
}

/// What a request holds while PHP works for it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) uid: Arc<str>,
    _site: Permit,
    _total: Permit,
    _allowance: Allowance,
}

/// The part of an answer that is at hand, of which nothing went on yet.
struct Held {
    bytes: BytesMut,
    head: Option<Head>,
}

/// An answer with its head.
struct Answer {
    head: Head,
    /// With the head's.
    bytes: BytesMut,
    rest: Rest,
}

/// What follows what is at hand.
enum Rest {
    /// Nothing.
    Ended,
    /// Nothing, though the script goes on.
    Finished(Finished),
    /// More than is held back.
    Comes,
}

impl Php<'_> {
    /// Runs a script. `queued` is set to how long the request waited for a worker.
    pub(crate) async fn run<B>(
        &self,
        entry: &SiteEntry,
        parts: &Parts,
        client: &Client,
        script: Script<'_>,
        body: B,
        queued: &mut Duration,
    ) -> Result<Response<Body>, RunError>
    where
        B: HttpBody<Data = Bytes>,
    {
        let config = self.config;
        let site = &entry.site;
        let mut allowance = Allowance::new(&entry.spooled, self.total_spooled);
        let stdin = spool::collect(body, site.max_body_bytes, config, &mut allowance).await?;
        let mut params = Vec::with_capacity(entry.constant_params.len() + 2048);
        params.extend_from_slice(&entry.constant_params);
        put_request(&mut params, parts, client, script, stdin.len());
        if params.len() > config.max_params_bytes {
            return Err(RunError::ParamsTooLarge(config.max_params_bytes));
        }

        let arrived = Instant::now();
        let permit = entry.workers.acquire(config.queue_timeout).await?;
        let left = config.queue_timeout.saturating_sub(arrived.elapsed());
        let total = self.total_workers.acquire(left).await?;
        *queued = arrived.elapsed();
        let uid = Arc::clone(&site.uid);
        let lease = Lease { uid, _site: permit, _total: total, _allowance: allowance };

        let (mut pool, exchange) = self.connect(entry, &params, stdin.again()).await?;
        let begun = Instant::now();
        let asked = Asked {
            uid: Arc::clone(&site.uid),
            request_id: parts.headers.get(REQUEST_ID).cloned(),
        };
        let stderr = StderrLog::new(Arc::clone(self.errors), asked, config.max_stderr_bytes);
        let deadline = begun + config.total_timeout;
        // Who calls WordPress's cron leaves at once, and its work goes on.
        let is_cron = script.file == params::CRON;
        let mut work = Work::new(exchange, stderr, lease, deadline, is_cron);
        // RFC 9110 section 9.2.2: what is safe may be asked again by itself, nothing else.
        let mut once_more = parts.method.is_safe() && stdin.is_empty() && !is_cron;
        let mut pools = 1;
        let answer = loop {
            match self.hold(&mut work, begun).await {
                // A site gets another pool while it runs (its tier changed). A connection that waits
                // in the queue of one that ends is reset, unheard; such a pool ends only once all who
                // were heard have their answer. So the request goes to the new one, and nothing
                // happens twice.
                Err(RunError::Exchange(ExchangeError::Reset))
                    if pools < POOLS_TRIED && **entry.pool.load() != *pool =>
                {
                    pools += 1;
                }
                // A crash of PHP itself, now and then, is no affair of the visitor's.
                Err(RunError::Exchange(
                    error @ (ExchangeError::Reset | ExchangeError::Truncated),
                )) if once_more && begun.elapsed() < TRIED_AGAIN_WITHIN => {
                    once_more = false;
                    work.worker_died(error);
                }
                answer => break answer?,
            }
            let (next, exchange) = self.connect(entry, &params, stdin.again()).await?;
            pool = next;
            work.replace(exchange);
        };
        Ok(Self::respond(work, answer, &parts.method))
    }

    /// Sends the request to the site's pool, and says which one that was.
    async fn connect(
        &self,
        entry: &SiteEntry,
        params: &[u8],
        stdin: Stdin,
    ) -> Result<(Arc<PathBuf>, Exchange), RunError> {
        let pool = entry.pool.load_full();
        let stream = Exchange::connect(&pool, self.config.connect_timeout).await?;
        Ok((pool, Exchange::begin(stream, params, stdin)))
    }

    /// Waits for the whole answer, or for as much of it as is held back.
    async fn hold(&self, work: &mut Work, begun: Instant) -> Result<Answer, RunError> {
        let total_deadline = work.deadline();
        let header_deadline = total_deadline.min(begun + self.config.header_timeout);
        let max_head = self.config.max_response_header_bytes;
        let mut held = Held { bytes: BytesMut::new(), head: None };
        let rest = loop {
            let Some((exchange, stderr)) = work.parts() else { break Rest::Ended };
            let deadline = if held.head.is_some() { total_deadline } else { header_deadline };
            let event = timeout_at(deadline, exchange.next()).await;
            match event.map_err(|_| RunError::TimedOut)?? {
                Event::Stdout(part) => held.push(&part, max_head)?,
                Event::Stderr(part) => {
                    stderr.push(&part);
                    if let Some(finished) = stderr.take_finished().filter(|_| held.head.is_some()) {
                        break Rest::Finished(finished);
                    }
                }
                Event::End(end) => {
                    work.end();
                    match end.protocol_status {
                        ProtocolStatus::RequestComplete => break Rest::Ended,
                        ProtocolStatus::Overloaded => return Err(RunError::Overloaded),
                        other => return Err(RunError::Refused(other)),
                    }
                }
            }
            if let Some(head) = &held.head
                && held.bytes.len() - head.bytes >= HELD_BACK_BYTES
            {
                break Rest::Comes;
            }
        };
        let head = held.head.ok_or(RunError::NoHead(max_head))?;
        Ok(Answer { head, bytes: held.bytes, rest })
    }

    /// The answer as it goes on.
    fn respond(mut work: Work, answer: Answer, method: &Method) -> Response<Body> {
        let Answer { head, mut bytes, rest } = answer;
        let mut body = bytes.split_off(head.bytes).freeze();
        match rest {
            Rest::Comes => {
                let mut response = response(&head);
                if let Some(length) = head.content_length {
                    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
                }
                let deadline = Box::pin(sleep_until(work.deadline()));
                *response.body_mut() = Body::php(PhpBody { held: Some(body), deadline, work });
                return response;
            }
            Rest::Finished(Finished { is_padded }) => {
                if is_padded {
                    body.clear();
                }
                work.goes_on();
            }
            Rest::Ended => {}
        }
        whole(&head, body, method)
    }
}

impl Held {
    fn push(&mut self, part: &[u8], max_head: usize) -> Result<(), RunError> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(part);
        if self.head.is_some() {
            return Ok(());
        }
        let end = find_end(&self.bytes, before);
        if end.unwrap_or(self.bytes.len()) > max_head {
            return Err(RunError::NoHead(max_head));
        }
        self.head = end.map(|end| Head::parse(&self.bytes, end)).transpose()?;
        Ok(())
    }
}

fn response(head: &Head) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    response
}

/// An answer that is at hand as a whole. Its length is counted, whatever PHP said: plugins that
/// count characters get it wrong.
fn whole(head: &Head, body: Bytes, method: &Method) -> Response<Body> {
    let mut response = response(head);
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return response;
    }
    if *method == Method::HEAD {
        if let Some(length) = head.content_length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        return response;
    }
    let length = HeaderValue::from(body.len());
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    *response.body_mut() = Body::full(body);
    response
}
