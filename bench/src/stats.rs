//! Summaries of samples. Quantiles are by nearest rank: every figure is one that was measured.

use serde::Deserialize;
use serde::Serialize;

/// Fewer samples than this say nothing about a 99th percentile (`measuring.md`).
pub(crate) const P99_SAMPLES: usize = 200;

/// A summary, with the samples themselves for charts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// There from [`P99_SAMPLES`] samples on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<f64>,
    pub(crate) samples: usize,
    /// In the order in which they were measured, to three decimals.
    pub(crate) values: Vec<f64>,
}

impl Stats {
    /// The summary of `values`.
    pub(crate) fn of(values: &[f64]) -> Self {
        let values: Vec<f64> = values.iter().copied().map(rounded).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: quantile(&sorted, 0.5),
            min: sorted.first().copied().unwrap_or_default(),
            max: sorted.last().copied().unwrap_or_default(),
            p99: (sorted.len() >= P99_SAMPLES).then(|| quantile(&sorted, 0.99)),
            samples: sorted.len(),
            values,
        }
    }

    /// Any quantile of the samples, 0 to 1.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        quantile(&sorted, share)
    }
}

/// Three decimals: a microsecond of a millisecond.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).wrapping_sub(1)).copied().unwrap_or_default()
}

/// A small generator of reproducible numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A tenant's name that no other call gives.
    pub(crate) fn name(&mut self, what: &str) -> String {
        format!("{what}-{:012x}", self.next() >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let stats = Stats::of(&values);
        assert_eq!((stats.median, stats.min, stats.max), (100.0, 1.0, 200.0));
        assert_eq!(stats.p99, Some(198.0));
        assert_eq!(Stats::of(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Stats::of(&[3.0]).p99, None);
        assert_eq!(Stats::of(&[]).median, 0.0);
    }

    #[test]
    fn a_seed_gives_the_same_names() {
        let names = |seed| {
            let mut seeded = Seeded::new(seed);
            [seeded.name("a"), seeded.name("a")]
        };
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
        assert_ne!(names(7)[0], names(7)[1]);
    }
}
