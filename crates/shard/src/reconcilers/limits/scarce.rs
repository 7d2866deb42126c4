//! How short the disk is that all of a shard's sites share, and what the database server may do about
//! it then.
//!
//! A database server that meets the end of its disk stands still, with every site of the shard, and one
//! that is killed there may not start again. So sites stop adding to databases where they stop writing
//! files, and stop changing rows where half of what is kept for the platform is gone: changes grow the
//! server's logs. What the logs of changes take is given back first, as nobody follows them.

use std::time::Duration;

use aipress_drivers::DatabaseGrowth;
use aipress_drivers::DriverError;

use crate::plane::Plane;

/// Free disk that the platform keeps for itself: below it no site writes.
const HEADROOM: u64 = 512 * 1024 * 1024;
/// But never more than this part of the disk, where disks are small.
const HEADROOM_PART: u64 = 10;
/// It is over when so much more is free, or sites would be let and stopped each second.
const OVER_PERCENT: u64 = 110;
/// A query of a site that runs longer is ended while the disk is short: a large sort is a file.
const QUERY_MAX: Duration = Duration::from_secs(2);

/// How short the disk is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scarcity {
    /// There is enough.
    #[default]
    None,
    /// The platform's own part is begun.
    Scarce,
    /// Half of it is gone.
    Short,
}

impl Scarcity {
    /// What follows it when so much is free of so much.
    pub(super) fn next(self, free: u64, total: u64) -> Self {
        let headroom = HEADROOM.min(total / HEADROOM_PART);
        let begins = |below: u64, is: bool| match is {
            true => free < below / 100 * OVER_PERCENT,
            false => free < below,
        };
        if begins(headroom / 2, self >= Self::Short) {
            Self::Short
        } else if begins(headroom, self >= Self::Scarce) {
            Self::Scarce
        } else {
            Self::None
        }
    }

    /// How any database may grow at most.
    pub(super) fn growth(self) -> DatabaseGrowth {
        match self {
            Self::None => DatabaseGrowth::Free,
            Self::Scarce => DatabaseGrowth::Updates,
            Self::Short => DatabaseGrowth::Nothing,
        }
    }

    /// Makes room, and ends what would take it.
    pub(super) async fn relieve(self, plane: &Plane) -> Result<(), DriverError> {
        if self >= Self::Scarce {
            plane.drivers.database.give_back_logs().await?;
        }
        if self >= Self::Short {
            plane.drivers.database.end_long_queries(QUERY_MAX).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn half_a_gibibyte_or_a_tenth_is_the_platforms() {
        use Scarcity::None;
        use Scarcity::Scarce;
        use Scarcity::Short;
        let large = 1 << 40;
        for (before, free, total, after) in [
            (None, 512 * MIB, large, None),
            (None, 511 * MIB, large, Scarce),
            (None, 255 * MIB, large, Short),
            (None, 0, large, Short),
            // On its edge it does not go to and fro.
            (Scarce, 540 * MIB, large, Scarce),
            (Scarce, 564 * MIB, large, None),
            (Short, 270 * MIB, large, Short),
            (Short, 300 * MIB, large, Scarce),
            (Short, 600 * MIB, large, None),
            (None, 100 * MIB, 1_000 * MIB, None),
            (None, 99 * MIB, 1_000 * MIB, Scarce),
            (None, 49 * MIB, 1_000 * MIB, Short),
        ] {
            assert_eq!(before.next(free, total), after, "{before:?} {free} of {total}");
        }
    }
}
