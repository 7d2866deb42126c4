//! A whole document: the tenant is made, or becomes what the document says.

use aipress_api::TenantDocument;
use aipress_store::TenantRecord;
use aipress_types::FieldError;
use aipress_types::TenantSpec;

use crate::app::scope::Answer;
use crate::app::scope::Condition;
use crate::app::scope::Scope;
use crate::app::tenant;
use crate::app::tenant::create;
use crate::app::tenant::create::NewTenant;
use crate::app::tenant::update;
use crate::app::tenant::update::Wanted;
use crate::change::Change;
use crate::codes;
use crate::policy::Action;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Makes the tenant that `id` means what `document` says.
pub(crate) async fn put(
    scope: &Scope,
    id: &str,
    document: TenantDocument,
) -> Result<Answer, ApiError> {
    let metadata = document.metadata.changeable();
    let mut errors = metadata.check("/metadata");
    errors.extend(document.spec.check("/spec"));

    let mut change = Change::begin(&scope.plane).await?;
    let found = match tenant::reference(id) {
        Some(reference) => change.txn.tenant_fetch(&reference).await?,
        None => None,
    };
    let Some(before) = found else {
        if id != document.metadata.name {
            return Err(ApiError::field(
                "/metadata/name",
                format!("is not `{id}`, which the document is put to"),
            ));
        }
        if matches!(scope.condition, Some(Condition::Exists | Condition::Etags(_))) {
            return Err(ApiError::new(
                &codes::ETAG_MISMATCH,
                format!("there is no site `{id}`, and `If-Match` wants one: leave it out"),
            ));
        }
        let new = NewTenant {
            name: &document.metadata.name,
            account: document.metadata.account,
            metadata,
            spec: document.spec,
            base: "/metadata",
        };
        let (name, account, insert) = create::checked(scope, new, errors)?;
        return create::make(scope, change, name, account, insert).await;
    };
    if authorize(&scope.caller, Action::TenantReplace, Resource::Tenant(&before)).is_err() {
        return Err(create::name_taken(&before, &scope.caller));
    }
    scope.check_etag(&before.etag)?;
    errors.extend(fixed(&before, &document));
    let spec = with_what_stays(&before.spec, document.spec);
    errors.extend(update::fixed(&before.spec, &spec));
    if !errors.is_empty() {
        return Err(ApiError::fields(errors));
    }
    update::apply(scope, change, &before, Wanted { spec, metadata, removals: Vec::new() }).await
}

/// What is set once stays as it is where the document leaves it out.
fn with_what_stays(before: &TenantSpec, mut spec: TenantSpec) -> TenantSpec {
    let (old, new) = (&before.wordpress, &mut spec.wordpress);
    for (old, new) in [
        (&old.title, &mut new.title),
        (&old.locale, &mut new.locale),
        (&old.admin_email, &mut new.admin_email),
        (&before.region, &mut spec.region),
        (&before.residency, &mut spec.residency),
    ] {
        if new.is_none() {
            new.clone_from(old);
        }
    }
    spec
}

fn fixed(before: &TenantRecord, document: &TenantDocument) -> Vec<FieldError> {
    let metadata = &document.metadata;
    let name = (metadata.name != before.name.as_str()).then(|| {
        let detail = format!("the site is `{}`: a name is for ever", before.name);
        FieldError::new("/metadata/name", detail)
    });
    let moved = metadata.account.is_some_and(|account| account != before.account);
    let account =
        moved.then(|| FieldError::new("/metadata/account", "a site can't change its account yet"));
    name.into_iter().chain(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_types::Tier;
    use aipress_types::WordPressSpec;

    #[test]
    fn what_is_set_once_stays_and_the_rest_goes_back_to_its_default() {
        let before = TenantSpec {
            tier: Tier::Gold,
            region: Some("europe-west1".to_owned()),
            wordpress: WordPressSpec {
                title: Some("Crumbs".to_owned()),
                version: Some("6.8".to_owned()),
                ..WordPressSpec::default()
            },
            ..TenantSpec::default()
        };
        let after = with_what_stays(&before, TenantSpec::default());
        assert_eq!(after.tier, Tier::Bronze);
        assert_eq!(after.region, before.region);
        assert_eq!(after.wordpress.title, before.wordpress.title);
        assert_eq!(after.wordpress.version, None);
        assert_eq!(update::fixed(&before, &after), []);
    }
}
