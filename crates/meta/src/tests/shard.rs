//! A shard that does as a test tells it: its control API on a Unix socket, its reports to meta.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use aipress_api::LogLine;
use aipress_api::PlanRun;
use aipress_api::cron::CronView;
use aipress_api::internal::ExportStatus;
use aipress_api::internal::IntentList;
use aipress_api::internal::LoginTokenCreate;
use aipress_api::internal::LogsAsked;
use aipress_api::internal::LogsFound;
use aipress_api::internal::MailChange;
use aipress_api::internal::MailNews;
use aipress_api::internal::ShardReport;
use aipress_api::internal::ShardTallies;
use aipress_api::mail::MailChangedView;
use aipress_api::mail::MailListView;
use aipress_api::mail::MailSkipReason;
use aipress_api::mail::MailSkippedView;
use aipress_api::mail::MailTotalsView;
use aipress_api::mail::MailUseView;
use aipress_api::wp::NDJSON;
use aipress_api::wp::WpCommand;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::bind_unix;
use aipress_kit::tasks;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::ObservedStep;
use aipress_types::ShardHealth;
use aipress_types::ShardId;
use aipress_types::StepState;
use aipress_types::TenantIntent;
use aipress_types::TenantObserved;
use aipress_types::TenantUid;
use axum::Json;
use axum::Router;
use axum::extract::Path as UrlPath;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;

use super::harness::Answer;
use super::harness::role_request;
use super::harness::send;
use super::harness::token;
use super::harness::until;

/// What the shard does with an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Converges at once and reports it.
    Converge,
    /// Takes it and says nothing.
    Hold,
    /// Fails with this message.
    Fail(String),
    /// Refuses pushes.
    Refuse,
    /// Has no room for an export, and says nothing more.
    Full,
}

#[derive(Debug)]
struct Told {
    behaviour: Behaviour,
    health: ShardHealth,
    intents: BTreeMap<TenantUid, TenantIntent>,
    login_tokens: Vec<LoginTokenCreate>,
    lines: Vec<LogLine>,
    asked: Vec<LogsAsked>,
    commands: Vec<WpCommand>,
    mail_changes: Vec<MailChange>,
    pushes: u32,
    exports_asked: u32,
}

/// A shard. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct FakeShard {
    pub(super) id: ShardId,
    pub(super) slots: u32,
    folder: PathBuf,
    told: Arc<Mutex<Told>>,
    lifecycle: Lifecycle,
}

impl FakeShard {
    pub(super) async fn start(folder: &Path, number: u32, slots: u32) -> Self {
        let told = Told {
            behaviour: Behaviour::Converge,
            health: ShardHealth::Healthy,
            intents: BTreeMap::new(),
            login_tokens: Vec::new(),
            lines: Vec::new(),
            asked: Vec::new(),
            commands: Vec::new(),
            mail_changes: Vec::new(),
            pushes: 0,
            exports_asked: 0,
        };
        let shard = Self {
            id: ShardId::from_number(number).unwrap(),
            slots,
            folder: folder.to_owned(),
            told: Arc::new(Mutex::new(told)),
            lifecycle: Lifecycle::manual(),
        };
        let router = Router::new()
            .route("/v1/intents/{uid}", put(take_intent))
            .route("/v1/tenants/{uid}/login-token", post(take_login_token))
            .route("/v1/tenants/{uid}/cron", get(show_cron))
            .route("/v1/tenants/{uid}/mail", get(list_mail).post(change_mail))
            .route("/v1/tenants/{uid}/logs", post(give_lines))
            .route("/v1/exports/{id}", put(begin_export))
            .route("/v1/tenants/{uid}/wp", post(run_command))
            .route("/v1/tenants/{uid}/wp-plan", post(plan_command))
            .with_state(shard.clone());
        let listener = bind_unix(&shard.socket(), 0o600).unwrap();
        tasks::spawn(
            "fake-shard",
            aipress_kit::http::serve(listener, router, shard.lifecycle.clone()),
        );
        shard
    }

    fn socket(&self) -> PathBuf {
        self.folder.join(format!("shard-{}.sock", self.id.number()))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        self.told().behaviour = behaviour;
    }

    pub(super) fn feel(&self, health: ShardHealth) {
        self.told().health = health;
    }

    pub(super) fn intents(&self) -> Vec<TenantIntent> {
        self.told().intents.values().cloned().collect()
    }

    pub(super) fn login_tokens(&self) -> Vec<LoginTokenCreate> {
        self.told().login_tokens.clone()
    }

    /// Has a line in every site's log.
    pub(super) fn log(&self, line: LogLine) {
        self.told().lines.push(line);
    }

    /// What was asked of logs.
    pub(super) fn logs_asked(&self) -> Vec<LogsAsked> {
        self.told().asked.clone()
    }

