//! `POST /v1/tenants/{uid}/wp`: runs a command in the site's sandbox; its output is streamed, and
//! whoever goes away ends it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::PlanRun;
use aipress_api::wp::NDJSON;
use aipress_api::wp::WpCommand;
use aipress_api::wp::WpEnd;
use aipress_api::wp::WpLine;
use aipress_api::wp::WpPiece;
use aipress_api::wp::WpStream;
use aipress_drivers::DriverError;
use aipress_drivers::ExecCall;
use aipress_drivers::ExecChunk;
use aipress_drivers::ExecExit;
use aipress_drivers::Program;
use aipress_drivers::Slot;
use aipress_kit::tasks;
use aipress_types::TenantUid;
use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// Time of a command that asks for none.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Pieces of output on their way; a full channel makes the command wait.
const PIECES: usize = 8;
/// How long a refusal may take to come before the answer begins: longer than a command waits for
/// its turn.
const BEGIN: Duration = Duration::from_secs(6);
/// An empty line this often keeps whoever is in between from taking a quiet command for dead.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A command that runs; its task ends it when this is dropped, since nobody receives any more.
struct Follow {
    pieces: mpsc::Receiver<ExecChunk>,
    task: JoinHandle<Option<Result<ExecExit, DriverError>>>,
    /// What came before the answer began.
    first: Option<Bytes>,
    is_over: bool,
    /// Whose plugins, users or options it may have changed.
    plane: Arc<Plane>,
    uid: TenantUid,
}

/// 404, 409, 422 and 429 before anything runs; 200 and lines from then on.
pub(super) async fn run(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(body): Json<WpCommand>,
) -> Response {
    let call = match call_of(&plane, &uid, body) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let uid = call.uid;
    let (sender, mut pieces) = mpsc::channel(PIECES);
    let exec = Arc::clone(&plane.drivers.exec);
    let mut task = tasks::spawn("wp-command", async move { exec.run(call, sender).await });
    let first = match tokio::time::timeout(BEGIN, pieces.recv()).await {
        Ok(Some(piece)) => Some(line(&WpLine::Piece(encode(piece)))),
        Err(_) => None,
        // It has ended without a word, or did not begin.
        Ok(None) => {
            return match (&mut task).await {
                Ok(Some(Ok(exit))) => {
                    plane.inventories.soon(uid);
                    stream_of(line(&WpLine::End(end(exit))))
                }
                Ok(Some(Err(error))) => refused(&error),
                Ok(None) | Err(_) => refuse(500, "internal", "the command's task ended early"),
            };
        }
    };
    let follow = Follow { pieces, task, first, is_over: false, plane, uid };
    let lines = stream::unfold(follow, |mut follow| async move {
        let bytes = follow.next().await?;
        Some((Ok::<_, Infallible>(bytes), follow))
    });
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
}

/// What [`run`] would run, where, and within which limits; nothing is.
pub(super) async fn plan(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(body): Json<WpCommand>,
) -> Response {
    let call = match call_of(&plane, &uid, body) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let sandbox = plane.drivers.exec.sandbox(call.slot);
    Json(PlanRun {
        command: call.args,
        program: match call.program {
            Program::WpCli => "wp-cli",
            Program::Agent => "agent",
        }
        .to_owned(),
        shard: plane.config.id.to_string(),
        slot: call.slot.number(),
        user: sandbox.user,
        is_namespaced: sandbox.is_namespaced,
        time_limit_seconds: call.time_limit.as_secs(),
        memory_bytes: sandbox.memory_bytes,
        file_bytes: sandbox.file_bytes,
        processes: sandbox.processes,
    })
    .into_response()
}

impl Follow {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.is_over {
            return None;
        }
        match tokio::time::timeout(HEARTBEAT, self.pieces.recv()).await {
            Err(_) => Some(Bytes::from_static(b"\n")),
            Ok(Some(piece)) => Some(line(&WpLine::Piece(encode(piece)))),
            Ok(None) => {
                self.is_over = true;
                self.plane.inventories.soon(self.uid);
                let end = match (&mut self.task).await {
                    Ok(Some(Ok(exit))) => end(exit),
                    Ok(Some(Err(error))) => failed(error.to_string()),
                    Ok(None) | Err(_) => failed("the command's task ended early".to_owned()),
                };
                Some(line(&WpLine::End(end)))
            }
        }
    }
}

fn call_of(plane: &Plane, uid: &str, body: WpCommand) -> Result<ExecCall, Box<Response>> {
    let tenant = uid.parse::<TenantUid>().ok().and_then(|uid| plane.tenants.fetch(uid));
    let Some(tenant) = tenant else {
        return Err(Box::new(refuse(404, "not_found", "no such tenant on this shard")));
    };
    let entry = &tenant.entry;
    let Some(slot) = entry.slot.and_then(Slot::new).filter(|_| entry.is_served()) else {
        return Err(Box::new(refuse(409, "not_served", "the site is not served now")));
    };
    // What only the agent has stays its own.
    let is_own = body.args.first().is_some_and(|word| word == "aipress");
    let program = if plane.config.has_wp_cli && !is_own { Program::WpCli } else { Program::Agent };
    Ok(ExecCall {
        uid: entry.intent.uid,
        slot,
        program,
        args: body.args,
        input: Bytes::from(body.input.unwrap_or_default()),
        time_limit: body
            .time_limit_seconds
            .map_or(TIME_LIMIT, |seconds| Duration::from_secs(u64::from(seconds))),
        columns: body.columns,
    })
}

fn stream_of(line: Bytes) -> Response {
    ([(header::CONTENT_TYPE, NDJSON)], line).into_response()
}

fn refused(error: &DriverError) -> Response {
    let (status, code) = match error {
        DriverError::Busy { .. } => (429, "busy"),
        DriverError::Invalid { .. } => (422, "invalid_command"),
        DriverError::Unavailable { .. } => (409, "not_served"),
        _ => (503, "command_not_run"),
    };
    refuse(status, code, error.to_string())
}

fn end(exit: ExecExit) -> WpEnd {
    match exit {
        ExecExit::Code(exit) => WpEnd { exit, message: None },
        ExecExit::Signal(signal) => WpEnd {
            exit: 128 + signal,
            message: Some(format!("the command was ended by signal {signal}")),
        },
        ExecExit::TimedOut => WpEnd {
            exit: 124,
            message: Some("the command took longer than its time limit and was ended".to_owned()),
        },
    }
}

fn failed(message: String) -> WpEnd {
    WpEnd { exit: 125, message: Some(message) }
}

fn encode(piece: ExecChunk) -> WpPiece {
    let (stream, bytes) = match piece {
        ExecChunk::Out(bytes) => (WpStream::Out, bytes),
        ExecChunk::Err(bytes) => (WpStream::Err, bytes),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => WpPiece { stream, data: Some(text.to_owned()), base64: None },
        Err(_) => WpPiece { stream, data: None, base64: Some(BASE64_STANDARD.encode(&bytes)) },
    }
}

fn line(line: &WpLine) -> Bytes {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    Bytes::from(bytes)
}
