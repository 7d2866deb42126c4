//! `webhook …`: addresses that are told of events.

use clap::Args as ClapArgs;
use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WebhookVerb {
    /// Tell an address of events; prints its secret, once
    #[command(after_help = examples![
        "aipress webhook create https://example.org/hook",
        "aipress webhook create https://example.org/hook --tenant bakery",
        "aipress webhook create https://example.org/hook --kind operation.failed",
    ])]
    Create(WebhookCreate),
    /// List webhooks
    #[command(visible_alias = "ls", after_help = examples!["aipress webhook list"])]
    List,
    /// Show a webhook
    #[command(after_help = examples!["aipress webhook show 0f8fad5b-d9cb-469f-a165-70867728950e"])]
    Show {
        /// Its id
        webhook: String,
    },
    /// Change a webhook, pause it or take it up again
    #[command(after_help = examples![
        "aipress webhook update 0f8fad5b-d9cb-469f-a165-70867728950e --resume",
        r#"aipress webhook update 0f8fad5b-d9cb-469f-a165-70867728950e --kind """#,
    ])]
    Update(WebhookUpdate),
    /// Remove a webhook and its log
    #[command(visible_alias = "rm", after_help = examples![
        "aipress webhook delete 0f8fad5b-d9cb-469f-a165-70867728950e",
    ])]
    Delete {
        /// Its id
        webhook: String,
    },
    /// List what was sent to a webhook, newest first
    #[command(after_help = examples![
        "aipress webhook deliveries 0f8fad5b-d9cb-469f-a165-70867728950e",
        "aipress webhook deliveries 0f8fad5b-d9cb-469f-a165-70867728950e --state failed",
    ])]
    Deliveries {
        /// Id of the webhook
        webhook: String,
        /// Only pending, delivered or failed ones
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Send a delivery again, under its old id
    #[command(after_help = examples![
        "aipress webhook replay 0f8fad5b-d9cb-469f-a165-70867728950e DELIVERY",
    ])]
    Replay {
        /// Id of the webhook
        webhook: String,
        /// Id of the delivery
        delivery: String,
    },
    /// Give a webhook a new secret; prints it, once
    #[command(after_help = examples![
        "aipress webhook rotate-secret 0f8fad5b-d9cb-469f-a165-70867728950e",
    ])]
    RotateSecret {
        /// Its id
        webhook: String,
        /// Hours that the secret before signs, too
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(0..=168))]
        overlap_hours: Option<u32>,
    },
    /// Send `webhook.test`, and wait for what comes back
    #[command(after_help = examples!["aipress webhook test 0f8fad5b-d9cb-469f-a165-70867728950e"])]
    Test {
        /// Its id
        webhook: String,
    },
}

/// `webhook create`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct WebhookCreate {
    /// Where events are sent to, such as `https://example.org/hook`
    pub(crate) url: String,
    /// What it is for
    #[arg(long, default_value = "")]
    pub(crate) description: String,
    /// Only this kind, such as tenant.create or "tenant.*" (several times or with commas)
    #[arg(long, value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Only of this site (name or uid)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only of this shard
    #[arg(long)]
    pub(crate) shard: Option<String>,
    /// Events of all accounts and of the platform itself (platform-admins)
    #[arg(long)]
    pub(crate) platform: bool,
}

/// `webhook update`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct WebhookUpdate {
    /// Its id
    pub(crate) webhook: String,
    /// Where events are sent to
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Only this kind (several times or with commas); "" for all
    #[arg(long, value_delimiter = ',')]
    pub(crate) kind: Option<Vec<String>>,
    /// Deliver nothing; events wait
    #[arg(long, conflicts_with = "resume")]
    pub(crate) pause: bool,
    /// Deliver again, from where it stopped
    #[arg(long)]
    pub(crate) resume: bool,
}
