//! The first platform-admin: made at the first start, with a token that is written to a file of
//! mode 0600 and stored only as a hash. A file that is lost, or whose token no longer works, is
//! written anew with a new token; the one before is then revoked.

use std::io;
use std::path::Path;

use aipress_kit::clock::Clock;
use aipress_kit::durable;
use aipress_kit::random;
use aipress_store::AccountRecord;
use aipress_store::AdminBootstrap;
use aipress_store::Store;
use aipress_store::StoreError;
use aipress_store::TokenInsert;
use aipress_store::TokenRecord;
use aipress_store::UserRecord;
use aipress_types::AccountId;
use aipress_types::Secret;
use aipress_types::TokenId;
use aipress_types::UserId;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::policy::PLATFORM_ADMIN;

/// What every token starts with, so that people and secret scanners recognise one.
pub(crate) const TOKEN_PREFIX: &str = "aip_";
/// Random characters of a token: 43 of 62 kinds are 256 bits.
const TOKEN_LENGTH: usize = 43;
/// Characters of a token that are kept to recognise it by.
const SHOWN: usize = 10;
/// Label of the token that the file holds.
const LABEL: &str = "admin token file";

/// Why the administrator could not be provided for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminTokenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] random::RandomError),
    #[error(transparent)]
    File(#[from] io::Error),
}

/// A new token and its row.
pub(crate) fn mint(
    user: UserId,
    label: &str,
    now: OffsetDateTime,
) -> Result<(Secret, TokenInsert), random::RandomError> {
    let text = format!("{TOKEN_PREFIX}{}", random::alphanumeric(TOKEN_LENGTH)?);
    let token = TokenRecord {
        id: TokenId(Uuid::new_v4()),
        user,
        label: label.to_owned(),
        prefix: text[..SHOWN].to_owned(),
        scope: Value::Null,
        created_at: now,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let secret_sha256 = hash(&text);
    Ok((Secret::new(text), TokenInsert { token, secret_sha256 }))
}

/// What a token is stored as.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes sure that there is an administrator and that `file` holds a token that works.
pub(crate) async fn ensure(
    store: &Store,
    clock: &Clock,
    file: &Path,
) -> Result<(), AdminTokenError> {
    let now = clock.now();
    match first_admin(store).await? {
        Some(admin) => replace_lost(store, &admin, file, now).await,
        None => bootstrap(store, file, now).await,
    }
}

async fn replace_lost(
    store: &Store,
    admin: &UserRecord,
    file: &Path,
    now: OffsetDateTime,
) -> Result<(), AdminTokenError> {
    if works(store, file).await? {
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        return Ok(());
    }
    let (secret, token) = mint(admin.id, LABEL, now)?;
    let mut txn = store.begin().await?;
    for old in txn.token_list(admin.id).await? {
        if old.label == LABEL && old.revoked_at.is_none() {
            txn.token_revoke(old.id, now).await?;
        }
    }
    txn.token_insert(&token).await?;
    txn.commit().await?;
    tracing::warn!(file = %file.display(), "the admin token was lost; a new one is written");
    Ok(write(file, &secret)?)
}

async fn bootstrap(store: &Store, file: &Path, now: OffsetDateTime) -> Result<(), AdminTokenError> {
    let account =
        AccountRecord { id: AccountId(Uuid::new_v4()), name: "platform".into(), created_at: now };
    let user = UserRecord {
        id: UserId(Uuid::new_v4()),
        account: account.id,
        login: "admin".to_owned(),
        role: PLATFORM_ADMIN.to_owned(),
        created_at: now,
        disabled_at: None,
    };
    let (secret, token) = mint(user.id, LABEL, now)?;
    let mut txn = store.begin().await?;
    txn.bootstrap_admin(&AdminBootstrap { account, user, token }).await?;
    txn.commit().await?;
    // Killed here, the next start finds no file and writes a new token.
    write(file, &secret)?;
    tracing::info!(file = %file.display(), "the first admin's token is written");
    Ok(())
}

fn write(file: &Path, secret: &Secret) -> io::Result<()> {
    durable::write(file, format!("{}\n", secret.expose()).as_bytes(), 0o600)
}

async fn first_admin(store: &Store) -> Result<Option<UserRecord>, StoreError> {
    let users = store.user_list(None).await?;
    let mut admins: Vec<UserRecord> = users
        .into_iter()
        .filter(|user| user.role == PLATFORM_ADMIN && user.disabled_at.is_none())
        .collect();
    admins.sort_by_key(|user| (user.created_at, user.id));
    Ok(admins.into_iter().next())
}

/// Whether the file's token is one that an administrator can sign in with.
async fn works(store: &Store, file: &Path) -> Result<bool, AdminTokenError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let identity = store.token_by_hash(&hash(text.trim())).await?;
    Ok(identity.is_some_and(|identity| {
        identity.token.revoked_at.is_none()
            && identity.token.expires_at.is_none()
            && identity.user.role == PLATFORM_ADMIN
    }))
}
