//! Which unknown hosts meta is being asked for, or was a moment ago. Pure but for its channels.
//!
//! One question for a host at a time, an answer "nowhere" is good for a moment, and both how many
//! are remembered and how many are asked in a second is bounded: a scan over names does not reach
//! meta.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::lookup::Answer;

/// What to do about an unknown host.
pub(crate) enum Turn {
    /// Nobody is asking: ask, and tell the others.
    Ask(watch::Sender<Option<Answer>>, watch::Receiver<Option<Answer>>),
    /// Somebody is: wait.
    Wait(watch::Receiver<Option<Answer>>),
    /// Somebody just did.
    Known(Answer),
    /// Too many are being asked for.
    Refused,
}

enum Memory {
    Asking(watch::Receiver<Option<Answer>>),
    Answered(Answer, Instant),
}

pub(crate) struct Asked {
    hosts: HashMap<Box<str>, Memory>,
    most: usize,
    per_second: u32,
    tokens: f64,
    filled: Instant,
}

impl Asked {
    pub(crate) fn new(most: usize, per_second: u32, now: Instant) -> Self {
        let tokens = f64::from(per_second);
        Self { hosts: HashMap::new(), most, per_second, tokens, filled: now }
    }

    /// Decides about `host`.
    pub(crate) fn turn(&mut self, host: &str, now: Instant) -> Turn {
        match self.hosts.get(host) {
            Some(Memory::Asking(answer)) if answer.has_changed().is_ok() => {
                return Turn::Wait(answer.clone());
            }
            // Who asked is gone without an answer.
            Some(Memory::Asking(_)) | None => {}
            Some(Memory::Answered(answer, until)) if *until > now => {
                return Turn::Known(answer.clone());
            }
            Some(Memory::Answered(..)) => {}
        }
        if !self.has_room(host, now) || !self.takes_token(now) {
            return Turn::Refused;
        }
        let (tell, answer) = watch::channel(None);
        self.hosts.insert(host.into(), Memory::Asking(answer.clone()));
        Turn::Ask(tell, answer)
    }

    /// Remembers that `host` is nowhere (or that meta can't be asked) until `until`.
    pub(crate) fn remember(&mut self, host: &str, answer: Answer, until: Instant) {
        self.hosts.insert(host.into(), Memory::Answered(answer, until));
    }

    /// Forgets `host`: it is in the table now.
    pub(crate) fn forget(&mut self, host: &str) {
        self.hosts.remove(host);
    }

    fn has_room(&mut self, host: &str, now: Instant) -> bool {
        if self.hosts.len() < self.most || self.hosts.contains_key(host) {
            return true;
        }
        self.hosts.retain(|_, memory| match memory {
            Memory::Asking(answer) => answer.has_changed().is_ok(),
            Memory::Answered(_, until) => *until > now,
        });
        self.hosts.len() < self.most
    }

    fn takes_token(&mut self, now: Instant) -> bool {
        let since: Duration = now.saturating_duration_since(self.filled);
        let most = f64::from(self.per_second);
        self.tokens = (self.tokens + since.as_secs_f64() * most).min(most);
        self.filled = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1_500);

    #[tokio::test]
    async fn one_question_for_a_host_at_a_time() {
        let now = Instant::now();
        let mut asked = Asked::new(10, 10, now);
        let Turn::Ask(tell, _answer) = asked.turn("a", now) else { panic!("the first asks") };
        let Turn::Wait(answer) = asked.turn("a", now) else { panic!("the second waits") };
        tell.send(Some(Answer::Nowhere)).unwrap();
        assert!(matches!(*answer.borrow(), Some(Answer::Nowhere)));
        asked.remember("a", Answer::Nowhere, now + MOMENT);
        assert!(matches!(asked.turn("a", now), Turn::Known(Answer::Nowhere)));
        assert!(matches!(asked.turn("a", now + MOMENT), Turn::Ask(..)));
    }

    #[tokio::test]
    async fn an_asker_that_died_blocks_nobody() {
        let now = Instant::now();
        let mut asked = Asked::new(10, 10, now);
        drop(asked.turn("a", now));
        assert!(matches!(asked.turn("a", now), Turn::Ask(..)));
    }

    #[tokio::test]
    async fn a_scan_is_refused() {
        let now = Instant::now();
        let mut asked = Asked::new(1_000, 5, now);
        let mut asks = 0;
        for number in 0..100 {
            if let Turn::Ask(..) = asked.turn(&format!("h{number}"), now) {
                asks += 1;
            }
        }
        assert_eq!(asks, 5);
        assert!(matches!(asked.turn("x", now + Duration::from_millis(200)), Turn::Ask(..)));
        assert!(matches!(asked.turn("y", now + Duration::from_millis(200)), Turn::Refused));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_frees_itself() {
        let now = Instant::now();
        let mut asked = Asked::new(3, 1_000, now);
        for host in ["a", "b", "c"] {
            asked.remember(host, Answer::Nowhere, now + MOMENT);
        }
        assert!(matches!(asked.turn("d", now), Turn::Refused));
        assert!(matches!(asked.turn("d", now + MOMENT), Turn::Ask(..)));
        assert_eq!(asked.hosts.len(), 1);
        asked.forget("d");
        assert!(asked.hosts.is_empty());
    }
}