    /// The commands that ran.
    pub(super) fn commands(&self) -> Vec<WpCommand> {
        self.told().commands.clone()
    }

    /// What was done with mail.
    pub(super) fn mail_changes(&self) -> Vec<MailChange> {
        self.told().mail_changes.clone()
    }

    pub(super) fn pushes(&self) -> u32 {
        self.told().pushes
    }

    /// How often it was asked how an export is.
    pub(super) fn exports_asked(&self) -> u32 {
        self.told().exports_asked
    }

    /// Waits for an intent of `name` of at least this generation.
    pub(super) async fn intent(&self, name: &str, generation: u64) -> TenantIntent {
        until("an intent", || async {
            self.intents()
                .into_iter()
                .find(|intent| intent.name.as_str() == name && intent.generation >= generation)
        })
        .await
    }

    /// Reports these tenants, and itself.
    pub(super) async fn report(&self, tenants: &[TenantObserved]) -> Answer {
        self.report_with(tenants, Vec::new(), ShardTallies::default()).await
    }

    /// Reports, and tells of mail.
    pub(super) async fn report_with(
        &self,
        tenants: &[TenantObserved],
        mail_news: Vec<MailNews>,
        tallies: ShardTallies,
    ) -> Answer {
        let report = ShardReport {
            health: self.told().health,
            message: None,
            region: "us-central1".to_owned(),
            slots: self.slots,
            control: format!("unix:{}", self.socket().display()),
            gateway: format!("unix:/gateway-{}.sock", self.id.number()),
            tenants: tenants.to_vec(),
            mail_news,
            tallies,
        };
        let role = self.id.to_string();
        let request = role_request(&role, "POST", &format!("/internal/v1/shards/{role}/report"))
            .header("content-type", "application/json")
            .body(Bytes::from(serde_json::to_vec(&report).unwrap()))
            .unwrap();
        self.internal(request).await
    }

    /// Asks meta for its intents.
    pub(super) async fn pull(&self) -> IntentList {
        let role = self.id.to_string();
        let request = role_request(&role, "GET", &format!("/internal/v1/shards/{role}/intents"))
            .body(Bytes::new())
            .unwrap();
        serde_json::from_value(self.internal(request).await.is(200).body).unwrap()
    }

    async fn internal(&self, request: http::Request<Bytes>) -> Answer {
        send(&self.folder.join("internal.sock"), request).await.expect("meta answers")
    }

    /// Reports the intent as real.
    pub(super) async fn converge(&self, intent: &TenantIntent) -> Answer {
        self.report(&[observed(intent, ObservedPhase::Converged, None)]).await
    }
}

/// What a shard would say of an intent in this phase.
pub(super) fn observed(
    intent: &TenantIntent,
    phase: ObservedPhase,
    message: Option<&str>,
) -> TenantObserved {
    let step = |name: &str, state: StepState| ObservedStep {
        name: name.to_owned(),
        state,
        duration_ms: 7,
        message: None,
    };
    let last = match phase {
        ObservedPhase::Converging => StepState::Running,
        ObservedPhase::Converged => StepState::Succeeded,
        ObservedPhase::Failed => StepState::Failed,
    };
    let out = matches!(intent.desired, DesiredState::Deleted | DesiredState::Erased);
    TenantObserved {
        uid: intent.uid,
        generation: intent.generation,
        placement_epoch: intent.placement_epoch,
        phase,
        desired: intent.desired,
        slot: (!out).then_some(1),
        wordpress_version: Some("7.1".to_owned()),
        steps: vec![step("slot", StepState::Succeeded), step("database", last)],
        message: message.map(str::to_owned),
        serving: false,
        rolled_back: Vec::new(),
        limits: Vec::new(),
    }
}

