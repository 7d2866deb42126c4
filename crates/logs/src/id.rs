//! Ids of lines: when a line was taken, and its source. They grow within a source, are unique within
//! a tenant, and so are the cursors of readers.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use aipress_api::LogSource;

/// Names a line within its tenant, and orders it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId {
    /// Microseconds since 1970.
    pub micros: u64,
    /// Its source.
    pub source: LogSource,
}

/// Not an id of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a log line, such as 1795269509123456-php")]
pub struct BadLineId;

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.micros, self.source)
    }
}

impl FromStr for LineId {
    type Err = BadLineId;

    fn from_str(text: &str) -> Result<Self, BadLineId> {
        let (micros, source) = text.split_once('-').ok_or(BadLineId)?;
        if micros.len() > 20 || !micros.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadLineId);
        }
        Ok(Self {
            micros: micros.parse().map_err(|_| BadLineId)?,
            source: source.parse().map_err(|_| BadLineId)?,
        })
    }
}

/// Now, in microseconds since 1970.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_others_are_refused() {
        let id = LineId { micros: 1_795_269_509_123_456, source: LogSource::Php };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "1", "-php", "+1-php", "1-root", "1-php-2", "99999999999999999999-php"] {
            assert_eq!(bad.parse::<LineId>(), Err(BadLineId), "{bad}");
        }
    }
}
