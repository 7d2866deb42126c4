//! `/v1/metrics`: for Prometheus.

pub(crate) mod show;
