//! Placement: the vectors of the design, and the walk with region, health, schedulability, fill.

use super::*;

const VECTORS: &str = include_str!("home-shard.tsv");

#[test]
fn home_matches_every_vector_bit_for_bit() {
    let mut checked = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [tenant, shards, home] = fields[..] else { panic!("bad vector: {line}") };
        let shards = shards.parse().unwrap();
        assert_eq!(home_shard(tenant, shards).unwrap().to_string(), home, "{line}");
        checked += 1;
    }
    assert_eq!(checked, VECTORS.lines().count() - 1);
}

#[test]
fn a_federation_without_shards_has_no_home() {
    assert_eq!(home_shard("bakery", 0), None);
}

fn shard(number: u32) -> ShardFacts {
    ShardFacts {
        id: ShardId::from_number(number).unwrap(),
        region: "europe-west1".to_owned(),
        health: ShardHealth::Healthy,
        schedulability: ShardSchedulability::Open,
        slots: 50,
        taken: 0,
    }
}

fn ask(name: &str, size: u32) -> PlacementRequest<'_> {
    PlacementRequest { tenant_id: name, region: None, residency: None, federation_size: size }
}

fn number(result: Result<ShardId, PlacementError>) -> u32 {
    result.unwrap().number()
}

// `bakery` in a federation of 10 has its home at 4 (vectors).
#[test]
fn the_home_takes_it_when_it_can() {
    let shards: Vec<_> = (1..=10).map(shard).collect();
    assert_eq!(number(place(&ask("bakery", 10), &shards)), 4);
}

#[test]
fn the_walk_goes_upwards_and_around_the_end() {
    let mut shards: Vec<_> = (1..=10).map(shard).collect();
    for taken in &mut shards[3..10] {
        taken.taken = 50;
    }
    assert_eq!(number(place(&ask("bakery", 10), &shards)), 1);
    shards[9].taken = 49;
    assert_eq!(number(place(&ask("bakery", 10), &shards)), 10);
    // The order in which shards are listed does not matter.
    shards.reverse();
    assert_eq!(number(place(&ask("bakery", 10), &shards)), 10);
}

#[test]
fn only_healthy_and_open_shards_take_tenants() {
    for health in [ShardHealth::Degraded, ShardHealth::Unhealthy, ShardHealth::Unknown] {
        let mut shards: Vec<_> = (1..=10).map(shard).collect();
        shards[3].health = health;
        assert_eq!(number(place(&ask("bakery", 10), &shards)), 5, "{health:?}");
    }
    for closed in
        [ShardSchedulability::Cordoned, ShardSchedulability::Draining, ShardSchedulability::Retired]
    {
        let mut shards: Vec<_> = (1..=10).map(shard).collect();
        shards[3].schedulability = closed;
        assert_eq!(number(place(&ask("bakery", 10), &shards)), 5, "{closed:?}");
    }
}

#[test]
fn region_and_residency_are_kept() {
    let mut shards: Vec<_> = (1..=10).map(shard).collect();
    shards[1].region = "us-central1".to_owned();
    let us = PlacementRequest { region: Some("us-central1"), ..ask("bakery", 10) };
    assert_eq!(number(place(&us, &shards)), 2);
    let kept = PlacementRequest { residency: Some("us-central1"), ..ask("bakery", 10) };
    assert_eq!(number(place(&kept, &shards)), 2);
    let torn = PlacementRequest {
        region: Some("europe-west1"),
        residency: Some("us-central1"),
        ..ask("bakery", 10)
    };
    assert!(matches!(place(&torn, &shards), Err(PlacementError::Contradiction { .. })));
    let nowhere = PlacementRequest { region: Some("mars-north1"), ..ask("bakery", 10) };
    assert_eq!(place(&nowhere, &shards), Err(PlacementError::NoSuchRegion("mars-north1".into())));
}

#[test]
fn a_missing_shard_is_walked_past_and_the_size_is_that_of_the_epoch() {
    // Shard 4 isn't registered; shard 11 is of a later epoch and takes nobody yet.
    let shards: Vec<_> = (1..=11).filter(|n| *n != 4).map(shard).collect();
    assert_eq!(number(place(&ask("bakery", 10), &shards)), 5);
    let only_later = [shard(11)];
    assert!(place(&ask("bakery", 10), &only_later).is_err());
}

#[test]
fn no_room_says_why() {
    let mut shards: Vec<_> = (1..=3).map(shard).collect();
    shards[0].taken = 50;
    shards[1].health = ShardHealth::Unknown;
    shards[2].schedulability = ShardSchedulability::Cordoned;
    assert_eq!(
        place(&ask("bakery", 3), &shards),
        Err(PlacementError::NoRoom { full: 1, unhealthy: 1, closed: 1 })
    );
}
