//! Intents and visitors for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aipress_api::internal::SiteEntry;
use aipress_types::DesiredState;
use aipress_types::Secret;
use aipress_types::TenantIntent;
use aipress_types::TenantSecrets;
use aipress_types::TenantSpec;
use aipress_types::TenantUid;
use aipress_types::secrets::SALT_NAMES;
use async_trait::async_trait;

use crate::smoke::Visit;
use crate::smoke::Visitor;

/// An intent for a new active tenant of this name.
pub(crate) fn intent(name: &str) -> TenantIntent {
    let salts: BTreeMap<String, Secret> = SALT_NAMES
        .iter()
        .map(|salt| ((*salt).to_owned(), Secret::new(format!("{salt}-of-{name}"))))
        .collect();
    TenantIntent {
        uid: TenantUid(uuid::Uuid::new_v4()),
        name: name.parse().unwrap(),
        generation: 1,
        placement_epoch: 1,
        desired: DesiredState::Active,
        spec: TenantSpec::default(),
        home: format!("http://{name}.localhost:8080"),
        hosts: vec![format!("{name}.localhost:8080")],
        secrets: TenantSecrets {
            db_password: Secret::new("database-password-1"),
            redis_password: Secret::new("redis-password-1"),
            salts,
        },
        operation: None,
        content: None,
    }
}

type Answer = Box<dyn Fn(&SiteEntry, &str) -> Visit + Send>;

/// A visitor that gets what the test lays down, and a whole page otherwise.
#[derive(Default)]
pub(crate) struct Pages(pub(crate) Mutex<Option<Answer>>);

/// A page of this status that is whole.
pub(crate) fn page(status: u16) -> Visit {
    Visit {
        status,
        content_type: "text/html".to_owned(),
        body: format!("<html>{}</html>", "bread ".repeat(20)).into(),
        is_whole: true,
        stderr: String::new(),
    }
}

#[async_trait]
impl Visitor for Pages {
    async fn visit(&self, site: &SiteEntry, path: &str) -> Visit {
        self.0.lock().unwrap().as_ref().map_or_else(|| page(200), |answer| answer(site, path))
    }
}
