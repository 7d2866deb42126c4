//! Which of two versions is newer, as PHP's `version_compare()` has it: what WordPress goes by.

use std::cmp::Ordering;

/// One part of a version.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Number(&'a str),
    Word(&'a str),
}

/// Compares two versions.
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    let (left, right) = (parts(left), parts(right));
    let longest = left.len().max(right.len());
    (0..longest)
        .map(|index| match (left.get(index), right.get(index)) {
            (Some(left), Some(right)) => part(left, right),
            // A longer version is newer, unless what it has more is a word such as `beta`.
            (Some(more), None) => beyond(more),
            (None, Some(more)) => beyond(more).reverse(),
            (None, None) => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers and words; everything else separates.
fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.bytes().next() {
        if !first.is_ascii_alphanumeric() {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let digits = first.is_ascii_digit();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        parts.push(if digits { Part::Number(piece) } else { Part::Word(piece) });
        rest = after;
    }
    parts
}

fn part(left: &Part<'_>, right: &Part<'_>) -> Ordering {
    match (left, right) {
        (Part::Number(left), Part::Number(right)) => number(left, right),
        (Part::Word(left), Part::Word(right)) => rank(left).cmp(&rank(right)),
        // A number stands where `#` does in PHP's order of words.
        (Part::Number(_), Part::Word(word)) => NUMBER.cmp(&rank(word)),
        (Part::Word(word), Part::Number(_)) => rank(word).cmp(&NUMBER),
    }
}

/// Without leading zeros the longer number is the larger one, of any size.
fn number(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn beyond(more: &Part<'_>) -> Ordering {
    match more {
        Part::Number(_) => Ordering::Greater,
        Part::Word(word) => rank(word).cmp(&NUMBER),
    }
}

const NUMBER: u8 = 5;

/// PHP's order: any other word < dev < alpha < beta < RC < # < pl.
fn rank(word: &str) -> u8 {
    match word {
        "dev" => 1,
        "alpha" | "a" => 2,
        "beta" | "b" => 3,
        "RC" | "rc" => 4,
        "pl" | "p" => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_phps_order() {
        // Each is older than the next (`php -r 'var_dump(version_compare("a", "b"));'`).
        let order = [
            "0.9",
            "1.0-dev",
            "1.0-alpha",
            "1.0-alpha2",
            "1.0-beta",
            "1.0RC1",
            "1.0",
            "1.0.1",
            "1.2",
            "1.10",
            "1.10.0",
            "1.10.0pl1",
            "2024.01.02",
            "20240102",
        ];
        for pair in order.windows(2) {
            assert_eq!(compare_versions(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare_versions(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        for (left, right) in [("1.0", "1-0"), ("1.0", "1_0"), ("01.2", "1.2"), ("1.0a", "1.0alpha")]
        {
            assert_eq!(compare_versions(left, right), Ordering::Equal, "{left} {right}");
        }
    }
}
