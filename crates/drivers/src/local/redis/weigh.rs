//! How much memory is in use, and by whose keys.

use std::collections::BTreeMap;

use aipress_types::TenantUid;

use super::resp::Connection;
use super::resp::Reply;
use crate::cache::CacheRoom;
use crate::error::DriverError;
use crate::layout::tenant_of_handle;

/// Weighs a page of keys by what is before their first colon. Runs inside Redis, which does nothing
/// else meanwhile: half a millisecond for these many keys.
const WEIGH: &str = "
local page = redis.call('SCAN', ARGV[1], 'COUNT', 500)
local weights = {}
for _, key in ipairs(page[2]) do
  local owner = string.match(key, '^[^:]*') or ''
  weights[owner] = (weights[owner] or 0) + (redis.call('MEMORY', 'USAGE', key) or 0)
end
local answer = {page[1]}
for owner, bytes in pairs(weights) do
  answer[#answer + 1] = owner
  answer[#answer + 1] = tostring(bytes)
end
return answer";

/// Memory in use and at most.
pub(super) async fn room(connection: &mut Connection) -> Result<CacheRoom, DriverError> {
    let failed = || DriverError::failed("look at redis's memory", "no figures");
    let Reply::Bulk(Some(text)) = connection.call(&["INFO", "memory"]).await? else {
        return Err(failed());
    };
    let text = String::from_utf8_lossy(&text);
    let figure = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|figure| figure.trim().parse().ok()).ok_or_else(failed)
    };
    Ok(CacheRoom { used_bytes: figure("used_memory")?, max_bytes: figure("maxmemory")? })
}

/// What each tenant's keys take.
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<(TenantUid, u64)>, DriverError> {
    let (mut cursor, mut weights) = ("0".to_owned(), BTreeMap::new());
    loop {
        let page = match connection.call(&["EVAL", WEIGH, "0", &cursor]).await? {
            Reply::Array(Some(items)) => items,
            _ => Vec::new(),
        };
        let words: Option<Vec<String>> = page.into_iter().map(text).collect();
        let (next, pairs) = words
            .as_deref()
            .and_then(<[String]>::split_first)
            .ok_or_else(|| DriverError::failed("weigh redis keys", "no page of keys"))?;
        for pair in pairs.chunks_exact(2) {
            if let [owner, bytes] = pair
                && let (Some(uid), Ok(bytes)) = (tenant_of_handle(owner), bytes.parse::<u64>())
            {
                *weights.entry(uid).or_insert(0) += bytes;
            }
        }
        if next == "0" {
            return Ok(weights.into_iter().collect());
        }
        cursor.clone_from(next);
    }
}

fn text(item: Reply) -> Option<String> {
    match item {
        Reply::Bulk(Some(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}
