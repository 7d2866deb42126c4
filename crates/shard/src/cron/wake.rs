//! Runs a site's due events: a request for `wp-cron.php`, by way of the gateway, so that a run is
//! within the site's own limits and its lines are in the site's log.

use std::time::Duration;

use aipress_api::internal::SiteEntry;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_runtime::CRON_HEADER;
use aipress_runtime::TENANT_HEADER;
use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;

use super::schedule::Ended;

/// The gateway ends a request after 300 s; this is for one that hangs.
const TIME_LIMIT: Duration = Duration::from_secs(320);
/// WordPress's own trigger. It runs what is due, unless another run holds WordPress's lock.
const PATH: &str = "/wp-cron.php?doing_wp_cron";

/// Runs what is due at sites: over the gateway in the real platform, by a list in tests.
#[async_trait]
pub(crate) trait Waker: Send + Sync {
    /// Runs what is due at a site; returns when all of it has ended.
    async fn wake(&self, site: &SiteEntry) -> Ended;
}

/// Over the gateway's socket.
pub(crate) struct GatewayWaker {
    client: Option<Client>,
}

impl GatewayWaker {
    /// By the URL of the gateway, as edges call it.
    pub(crate) fn new(gateway_url: &str) -> Self {
        let endpoint = gateway_url.parse::<Endpoint>();
        Self { client: endpoint.ok().map(|endpoint| Client::new(endpoint, TIME_LIMIT)) }
    }
}

#[async_trait]
impl Waker for GatewayWaker {
    async fn wake(&self, site: &SiteEntry) -> Ended {
        let host = site.hosts.first().map_or("localhost", String::as_str);
        let request = Request::get(PATH)
            .header(header::HOST, host)
            .header(header::USER_AGENT, "AIPress-Cron")
            .header(TENANT_HEADER, site.uid.to_string())
            .header(CRON_HEADER, "1")
            .header("x-forwarded-for", "127.0.0.1")
            .body(Bytes::new());
        let (Some(client), Ok(request)) = (&self.client, request) else { return Ended::Unasked };
        match client.call(request).await {
            Ok(answer) => judge(answer.status()),
            Err(error) => {
                tracing::warn!(tenant_id = %site.uid, %error, "the gateway takes no cron run");
                Ended::Unasked
            }
        }
    }
}

fn judge(status: StatusCode) -> Ended {
    match status {
        // A site that is busy or on its way: later.
        StatusCode::SERVICE_UNAVAILABLE => Ended::Unasked,
        StatusCode::GATEWAY_TIMEOUT => Ended::Failed("it did not end in time".to_owned()),
        status if status.is_success() => Ended::Done,
        status => Ended::Failed(format!("wp-cron.php answered {}", status.as_u16())),
    }
}
