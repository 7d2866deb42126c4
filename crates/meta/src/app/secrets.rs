//! A tenant's secrets: made at creation, sealed at rest for the tenant's own place, opened only
//! for its shard.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use aipress_api::SecretKind;
use aipress_kit::random;
use aipress_kit::random::RandomError;
use aipress_kit::seal::SealError;
use aipress_kit::seal::Sealer;
use aipress_types::Secret;
use aipress_types::TenantSecrets;
use aipress_types::TenantUid;
use aipress_types::secrets::SALT_NAMES;

/// Characters of a password: 43 of 62 kinds are 256 bits.
const PASSWORD_LENGTH: usize = 43;
/// Characters of a salt, as WordPress's own generator makes them.
const SALT_LENGTH: usize = 64;

/// Why secrets could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Opened, but not what was sealed by this version. The content is not shown: it is secret.
    #[error("sealed secrets have an unknown form")]
    Form,
}

/// Where a tenant's secrets belong; a blob moved to another row does not open.
fn place(uid: TenantUid) -> String {
    format!("tenants/{uid}/secrets")
}

/// Fresh secrets, sealed.
pub(crate) fn make(sealer: &Sealer, uid: TenantUid) -> Result<Vec<u8>, SecretsError> {
    let secrets =
        TenantSecrets { db_password: password()?, redis_password: password()?, salts: salts()? };
    seal(sealer, uid, &secrets)
}

/// What [`make`] sealed for this tenant, with fresh ones of these kinds, sealed.
pub(crate) fn rotate(
    sealer: &Sealer,
    uid: TenantUid,
    sealed: &[u8],
    kinds: &BTreeSet<SecretKind>,
) -> Result<Vec<u8>, SecretsError> {
    let mut secrets = open(sealer, uid, sealed)?;
    for kind in kinds {
        match kind {
            SecretKind::Database => secrets.db_password = password()?,
            SecretKind::Cache => secrets.redis_password = password()?,
            SecretKind::Salts => secrets.salts = salts()?,
        }
    }
    seal(sealer, uid, &secrets)
}

fn password() -> Result<Secret, SecretsError> {
    Ok(Secret::new(random::alphanumeric(PASSWORD_LENGTH)?))
}

fn salts() -> Result<BTreeMap<String, Secret>, SecretsError> {
    let mut salts = BTreeMap::new();
    for name in SALT_NAMES {
        salts.insert(name.to_owned(), Secret::new(random::alphanumeric(SALT_LENGTH)?));
    }
    Ok(salts)
}

fn seal(sealer: &Sealer, uid: TenantUid, secrets: &TenantSecrets) -> Result<Vec<u8>, SecretsError> {
    let plain = serde_json::to_vec(secrets).map_err(|_| SecretsError::Form)?;
    Ok(sealer.seal(&place(uid), &plain)?)
}

/// What [`make`] sealed for this tenant.
pub(crate) fn open(
    sealer: &Sealer,
    uid: TenantUid,
    sealed: &[u8],
) -> Result<TenantSecrets, SecretsError> {
    let plain = sealer.open(&place(uid), sealed)?;
    serde_json::from_slice(&plain).map_err(|_| SecretsError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn secrets_open_for_their_tenant_only_and_differ() {
        let sealer = Sealer::new(&[1; 32]);
        let (one, two) = (TenantUid(Uuid::new_v4()), TenantUid(Uuid::new_v4()));
        let sealed = make(&sealer, one).unwrap();
        let opened = open(&sealer, one, &sealed).unwrap();
        assert!(open(&sealer, two, &sealed).is_err());
        assert_eq!(opened.salts.len(), 8);
        assert!(opened.salts.values().all(|salt| salt.expose().len() == 64));
        assert_ne!(opened.db_password, opened.redis_password);
        let rotate = |kinds: &[SecretKind]| {
            let kinds = kinds.iter().copied().collect();
            open(&sealer, one, &rotate(&sealer, one, &sealed, &kinds).unwrap()).unwrap()
        };
        let salts = rotate(&[SecretKind::Salts]);
        assert!(salts.salts.iter().all(|(name, salt)| opened.salts[name] != *salt));
        assert_eq!(TenantSecrets { salts: opened.salts.clone(), ..salts }, opened);
        let passwords = rotate(&[SecretKind::Database, SecretKind::Cache]);
        assert_eq!(passwords.salts, opened.salts);
        assert_ne!(passwords.db_password, opened.db_password);
        assert_ne!(passwords.redis_password, opened.redis_password);
        assert!(!sealed.windows(8).any(|w| w == &opened.db_password.expose().as_bytes()[..8]));
    }
}
