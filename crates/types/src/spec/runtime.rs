//! How much of a shard a site uses.

use serde::Deserialize;
use serde::Serialize;

use super::FieldError;
use crate::tier::Tier;

/// How much of the platform's machines a site uses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeSpec {
    /// PHP workers that are kept warm while nobody visits: 0 to the tier's number (bronze 0,
    /// silver 1, gold 2), which it is when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2)]
    pub min_instances: Option<u32>,
    /// PHP workers at once: 1 to the tier's number (bronze 4, silver 8, gold 16), which it is when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16)]
    pub max_instances: Option<u32>,
    /// A named set of settings. Not available yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl RuntimeSpec {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// PHP workers at once in `tier`.
    pub fn workers_max(&self, tier: Tier) -> u32 {
        let limit = tier.limits().max_workers;
        self.max_instances.map_or(limit, |asked| asked.clamp(1, limit))
    }

    /// PHP workers that are kept warm in `tier`.
    pub fn workers_min(&self, tier: Tier) -> u32 {
        let limit = tier.limits().min_workers.min(self.workers_max(tier));
        self.min_instances.map_or(limit, |asked| asked.min(limit))
    }

    pub(super) fn check(&self, tier: Tier, base: &str, errors: &mut Vec<FieldError>) {
        let limits = tier.limits();
        if let Some(asked) = self.max_instances
            && !(1..=limits.max_workers).contains(&asked)
        {
            errors.push(FieldError::new(
                format!("{base}/maxInstances"),
                format!(
                    "{asked} is not possible: {tier} has 1 to {} PHP workers at once",
                    limits.max_workers
                ),
            ));
        }
        let Some(asked) = self.min_instances else { return };
        if asked > limits.min_workers {
            errors.push(FieldError::new(
                format!("{base}/minInstances"),
                format!(
                    "{asked} is not possible: {tier} keeps 0 to {} PHP workers warm",
                    limits.min_workers
                ),
            ));
        } else if self.max_instances.is_some_and(|max| asked > max) {
            errors.push(FieldError::new(
                format!("{base}/minInstances"),
                "must not be more than `maxInstances`",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_that_went_down_bounds_what_was_asked_for() {
        let spec = RuntimeSpec { min_instances: Some(2), max_instances: Some(12), profile: None };
        let mut errors = Vec::new();
        spec.check(Tier::Gold, "", &mut errors);
        assert_eq!(errors, []);
        assert_eq!((spec.workers_min(Tier::Gold), spec.workers_max(Tier::Gold)), (2, 12));
        assert_eq!((spec.workers_min(Tier::Bronze), spec.workers_max(Tier::Bronze)), (0, 4));
        spec.check(Tier::Bronze, "/r", &mut errors);
        let pointers: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/r/maxInstances", "/r/minInstances"]);
    }

    #[test]
    fn left_out_is_the_tiers() {
        let spec = RuntimeSpec::default();
        assert_eq!((spec.workers_min(Tier::Silver), spec.workers_max(Tier::Silver)), (1, 8));
        let one = RuntimeSpec { max_instances: Some(1), ..RuntimeSpec::default() };
        assert_eq!(one.workers_min(Tier::Gold), 1);
    }
}
