//! Intents for tests.

use std::collections::BTreeMap;

use aipress_types::DesiredState;
use aipress_types::Secret;
use aipress_types::TenantIntent;
use aipress_types::TenantSecrets;
use aipress_types::TenantSpec;
use aipress_types::TenantUid;
use aipress_types::secrets::SALT_NAMES;

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
    }
}
