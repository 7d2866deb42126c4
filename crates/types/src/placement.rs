//! Which shard takes a tenant: the home shard by hash, then a walk upwards around the end.

use sha2::Digest;
use sha2::Sha256;

use crate::ids::ShardId;
use crate::shard::ShardFacts;
use crate::shard::ShardHealth;
use crate::shard::ShardSchedulability;

/// The home shard of a tenant in a federation of `shards` shards (`facts.md`, bit for bit):
/// the first 8 hex digits of SHA-256 over the id as UTF-8, modulo the number of shards, plus 1.
/// `None` when there are no shards.
pub fn home_shard(tenant_id: &str, shards: u32) -> Option<ShardId> {
    if shards == 0 {
        return None;
    }
    let digest = Sha256::digest(tenant_id.as_bytes());
    let first = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    ShardId::from_number(first % shards + 1)
}

/// What a tenant asks of the shard that takes it.
#[derive(Debug, Clone)]
pub struct PlacementRequest<'a> {
    /// The tenant's name: what is hashed.
    pub tenant_id: &'a str,
    /// Wanted region; `None` takes any.
    pub region: Option<&'a str>,
    /// Region that data must not leave; where both are given they must agree.
    pub residency: Option<&'a str>,
    /// Shards in the federation's current epoch (not those alive).
    pub federation_size: u32,
}

/// Why no shard takes a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Region and residency name different regions.
    #[error("region `{region}` is outside of the residency `{residency}`")]
    Contradiction {
        /// The region that was asked for.
        region: String,
        /// The residency that was asked for.
        residency: String,
    },
    /// No shard is in the region at all.
    #[error("no shard is in region `{0}`")]
    NoSuchRegion(String),
    /// Shards are there, but each is full, unhealthy or closed.
    #[error(
        "no shard can take another site: {full} full, {unhealthy} not healthy, {closed} not open"
    )]
    NoRoom {
        /// Shards with all slots taken.
        full: u32,
        /// Shards that are not healthy.
        unhealthy: u32,
        /// Shards that are cordoned, draining or retired.
        closed: u32,
    },
}

/// The first shard, walking from the home shard upwards and around the end, that is in the
/// tenant's region, healthy, open and not over its fill. Pure: same input, same answer.
///
/// # Errors
/// See [`PlacementError`].
pub fn place(
    request: &PlacementRequest<'_>,
    shards: &[ShardFacts],
) -> Result<ShardId, PlacementError> {
    if let (Some(region), Some(residency)) = (request.region, request.residency)
        && region != residency
    {
        return Err(PlacementError::Contradiction {
            region: region.to_owned(),
            residency: residency.to_owned(),
        });
    }
    let region = request.residency.or(request.region);
    let (mut full, mut unhealthy, mut closed, mut in_region) = (0, 0, 0, 0);
    let home = home_shard(request.tenant_id, request.federation_size).map_or(1, |id| id.number());
    let size = request.federation_size;
    // Sorted by number, then rotated so that the walk starts at home.
    let mut walk: Vec<&ShardFacts> =
        shards.iter().filter(|shard| shard.id.number() <= size).collect();
    walk.sort_by_key(|shard| {
        let number = shard.id.number();
        if number >= home { number - home } else { number + size - home }
    });
    for shard in walk {
        if region.is_some_and(|wanted| wanted != shard.region) {
            continue;
        }
        in_region += 1;
        if shard.health != ShardHealth::Healthy {
            unhealthy += 1;
        } else if shard.schedulability != ShardSchedulability::Open {
            closed += 1;
        } else if shard.taken >= shard.slots {
            full += 1;
        } else {
            return Ok(shard.id);
        }
    }
    match region {
        Some(wanted) if in_region == 0 => Err(PlacementError::NoSuchRegion(wanted.to_owned())),
        _ => Err(PlacementError::NoRoom { full, unhealthy, closed }),
    }
}

#[cfg(test)]
mod tests;
