//! Wire types, paths, problem+json and pages of the public API and of the calls between roles.
//! Converted by hand from and to the registry's records and the domain types; deriving
//! `Serialize` here is a promise of compatibility.

pub mod audit;
#[cfg(feature = "client")]
pub mod client;
pub mod cron;
pub mod document;
pub mod event;
pub mod health;
pub mod internal;
pub mod inventory;
pub mod log;
pub mod login_link;
pub mod mail;
pub mod me;
pub mod operation;
pub mod package;
pub mod page;
pub mod paths;
pub mod plan;
pub mod problem;
pub mod project;
pub mod reference;
pub mod route;
pub mod secret;
pub mod shard;
pub mod site_package;
pub mod tenant;
pub mod transfer;
pub mod webhook;
pub mod wp;

pub use audit::AuditChainView;
pub use audit::AuditCheckpointsSeen;
pub use audit::AuditCheckpointsView;
pub use audit::AuditFault;
pub use audit::AuditFindingView;
pub use audit::AuditVerificationView;
pub use audit::AuditView;
pub use document::ApiVersion;
pub use document::DocumentKind;
pub use document::DocumentMetadata;
pub use document::TenantDocument;
pub use document::TenantStatus;
pub use event::EventPage;
pub use event::EventView;
pub use event::ServerSentEvent;
pub use health::HealthView;
pub use log::LogLine;
pub use log::LogRequest;
pub use log::LogSource;
pub use log::Severity;
pub use login_link::LoginLinkCreate;
pub use login_link::LoginLinkView;
pub use me::MeView;
pub use operation::OperationEventView;
pub use operation::OperationState;
pub use operation::OperationView;
pub use operation::StepView;
pub use package::PackageFetch;
pub use package::PackageHolderView;
pub use package::PackageView;
pub use page::Page;
pub use plan::PlanApplied;
pub use plan::PlanChange;
pub use plan::PlanCreate;
pub use plan::PlanItem;
pub use plan::PlanResult;
pub use plan::PlanRun;
pub use plan::PlanView;
pub use problem::Problem;
pub use project::ProjectView;
pub use route::RouteView;
pub use secret::RotateSecrets;
pub use secret::SecretKind;
pub use shard::ShardPatch;
pub use shard::ShardView;
pub use site_package::SitePackageUpdate;
pub use site_package::SitePackageView;
pub use tenant::Accepted;
pub use tenant::TenantCreate;
pub use tenant::TenantPatch;
pub use tenant::TenantView;
pub use transfer::CloneCreate;
pub use transfer::ExportAccepted;
pub use transfer::ExportView;
pub use transfer::ImportComplete;
pub use transfer::ImportCreate;
pub use transfer::ImportView;
pub use webhook::DeliveryAttempt;
pub use webhook::DeliveryStatus;
pub use webhook::DeliveryView;
pub use webhook::WebhookCreate;
pub use webhook::WebhookPatch;
pub use webhook::WebhookRotate;
pub use webhook::WebhookSecretView;
pub use webhook::WebhookState;
pub use webhook::WebhookView;

/// Version of the protocol between roles; sent with each call, refused when it differs.
pub const PROTOCOL: u32 = 1;
/// Header that carries [`PROTOCOL`].
pub const PROTOCOL_HEADER: &str = "aipress-protocol";
/// Header that names the calling role.
pub const ROLE_HEADER: &str = "aipress-role";
