//! One mutation as it arrives: who, what, under which key and condition, and its body; and how
//! it is done once, whatever the connection does meanwhile.

use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_kit::tasks;
use aipress_store::IdempotencyOutcome;
use aipress_store::IdempotencyRecord;
use aipress_store::IdempotencyRequest;
use axum::body::Body;
use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::header;
use http::request::Parts;
use http_body_util::BodyExt;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use crate::app::plan::planner;
use crate::app::scope::Answer;
use crate::app::scope::Condition;
use crate::app::scope::Scope;
use crate::change::Origin;
use crate::codes;
use crate::http::dispatch::Kept;
use crate::http::dispatch::Proven;
use crate::http::dry_run;
use crate::http::json;
use crate::http::query::Params;
use crate::http::reply;
use crate::http::told::Told;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Largest body, in bytes.
const BODY_MAX: usize = 1024 * 1024;
/// A body that is refused is read on and thrown away up to here, so that a client that sends
/// first and reads then gets the answer instead of a reset.
const DRAIN_MAX: usize = 64 * 1024 * 1024;
/// Longest time for a body, and for throwing one away.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a key is remembered.
const KEY_TTL: time::Duration = time::Duration::hours(24);
/// Longest `Idempotency-Key`.
const KEY_MAX: usize = 255;

/// A mutation as it arrived, its caller proven.
#[derive(Debug)]
pub(crate) struct Call {
    plane: Arc<Plane>,
    caller: Caller,
    origin: Origin,
    condition: Option<Condition>,
    key: Option<String>,
    method: String,
    path: String,
    dry_run: bool,
    /// What a plan has in place of a body that is not JSON.
    stands_for: Option<Value>,
    /// Whether it comes from within a mutation, which has its place among them already.
    within: bool,
    body: Bytes,
}

impl FromRequest<Arc<Plane>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, plane: &Arc<Plane>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let call = match Self::before_body(&mut parts, plane, &["dryRun"], check_media_type).await {
            Ok(call) => call,
            Err(refusal) => {
                drain(body).await;
                return Err(refusal);
            }
        };
        Ok(call.with_body(read(body).await?))
    }
}

