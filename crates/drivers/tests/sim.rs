//! The conformance suite over the simulated drivers.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cognitive_complexity,
    clippy::too_many_lines,
    clippy::large_futures,
    reason = "tests: a failure is a panic, and a story is told in one piece"
)]

mod conformance;

use aipress_drivers::DriverError;
use aipress_drivers::TemplateAccess;
use aipress_drivers::TemplateSource;
use aipress_drivers::sim::SimWorld;
use async_trait::async_trait;

struct NoSource;

#[async_trait]
impl TemplateSource for NoSource {
    fn revision(&self) -> String {
        "1".to_owned()
    }

    async fn fill(&self, _access: &TemplateAccess) -> Result<(), DriverError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_simulation_does_what_all_drivers_do() {
    let drivers = SimWorld::new().drivers();
    conformance::database(&drivers, &NoSource).await;
    conformance::cache(&drivers).await;
    conformance::php(&drivers).await;
    conformance::own_masters(&drivers).await;
    conformance::files(&drivers).await;
    conformance::packages(&drivers).await;
}