async fn take_intent(
    State(shard): State<FakeShard>,
    headers: HeaderMap,
    Json(intent): Json<TenantIntent>,
) -> StatusCode {
    let expected = format!("Bearer {}", token("meta"));
    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some(&expected) {
        return StatusCode::UNAUTHORIZED;
    }
    let behaviour = {
        let mut told = shard.told();
        told.pushes += 1;
        if told.behaviour == Behaviour::Refuse {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        told.intents.insert(intent.uid, intent.clone());
        told.behaviour.clone()
    };
    let report = match behaviour {
        Behaviour::Hold | Behaviour::Refuse | Behaviour::Full => return StatusCode::ACCEPTED,
        Behaviour::Converge => observed(&intent, ObservedPhase::Converged, None),
        Behaviour::Fail(why) => observed(&intent, ObservedPhase::Failed, Some(&why)),
    };
    tasks::spawn("fake-report", async move {
        shard.report(&[observed(&intent, ObservedPhase::Converging, None)]).await;
        shard.report(&[report]).await;
    });
    StatusCode::ACCEPTED
}

async fn take_login_token(
    State(shard): State<FakeShard>,
    UrlPath(_uid): UrlPath<TenantUid>,
    Json(body): Json<LoginTokenCreate>,
) -> StatusCode {
    let mut told = shard.told();
    if told.behaviour == Behaviour::Refuse {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    told.login_tokens.push(body);
    StatusCode::NO_CONTENT
}

/// Begins, and gets nowhere.
async fn begin_export(State(shard): State<FakeShard>) -> Result<Json<ExportStatus>, StatusCode> {
    let mut told = shard.told();
    told.exports_asked += 1;
    match told.behaviour {
        Behaviour::Refuse => Err(StatusCode::SERVICE_UNAVAILABLE),
        Behaviour::Full => Err(StatusCode::INSUFFICIENT_STORAGE),
        _ => Ok(Json(ExportStatus::default())),
    }
}

async fn plan_command(
    State(shard): State<FakeShard>,
    UrlPath(_uid): UrlPath<TenantUid>,
    Json(command): Json<WpCommand>,
) -> Json<PlanRun> {
    Json(PlanRun {
        command: command.args,
        program: "agent".to_owned(),
        shard: shard.id.to_string(),
        slot: 1,
        user: Some(70_111),
        is_namespaced: true,
        time_limit_seconds: u64::from(command.time_limit_seconds.unwrap_or(60)),
        memory_bytes: 1024,
        file_bytes: 1024,
        processes: Some(96),
    })
}

/// Says the arguments, then ends with 3.
async fn run_command(
    State(shard): State<FakeShard>,
    UrlPath(_uid): UrlPath<TenantUid>,
    Json(command): Json<WpCommand>,
) -> impl IntoResponse {
    let said = serde_json::json!({ "stream": "out", "data": command.args.join(" ") });
    shard.told().commands.push(command);
    ([("content-type", NDJSON)], format!("{said}\n\n{{\"exit\":3}}\n"))
}

async fn list_mail() -> Json<MailListView> {
    let none = MailUseView { used: 0, limit: 100 };
    let totals = MailTotalsView::default();
    Json(MailListView { items: Vec::new(), last_hour: none, last_day: none, totals })
}

/// Has one mail, `m1`, and sends none when it refuses.
async fn change_mail(
    State(shard): State<FakeShard>,
    UrlPath(_uid): UrlPath<TenantUid>,
    Json(change): Json<MailChange>,
) -> axum::response::Response {
    let mut told = shard.told();
    match told.behaviour {
        Behaviour::Full => {
            let problem = serde_json::json!({ "type": "x", "title": "x", "status": 409,
                "code": "invalid_state", "detail": "no mail server is set" });
            return (StatusCode::CONFLICT, Json(problem)).into_response();
        }
        Behaviour::Refuse => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => {}
    }
    let unknown = |id: &String| MailSkippedView { id: id.clone(), reason: MailSkipReason::Unknown };
    let (has, lacks): (Vec<_>, Vec<_>) = change.ids.iter().partition(|id| *id == "m1");
    let items = if change.all { vec!["m1".to_owned()] } else { has.into_iter().cloned().collect() };
    if !change.is_rehearsal {
        told.mail_changes.push(change.clone());
    }
    let skipped = lacks.into_iter().map(unknown).collect();
    Json(MailChangedView { items, skipped }).into_response()
}

async fn show_cron() -> Json<CronView> {
    Json(CronView {
        next_due_at: None,
        is_running: false,
        failures: 0,
        resting_until: None,
        last_run: None,
        wakes: Vec::new(),
    })
}

/// Lines behind the one that was named, oldest first; their ids sort as texts.
async fn give_lines(
    State(shard): State<FakeShard>,
    UrlPath(_uid): UrlPath<TenantUid>,
    Json(asked): Json<LogsAsked>,
) -> Result<Json<LogsFound>, StatusCode> {
    let wait = std::time::Duration::from_millis(asked.wait_ms.min(20));
    tokio::time::sleep(wait).await;
    let mut told = shard.told();
    told.asked.push(asked.clone());
    if told.behaviour == Behaviour::Refuse {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let behind = |line: &&LogLine| asked.after.as_ref().is_none_or(|after| line.id > *after);
    let all: Vec<LogLine> = told.lines.iter().filter(behind).cloned().collect();
    let lines: Vec<LogLine> = all.iter().take(asked.limit as usize).cloned().collect();
    let last = lines.last().map(|line| line.id.clone()).or(asked.after);
    Ok(Json(LogsFound { is_more: lines.len() < all.len(), lines, last }))
}