impl Call {
    /// All of a call but its body, which the caller of this reads, or [`drain`]s. Its query has
    /// nothing but `queries`.
    pub(crate) async fn before_body(
        parts: &mut Parts,
        plane: &Arc<Plane>,
        queries: &[&str],
        check_media_type: fn(&HeaderMap) -> Result<(), ApiError>,
    ) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, plane).await?;
        let key = idempotency_key(&parts.headers)?;
        let condition = condition(&parts.headers)?;
        check_media_type(&parts.headers)?;
        let params = Params::from_request_parts(parts, plane).await?;
        // A misspelt `dryRun` must not make the change.
        params.only(queries)?;
        let dry_run = dry_run::is_asked(&params)?;
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
        Ok(Self {
            plane: Arc::clone(plane),
            origin: Told::of(parts)?.by(&caller),
            caller,
            condition,
            key,
            method: parts.method.as_str().to_owned(),
            path,
            dry_run,
            stands_for: None,
            within: parts.extensions.get::<Proven>().is_some(),
            body: Bytes::new(),
        })
    }

    /// The same with its body, or with what stands for it.
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// The same; a plan of it describes its body so.
    pub(crate) fn described(mut self, body: Value) -> Self {
        self.stands_for = Some(body);
        self
    }

    /// Whether only a plan is asked for; from now on it is not.
    pub(crate) fn take_dry_run(&mut self) -> bool {
        mem::take(&mut self.dry_run)
    }

    /// Does `work` once for its key: in a task of its own, so that a connection that breaks
    /// neither stops it halfway nor leaves its key in flight.
    pub(crate) async fn once<F, Fut>(self, work: F) -> Response
    where
        F: FnOnce(Arc<Scope>, Bytes) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Answer, ApiError>> + Send + 'static,
    {
        let permit = match self.within {
            true => None,
            false => match Arc::clone(&self.plane.mutations).acquire_owned().await {
                Ok(permit) => Some(permit),
                Err(_) => return ApiError::new(&codes::INTERNAL, "shutting down").into_response(),
            },
        };
        let task = tasks::spawn("mutation", async move {
            let done = match self.dry_run {
                true => self.planned(work).await,
                false => self.claimed(work).await,
            };
            let response = done.unwrap_or_else(ApiError::into_response);
            drop(permit);
            response
        });
        match task.await {
            Ok(Some(response)) => response,
            // The panic itself is in the log, by the task's name.
            Ok(None) | Err(_) => {
                let panic = std::io::Error::other("the mutation's task ended early");
                ApiError::internal("mutation", &panic).into_response()
            }
        }
    }

    /// Does `work`, rolls it back and answers with what it would have done.
    async fn planned<F, Fut>(self, work: F) -> Result<Response, ApiError>
    where
        F: FnOnce(Arc<Scope>, Bytes) -> Fut,
        Fut: Future<Output = Result<Answer, ApiError>>,
    {
        let body = match (self.stands_for, self.body.is_empty()) {
            (Some(described), _) => described,
            (None, true) => Value::Null,
            (None, false) => json::parse(&self.body)?,
        };
        let plane = self.plane;
        let scope = Arc::new(Scope {
            plane: Arc::clone(&plane),
            caller: self.caller,
            origin: self.origin,
            condition: self.condition,
            claim: None,
            dry_run: Some(Mutex::default()),
        });
        work(Arc::clone(&scope), self.body).await?;
        let noted = match &scope.dry_run {
            Some(noted) => mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner)),
            None => Vec::new(),
        };
        let [noted] = noted.as_slice() else {
            let detail = "it changes several things at once";
            return Err(ApiError::new(&codes::NO_DRY_RUN, detail));
        };
        let path = self.path.split('?').next().unwrap_or_default().to_owned();
        let request = planner::Request { method: self.method, path, body };
        dry_run::answer(&plane, &scope.caller, request, noted).await
    }

    async fn claimed<F, Fut>(self, work: F) -> Result<Response, ApiError>
    where
        F: FnOnce(Arc<Scope>, Bytes) -> Fut,
        Fut: Future<Output = Result<Answer, ApiError>>,
    {
        let plane = self.plane;
        let mut claim = None;
        if let Some(key) = self.key {
            let request = IdempotencyRequest {
                caller: self.origin.actor.clone(),
                key,
                method: self.method,
                path: self.path,
                body_sha256: Sha256::digest(&self.body).into(),
            };
            let now = plane.clock.now();
            match plane.store.idempotency_begin(&request, now, KEY_TTL).await? {
                IdempotencyOutcome::New(new) => claim = Some(new),
                IdempotencyOutcome::Replay(record) => return Ok(replay(&record)),
                IdempotencyOutcome::InFlight => return Err(in_flight()),
                IdempotencyOutcome::Mismatch => return Err(mismatch()),
            }
        }
        let scope = Arc::new(Scope {
            plane: Arc::clone(&plane),
            caller: self.caller,
            origin: self.origin,
            condition: self.condition,
            claim: claim.clone(),
            dry_run: None,
        });
        match work(scope, self.body).await {
            Ok(answer) => {
                let body = answer.shown_once.as_ref().unwrap_or(&answer.body);
                let mut response = reply::answer(answer.status, body);
                if answer.shown_once.is_some() {
                    response.extensions_mut().insert(Kept(answer.body));
                }
                Ok(response)
            }
            Err(error) => {
                // Nothing was done, so that the key is free for another try. Should this fail,
                // the store itself forgets the claim after a while.
                if let Some(claim) = claim
                    && let Err(error) = plane.store.idempotency_release(&claim).await
                {
                    tracing::warn!(%error, "idempotency claim not released");
                }
                Err(error)
            }
        }
    }
}

fn replay(record: &IdempotencyRecord) -> Response {
    let mut response = reply::answer(record.status, &record.body);
    response.headers_mut().insert(reply::REPLAYED, HeaderValue::from_static("true"));
    response
}

fn in_flight() -> ApiError {
    ApiError::new(
        &codes::IDEMPOTENCY_IN_FLIGHT,
        "a request with this Idempotency-Key is being worked on: ask again in a moment",
    )
    .with_header(header::RETRY_AFTER, "1")
}

