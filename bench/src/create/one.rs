//! One creation, as a customer's program would do it.

use std::time::Duration;
use std::time::Instant;

use aipress_api::tenant::TenantCreate;
use aipress_types::TenantSpec;
use anyhow::Context;
use anyhow::bail;

use crate::client::Connection;
use crate::platform::Platform;

/// Between two looks at a page that is not there yet.
const PAUSE: Duration = Duration::from_millis(5);
/// A site that is not there by then is an error.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the parts of one creation took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// Until 202 with the operation.
    pub(crate) accepted_ms: f64,
    /// From there until the operation's end.
    pub(crate) operation_ms: f64,
    /// From there until the last byte of the right page.
    pub(crate) page_ms: f64,
    /// All of it.
    pub(crate) total_ms: f64,
    /// Pages asked for.
    pub(crate) tries: f64,
}

/// Several at the same time.
pub(super) async fn create_at_once(
    platform: &Platform,
    names: &[String],
) -> anyhow::Result<Vec<Parts>> {
    futures(names.iter().map(|name| create(platform, name))).await
}

/// Runs them on this thread, side by side.
async fn futures<F: Future<Output = anyhow::Result<Parts>>>(
    each: impl Iterator<Item = F>,
) -> anyhow::Result<Vec<Parts>> {
    let mut pending: Vec<_> = each.map(Box::pin).collect();
    let mut done: Vec<Option<Parts>> = vec![None; pending.len()];
    std::future::poll_fn(|cx| {
        for (future, slot) in pending.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(parts) = future.as_mut().poll(cx)
            {
                *slot = Some(parts?);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(Ok(done.drain(..).flatten().collect()))
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

/// One site, from the request for it to its page.
pub(super) async fn create(platform: &Platform, name: &str) -> anyhow::Result<Parts> {
    let mut spec = TenantSpec::default();
    // As a person would write it, and unlike any other site's.
    spec.wordpress.title = Some(format!("The Site {name}"));
    let body = TenantCreate { name: name.to_owned(), spec, ..TenantCreate::default() };
    let target = platform.home_page(name);
    let mark = format!("<title>The Site {name}");
    let began = Instant::now();
    let accepted = platform.api.tenant_create(&body).await.context("create a site")?;
    let accepted_at = Instant::now();
    platform.finish(&accepted.operation).await?;
    let ended_at = Instant::now();
    let mut tries = 0.0;
    loop {
        let mut connection = Connection::open(target.address).await?;
        let answer = connection.get(&target.host, &target.path).await?;
        tries += 1.0;
        if answer.status == 200 && answer.has(&mark) {
            break;
        }
        if began.elapsed() > LIMIT {
            bail!("{name} has no page after {} s: status {}", LIMIT.as_secs(), answer.status);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let now = Instant::now();
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1000.0;
    Ok(Parts {
        accepted_ms: ms(began, accepted_at),
        operation_ms: ms(accepted_at, ended_at),
        page_ms: ms(ended_at, now),
        total_ms: ms(began, now),
        tries,
    })
}
