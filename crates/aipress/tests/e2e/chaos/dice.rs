//! Randomness that a seed gives again (SplitMix64).

/// A source of numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of one player of a run.
    pub(super) fn of(seed: u64, player: u64) -> Self {
        let mut dice = Self(seed ^ player.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    /// One of `all`, each as likely as its weight.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[(usize, T)]) -> T {
        let mut left = self.below(all.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in all {
            match left.checked_sub(*weight) {
                None => return *one,
                Some(rest) => left = rest,
            }
        }
        unreachable!("a number below the sum of the weights");
    }
}

/// A seed that nobody chose.
pub(super) fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() << 8)
}

#[test]
fn a_seed_gives_the_same_again_and_another_player_gets_another() {
    let rolls = |seed, player| {
        let mut dice = Dice::of(seed, player);
        std::array::from_fn::<_, 8, _>(|_| dice.below(1_000))
    };
    assert_eq!(rolls(7, 1), rolls(7, 1));
    assert_ne!(rolls(7, 1), rolls(7, 2));
    assert_ne!(rolls(7, 1), rolls(8, 1));
    let mut dice = Dice::of(1, 1);
    assert!((0..100).all(|_| dice.one_of(&[(1, 'a'), (0, 'b')]) == 'a'));
}
