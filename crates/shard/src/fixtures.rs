//! Intents, visitors and archives for tests.

use std::sync::Mutex;

use aipress_api::internal::SiteEntry;
use aipress_packages::build::ZipBuilder;
use aipress_types::DesiredState;
use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use aipress_types::Secret;
use aipress_types::TenantIntent;
use aipress_types::TenantSecrets;
use aipress_types::TenantSpec;
use aipress_types::TenantUid;
use aipress_types::secrets::SALT_NAMES;
use async_trait::async_trait;
use sha2::Digest;
use sha2::Sha256;

use crate::packages::NotObtained;
use crate::packages::Obtained;
use crate::packages::PackageShelf;
use crate::smoke::As;
use crate::smoke::Visit;
use crate::smoke::Visitor;

/// The `number`-th secrets of a tenant.
pub(crate) fn secrets(number: u32) -> TenantSecrets {
    let salt = |name: &&str| ((*name).to_owned(), Secret::new(format!("{name}-{number}")));
    TenantSecrets {
        db_password: Secret::new(format!("database-password-{number}")),
        redis_password: Secret::new(format!("redis-password-{number}")),
        salts: SALT_NAMES.iter().map(salt).collect(),
    }
}

/// An intent for a new active tenant of this name.
pub(crate) fn intent(name: &str) -> TenantIntent {
    TenantIntent {
        uid: TenantUid(uuid::Uuid::new_v4()),
        name: name.parse().unwrap(),
        generation: 1,
        placement_epoch: 1,
        desired: DesiredState::Active,
        spec: TenantSpec::default(),
        home: format!("http://{name}.localhost:8080"),
        hosts: vec![format!("{name}.localhost:8080")],
        secrets: secrets(1),
        operation: None,
        content: None,
        absent: Vec::new(),
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
        unasked: None,
    }
}

#[async_trait]
impl Visitor for Pages {
    async fn visit(&self, site: &SiteEntry, path: &str, _: As) -> Visit {
        self.0.lock().unwrap().as_ref().map_or_else(|| page(200), |answer| answer(site, path))
    }
}

/// A shelf that has every plugin and theme in every version but those that are named `missing`; the
/// newest is 1.0. What is named `damaged` is no archive.
pub(crate) struct Shelf(tempfile::TempDir);

impl Default for Shelf {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl PackageShelf for Shelf {
    async fn obtain(
        &self,
        _: TenantUid,
        kind: PackageKind,
        wanted: &PackageSpec,
    ) -> Result<Obtained, NotObtained> {
        let name = &wanted.name;
        if name == "missing" {
            return Err(NotObtained::Refused("nobody has it".to_owned()));
        }
        let version = wanted.version.clone().unwrap_or_else(|| "1.0".to_owned());
        let archive = match (kind, name.as_str()) {
            (_, "damaged") => b"noise".to_vec(),
            (PackageKind::Plugin, _) => ZipBuilder::plugin(name, &version, "").bytes(),
            (PackageKind::Theme, _) => ZipBuilder::theme(name, &version, "").bytes(),
        };
        let path = self.0.path().join(format!("{kind}-{name}-{version}.zip"));
        std::fs::write(&path, &archive).unwrap();
        Ok(Obtained { path, sha256: hex::encode(Sha256::digest(&archive)), version })
    }
}
