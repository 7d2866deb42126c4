//! The command line: flags of every verb, the verbs, and the words of `--help`. Each noun has a file
//! of its own below `args/`; a verb is a line in an enum there.

#[macro_use]
mod examples;

mod audit;
mod change;
mod clean_data;
mod completion;
mod config;
mod context;
mod core;
mod doctor;
mod document;
mod events;
mod global;
mod logs;
mod mail;
mod man;
mod operation;
mod package;
mod project;
mod role;
mod route;
mod settings;
mod shard;
mod site_package;
mod tenant;
mod transfer;
mod up;
mod webhook;

pub(crate) use audit::AuditExport;
pub(crate) use audit::AuditList;
pub(crate) use audit::AuditPick;
pub(crate) use audit::AuditVerb;
pub(crate) use audit::AuditVerify;
pub(crate) use change::Guarded;
pub(crate) use change::Plain;
pub(crate) use change::Wait;
pub(crate) use clean_data::CleanData;
pub(crate) use completion::Completion;
pub(crate) use completion::Shell;
pub(crate) use config::ConfigVerb;
pub(crate) use context::ContextAdd;
pub(crate) use context::ContextVerb;
pub(crate) use core::CoreVerb;
pub(crate) use doctor::Doctor;
pub(crate) use document::Apply;
pub(crate) use document::Diff;
pub(crate) use document::Files;
pub(crate) use document::PlanVerb;
pub(crate) use events::Events;
pub(crate) use global::Color;
pub(crate) use global::Connect;
pub(crate) use global::Global;
pub(crate) use global::Output;
#[cfg(test)]
pub(crate) use global::Sources;
pub(crate) use logs::TenantLogs;
pub(crate) use mail::MailPick;
pub(crate) use mail::MailVerb;
pub(crate) use man::Man;
pub(crate) use operation::OperationVerb;
pub(crate) use package::PackageVerb;
pub(crate) use project::ProjectVerb;
pub(crate) use role::Role;
pub(crate) use route::Route;
pub(crate) use settings::SettingsVerb;
pub(crate) use shard::ShardVerb;
pub(crate) use site_package::Origin;
pub(crate) use site_package::PluginVerb;
pub(crate) use site_package::SitePackage;
pub(crate) use site_package::SitePackageUpdate;
pub(crate) use site_package::ThemeVerb;
pub(crate) use tenant::TenantCreate;
pub(crate) use tenant::TenantList;
pub(crate) use tenant::TenantRotateSecrets;
pub(crate) use tenant::TenantUpdate;
pub(crate) use tenant::TenantVerb;
pub(crate) use tenant::TenantWp;
pub(crate) use transfer::ExportLock;
pub(crate) use transfer::ImportKey;
pub(crate) use transfer::TenantClone;
pub(crate) use transfer::TenantExport;
pub(crate) use transfer::TenantImport;
pub(crate) use up::Up;
pub(crate) use webhook::WebhookCreate;
pub(crate) use webhook::WebhookUpdate;
pub(crate) use webhook::WebhookVerb;

use clap::Parser;
use clap::Subcommand;

