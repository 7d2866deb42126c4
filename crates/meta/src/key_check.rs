//! Whether the master key is the one that the registry's secrets are sealed under.
//!
//! With another one every site's secrets would stay closed, one failed push at a time, and those of
//! new sites would be sealed under a key of their own: so the first start seals a text, and every
//! later one opens it before anything else is done.

use aipress_kit::clock::Clock;
use aipress_kit::seal::Sealer;
use aipress_store::Store;
use aipress_store::StoreError;
use serde_json::Value;

/// Where the sealed text is kept, and what it is bound to.
const SETTING: &str = "master_key_check";
/// The text.
const TEXT: &[u8] = b"aipress";

/// Looks; a registry that has none yet gets its sealed text.
pub(crate) async fn fits(
    store: &Store,
    sealer: &Sealer,
    clock: &Clock,
) -> Result<bool, StoreError> {
    if let Some(kept) = store.setting_fetch(SETTING).await? {
        let sealed = kept.as_str().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
        return Ok(sealer.open(SETTING, &sealed).is_ok_and(|text| text == TEXT));
    }
    let Ok(sealed) = sealer.seal(SETTING, TEXT) else { return Ok(true) };
    let mut txn = store.begin().await?;
    txn.setting_put(SETTING, &Value::String(hex::encode(sealed)), clock.now()).await?;
    // On a full disk the next start writes it.
    match txn.commit().await {
        Ok(()) | Err(StoreError::Full(_)) => Ok(true),
        Err(error) => Err(error),
    }
}
