//! One follower of all events: what it got, and what of that is wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use anyhow::Context;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use crate::platform::Platform;

/// Longest time for an answer to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that is open.
pub(super) struct Follower {
    body: Incoming,
    sleeps: bool,
    /// The last event of all, once that is known.
    over: watch::Receiver<Option<u64>>,
}

/// What a follower got.
pub(super) struct Seen {
    /// Where it began: everything after it is its to get.
    pub(super) place: u64,
    /// Whether it read nothing until all changes were made.
    pub(super) slept: bool,
    /// Numbers of events as they came, each with its delay in ms.
    pub(super) events: Vec<(u64, f64)>,
}

/// What was wrong with that.
pub(super) struct Faults {
    pub(super) missed: usize,
    pub(super) doubled: usize,
    pub(super) disordered: usize,
}

impl Follower {
    /// Opens the stream.
    pub(super) async fn come(
        platform: &Platform,
        sleeps: bool,
        over: watch::Receiver<Option<u64>>,
    ) -> anyhow::Result<Self> {
        let host = platform.host("console");
        let client = Client::new(Endpoint::Tcp(platform.address.to_string()), PATIENCE);
        let request = http::Request::get("/v1/events")
            .header("host", host)
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", platform.token))
            .body(Bytes::new())?;
        let answer = client.stream(request).await.context("follow")?;
        anyhow::ensure!(answer.status() == 200, "follow: {}", answer.status());
        Ok(Self { body: answer.into_body(), sleeps, over })
    }

    /// Reads until the last event of all.
    pub(super) async fn follow(mut self) -> anyhow::Result<Seen> {
        if self.sleeps {
            self.over.wait_for(Option::is_some).await?;
        }
        let mut seen = Seen { place: 0, slept: self.sleeps, events: Vec::new() };
        let mut buffer = Vec::new();
        let mut last = None;
        loop {
            if let (Some(over), Some(last)) = (*self.over.borrow_and_update(), last)
                && last >= over
            {
                return Ok(seen);
            }
            tokio::select! {
                changed = self.over.changed() => changed?,
                frame = self.body.frame() => {
                    let frame = frame.context("the stream ended")??;
                    buffer.extend_from_slice(frame.data_ref().map_or(b"", |data| data));
                    last = seen.take(&mut buffer)?.or(last);
                }
            }
        }
    }
}

impl Seen {
    /// Takes whole blocks out of `buffer`; the number that the last of them tells.
    fn take(&mut self, buffer: &mut Vec<u8>) -> anyhow::Result<Option<u64>> {
        let now = OffsetDateTime::now_utc();
        let (mut last, mut taken) = (None, 0);
        while let Some(end) = buffer[taken..].windows(2).position(|pair| pair == b"\n\n") {
            let block = std::str::from_utf8(&buffer[taken..taken + end])?;
            taken += end + 2;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let Some(id) = field("id: ") else { continue };
            let id = id.parse().context("number of an event")?;
            match field("data: ") {
                Some(data) => self.events.push((id, delay_ms(data, now)?)),
                None if last.is_none() && self.events.is_empty() => self.place = id,
                // How far it looked.
                None => {}
            }
            last = Some(id);
        }
        buffer.drain(..taken);
        Ok(last)
    }

    /// Compares with the numbers of all events.
    pub(super) fn faults(&self, told: &[u64]) -> Faults {
        let got: Vec<u64> = self.events.iter().map(|(id, _)| *id).collect();
        let distinct: BTreeSet<u64> = got.iter().copied().collect();
        let its = told.iter().filter(|id| **id > self.place);
        Faults {
            missed: its.filter(|id| !distinct.contains(id)).count(),
            doubled: got.len() - distinct.len(),
            disordered: got.windows(2).filter(|pair| pair[0] > pair[1]).count(),
        }
    }
}

/// From the event's `at` to `now`.
fn delay_ms(data: &str, now: OffsetDateTime) -> anyhow::Result<f64> {
    let rest = data.split_once("\"at\":\"").context("an event without a time")?.1;
    let at = rest.split('"').next().unwrap_or_default();
    let at = OffsetDateTime::parse(at, &Rfc3339).context("time of an event")?;
    Ok((now - at).as_seconds_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_doubled_and_out_of_order_is_counted() {
        let mut seen = Seen { place: 0, slept: false, events: Vec::new() };
        let block = |id: u64| format!("id: {id}\ndata: {{\"at\":\"2026-11-21T12:00:00.5Z\"}}\n\n");
        let mut buffer = format!("id: 3\n\n{}{}{}", block(4), block(6), block(5)).into_bytes();
        buffer.extend_from_slice(format!("{}: still here\n\nid: 9\n\nid: 1", block(5)).as_bytes());
        assert_eq!(seen.take(&mut buffer).unwrap(), Some(9));
        assert_eq!((seen.place, buffer.as_slice()), (3, b"id: 1".as_slice()));
        let faults = seen.faults(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((faults.missed, faults.doubled, faults.disordered), (1, 1, 1));
    }
}