fn mismatch() -> ApiError {
    ApiError::new(
        &codes::IDEMPOTENCY_MISMATCH,
        "this Idempotency-Key was used for another method, path or body: use a new one",
    )
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let wrong = || {
        ApiError::new(
            &codes::INVALID_IDEMPOTENCY_KEY,
            format!("send one Idempotency-Key of 1 to {KEY_MAX} visible ASCII characters"),
        )
    };
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| wrong())?;
    let fits = (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if values.next().is_some() || !fits { Err(wrong()) } else { Ok(Some(text.to_owned())) }
}

/// One of the two conditions of RFC 9110 sections 13.1.1 and 13.1.2.
fn condition(headers: &HeaderMap) -> Result<Option<Condition>, ApiError> {
    let if_match = if_match(headers)?;
    let mut absent = headers.get_all(header::IF_NONE_MATCH).iter();
    match (if_match, absent.next(), absent.next()) {
        (if_match, None, _) => Ok(if_match),
        (None, Some(value), None) if value.as_bytes().trim_ascii() == b"*" => {
            Ok(Some(Condition::Absent))
        }
        (None, ..) => Err(ApiError::new(
            &codes::BAD_REQUEST,
            "a change takes `If-None-Match: *` only: do it if it does not exist",
        )),
        (Some(_), ..) => Err(ApiError::new(
            &codes::BAD_REQUEST,
            "`If-Match` and `If-None-Match` exclude each other: send one of them",
        )),
    }
}

/// A weak etag never matches, so it is kept as one that can't.
fn if_match(headers: &HeaderMap) -> Result<Option<Condition>, ApiError> {
    let mut etags = Vec::new();
    let mut any = false;
    let mut given = false;
    for value in headers.get_all(header::IF_MATCH) {
        given = true;
        let text = value.to_str().map_err(|_| {
            ApiError::new(&codes::BAD_REQUEST, "`If-Match` has characters that no etag has")
        })?;
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            any |= item == "*";
            let strong = item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            etags.extend(strong.map(str::to_owned));
        }
    }
    Ok(match (given, any) {
        (false, _) => None,
        (true, true) => Some(Condition::Exists),
        (true, false) => Some(Condition::Etags(etags)),
    })
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let empty = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|length| length == "0");
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return if empty && !headers.contains_key(header::TRANSFER_ENCODING) {
            Ok(())
        } else {
            Err(not_json())
        };
    };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    let json = ["application/json", "application/merge-patch+json"];
    if json.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        Ok(())
    } else {
        Err(not_json())
    }
}

fn not_json() -> ApiError {
    ApiError::new(
        &codes::UNSUPPORTED_MEDIA_TYPE,
        "send the body as JSON, with `Content-Type: application/json`",
    )
    .with_header(header::ACCEPT, "application/json")
}

/// The whole body, if it is not too large.
pub(crate) async fn read(body: Body) -> Result<Bytes, ApiError> {
    read_up_to(body, BODY_MAX).await
}

/// The whole body, if it has at most `limit` bytes.
pub(crate) async fn read_up_to(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut read = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                ApiError::new(&codes::BAD_REQUEST, "the body ended before it was whole")
            })?;
            if let Some(data) = frame.data_ref() {
                if read.len() + data.len() > limit {
                    return Ok::<bool, ApiError>(false);
                }
                read.extend_from_slice(data);
            }
        }
        Ok(true)
    };
    let whole = tokio::time::timeout(BODY_TIMEOUT, reading)
        .await
        .map_err(|_| ApiError::new(&codes::BAD_REQUEST, "the body did not arrive in time"))??;
    if whole {
        return Ok(Bytes::from(read));
    }
    drain(body).await;
    Err(ApiError::new(&codes::BODY_TOO_LARGE, format!("a body has at most {limit} bytes here")))
}

/// Reads what is left of a refused body, within bounds.
pub(crate) async fn drain(mut body: Body) {
    let mut left = DRAIN_MAX;
    let throwing_away = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    // A client that is slower than this loses its answer.
    let _ = tokio::time::timeout(BODY_TIMEOUT, throwing_away).await;
}
