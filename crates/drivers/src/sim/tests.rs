//! What only the simulation has: faults, latency, a thousand of it.

use std::time::Duration;

use aipress_types::Secret;
use aipress_types::TenantUid;
use async_trait::async_trait;

use super::*;
use crate::Ensured;
use crate::database::DbOwner;
use crate::database::Personalization;
use crate::database::SiteDatabase;
use crate::database::SiteState;
use crate::database::TemplateAccess;
use crate::database::TemplateSource;

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

fn site(number: u128) -> SiteDatabase {
    SiteDatabase::of(TenantUid(uuid::Uuid::from_u128(number)), Secret::new("pw"))
}

fn who() -> Personalization {
    Personalization {
        home: "http://x.localhost".to_owned(),
        title: "X".to_owned(),
        admin_login: "admin".to_owned(),
        admin_email: "a@b.example".to_owned(),
        now_unix_s: 0,
    }
}

#[tokio::test]
async fn a_fault_hits_the_calls_of_its_plan_and_no_others() {
    let world = SimWorld::new();
    let database = world.drivers().database;
    database.ensure_template("7.1", &NoSource).await.unwrap();
    world.add_fault(Fault {
        operation: "database.ensure_site",
        calls: 2..=2,
        kind: FaultKind::Fail,
    });
    let make = |number| {
        let database = database.clone();
        async move { database.ensure_site(&site(number), "7.1", &who()).await }
    };
    assert!(make(1).await.is_ok());
    assert!(make(2).await.unwrap_err().is_retryable());
    assert!(make(2).await.is_ok());
    world.add_fault(Fault::always("database.", FaultKind::Refuse));
    assert!(!make(3).await.unwrap_err().is_retryable());
    assert_eq!(world.calls("database.ensure_site"), 4);
}

#[tokio::test]
async fn a_lost_answer_and_an_interruption_leave_what_they_say() {
    let world = SimWorld::new();
    let database = world.drivers().database;
    database.ensure_template("7.1", &NoSource).await.unwrap();
    world.add_fault(Fault::once("database.ensure_site", FaultKind::Interrupt));
    assert!(database.ensure_site(&site(1), "7.1", &who()).await.is_err());
    let state = |objects: Vec<crate::DbObject>| {
        objects.iter().find_map(|object| match object.owner {
            DbOwner::Site(_, state) => Some(state),
            _ => None,
        })
    };
    assert_eq!(state(database.inventory().await.unwrap()), Some(SiteState::Making));
    world.add_fault(Fault::once("database.ensure_site", FaultKind::LoseAnswer));
    assert!(database.ensure_site(&site(1), "7.1", &who()).await.is_err());
    // The next life of the control plane finds it done.
    let database = world.drivers().database;
    let again = database.ensure_site(&site(1), "7.1", &who()).await.unwrap();
    assert_eq!(again, Ensured::Kept);
}

#[tokio::test(start_paused = true)]
async fn latency_and_hangs_pass_on_tokios_clock() {
    let world = SimWorld::new();
    world.set_latency(Duration::from_millis(46));
    let started = tokio::time::Instant::now();
    world.drivers().cache.health().await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(46));
    world.add_fault(Fault::once("cache.health", FaultKind::Hang));
    let error = world.drivers().cache.health().await.unwrap_err();
    assert!(matches!(error, DriverError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_thousand_full_shards_fit_into_a_test() {
    let worlds: Vec<SimWorld> = (0..1000).map(|_| SimWorld::new()).collect();
    for (number, world) in worlds.iter().enumerate() {
        let database = world.drivers().database;
        database.ensure_template("7.1", &NoSource).await.unwrap();
        for slot in 0..50 {
            let uid = (number * 100 + slot) as u128;
            database.ensure_site(&site(uid), "7.1", &who()).await.unwrap();
        }
    }
    assert_eq!(worlds[999].calls("database.ensure_site"), 50);
}
