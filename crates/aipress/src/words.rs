//! Which word was probably meant.

/// How alike two words must be (Jaro-Winkler, 0 to 1) for one to be offered for the other.
const ALIKE: f64 = 0.8;

/// The candidate that is most like `word`, when one is like it.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let likeness =
        |candidate: &str| strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_is_offered_and_a_stranger_is_not() {
        let names = ["bakery", "butchery", "florist"];
        assert_eq!(closest("bakrey", names), Some("bakery"));
        assert_eq!(closest("Florits", names), Some("florist"));
        assert_eq!(closest("zoo", names), None);
        assert_eq!(closest("bakery", ["bakery"]), None);
    }
}