/// Hosts WordPress sites: `aipress up` starts it here, the other verbs drive it.
#[derive(Debug, Parser)]
#[command(name = "aipress", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    aipress up --detach\n  \
    aipress tenant create bakery --title Crumbs --tier silver\n  \
    aipress tenant list\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, \
    5 not signed in or not allowed, 6 platform not reachable or failing, 7 not done in time, \
    8 declined at the question. See docs/CLI.md.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the platform on this machine
    #[command(after_help = examples![
        "aipress up",
        "aipress up --detach --listen 127.0.0.1:8081",
        "aipress up --detach --shards 4 --wordpress 6.8",
    ])]
    Up(Up),
    /// Stop the platform; data stays
    #[command(after_help = examples!["aipress down"])]
    Down,
    /// Show what is running
    #[command(after_help = examples![
        "aipress status",
        r#"aipress status -o json | jq ".units[].name""#,
    ])]
    Status,
    /// Check what the platform needs and what is running, and say what to do
    #[command(after_help = examples![
        "aipress doctor",
        "aipress doctor --inventory",
    ])]
    Doctor(Doctor),
    /// Remove all data of a stopped platform (asks first)
    #[command(after_help = examples![
        "aipress down && aipress clean-data",
        "aipress --data /tmp/try clean-data --yes",
    ])]
    CleanData(CleanData),
    /// What the platform of the data folder is told: its config.json
    #[command(subcommand, after_help = examples![
        "aipress settings list",
        "aipress settings explain bufferPoolMib",
    ])]
    Settings(SettingsVerb),
    /// WordPress core versions on this machine
    #[command(subcommand, after_help = examples![
        "aipress core list",
        "aipress core fetch 6.8",
    ])]
    Core(CoreVerb),
    /// Sites
    #[command(subcommand, after_help = examples![
        r#"aipress tenant create bakery --title "Crumbs Bakery""#,
        "aipress tenant list --state active",
        "aipress tenant show bakery -o yaml",
    ])]
    Tenant(TenantVerb),
    /// Make sites what documents say
    #[command(after_help = examples![
        "aipress apply -f bakery.yaml",
        "aipress apply -f sites/ --recursive --dry-run",
        "aipress tenant show bakery -o yaml | aipress apply -f -",
        "aipress apply -f sites/ --prune --selector team=shops",
    ])]
    Apply(Apply),
    /// Show what applying documents would change; exit code 1 when something would
    #[command(after_help = examples!["aipress diff -f bakery.yaml"])]
    Diff(Diff),
    /// What changes would do: plans that --dry-run made
    #[command(subcommand, after_help = examples![
        "aipress plan show 3f2c6a1e",
        "aipress plan apply 3f2c6a1e",
    ])]
    Plan(PlanVerb),
    /// Shards: cells of 50 sites
    #[command(subcommand, after_help = examples![
        "aipress shard list",
        "aipress shard cordon aipress-shard-001",
    ])]
    Shard(ShardVerb),
    /// Projects that shards live in
    #[command(subcommand, after_help = examples!["aipress project list"])]
    Project(ProjectVerb),
    /// Long-running changes
    #[command(subcommand, after_help = examples![
        "aipress operation list --tenant bakery",
        "aipress operation watch 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03",
    ])]
    Operation(OperationVerb),
    /// Show what happened; with --follow what happens
    #[command(after_help = examples![
        "aipress events",
        "aipress events --follow --tenant bakery",
        r#"aipress events --follow --kind "tenant.*" -o json | jq .data"#,
        "aipress events --since oldest",
    ])]
    Events(Events),
    /// Who did what, and whether that record is whole
    #[command(subcommand, after_help = examples![
        "aipress audit list --tenant bakery",
        "aipress audit verify",
    ])]
    Audit(AuditVerb),
    /// Addresses that are told of events
    #[command(subcommand, after_help = examples![
        r#"aipress webhook create https://example.org/hook --kind "tenant.*""#,
        "aipress webhook list",
    ])]
    Webhook(WebhookVerb),
    /// Plugins and themes in the platform's mirror
    #[command(subcommand, after_help = examples![
        "aipress package list",
        "aipress package add ./my-plugin.zip",
    ])]
    Package(PackageVerb),
    /// Show where a site lives, or would live
    #[command(after_help = examples![
        "aipress route bakery",
        "aipress route bakery --shards 1000",
    ])]
    Route(Route),
    /// Your own settings: where they are, what they say
    #[command(subcommand, after_help = examples![
        "aipress config view",
        "aipress config set output yaml",
    ])]
    Config(ConfigVerb),
    /// The platforms that you talk to
    #[command(subcommand, after_help = examples![
        "aipress context add prod --server https://console.example.org --token-file t",
        "aipress context use prod",
        "aipress context list",
    ])]
    Context(ContextVerb),
    /// Print what makes a shell complete the verbs, flags and names of sites
    #[command(after_help = examples![
        "source <(aipress completion bash)",
        "source <(aipress completion zsh)",
        "aipress completion fish | source",
        "aipress completion bash > /etc/bash_completion.d/aipress",
    ])]
    Completion(Completion),
    /// Print a man page, or write all of them into a folder
    #[command(after_help = examples![
        "aipress man tenant create | man -l -",
        "aipress man --dir /usr/local/share/man/man1",
    ])]
    Man(Man),
    /// Print what every verb does (`docs/COMMANDS.md`)
    #[command(hide = true)]
    Commands,
    /// Print rows for the pages of `docs/`, as JSON
    #[command(hide = true)]
    Tables,
    /// Print the API's description (OpenAPI 3.1)
    #[command(hide = true)]
    Openapi,
    /// Print the JSON Schema of the tenant document, for editors
    #[command(after_help = examples!["aipress schema > tenant.json"])]
    Schema,
    /// Print what each field of the tenant document does (`docs/FIELDS.md`)
    #[command(hide = true)]
    Fields,
    /// Run one role; the supervisor calls this
    #[command(subcommand, hide = true)]
    Role(Role),
}

impl Verb {
    /// Whether it runs on and logs, instead of talking to a person.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Role(_)) || matches!(self, Self::Up(up) if !up.detach)
    }
}

#[cfg(test)]
mod tests;
