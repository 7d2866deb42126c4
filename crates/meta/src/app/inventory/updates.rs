//! Newer versions that the platform's mirror has, of plugins and themes of which WordPress could not
//! learn whether there are any. What WordPress itself heard from the directory stays as it is.

use std::cmp::Ordering;

use aipress_store::StoreError;
use aipress_types::AccountId;
use aipress_types::PackageKind;
use aipress_types::PackageSource;
use aipress_types::package::compare_versions;
use aipress_types::package::is_package_name;
use serde_json::Value;

use crate::app::package::resolve;
use crate::app::package::resolve::Wanted;
use crate::plane::Plane;

/// Completes an inventory as it is read: the mirror may have more than when the site was looked at.
pub(crate) async fn complete(
    plane: &Plane,
    account: AccountId,
    inventory: &mut Value,
) -> Result<(), StoreError> {
    for kind in PackageKind::ALL {
        let items = inventory.pointer_mut(&format!("/site/{}", kind.plural()));
        let Some(items) = items.and_then(Value::as_array_mut) else { continue };
        for item in items {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            let (name, version) = (text("name"), text("version"));
            if item["update"] != "unknown" || !is_package_name(&name) {
                continue;
            }
            if let Some(newest) = newest(plane, account, kind, &name).await?
                && compare_versions(&newest, &version) == Ordering::Greater
            {
                item["update"] = "available".into();
                item["updateVersion"] = newest.into();
            }
        }
    }
    Ok(())
}

async fn newest(
    plane: &Plane,
    account: AccountId,
    kind: PackageKind,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let held = plane.store.package_candidates(kind, name, account).await?;
    let source = PackageSource::Mirror;
    let wanted = Wanted { account, kind, name: name.to_owned(), version: None, source };
    Ok(resolve::best(held, &wanted, false).map(|record| record.facts.version))
}
