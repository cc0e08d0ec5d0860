//! Numbers that look random and are the same wherever the seed is the same.

/// The generator splitmix64 (Steele, Lea and Flood, OOPSLA 2014), and what is drawn with it.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    /// The generator of one rollout of one scenario: none shares its numbers with another.
    pub(super) fn of(seed: u64, scenario: usize, rollout: u32) -> Random {
        let mut random = Random { state: seed, spare: None };
        for part in [scenario as u64, u64::from(rollout)] {
            random.state = random.draw() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        random
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0 and below 1.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.draw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Whether something of this chance happens.
    pub(super) fn happens(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// Below `bound`, or 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.draw()) * bound as u128) >> 64) as usize
    }

    /// Of the standard normal distribution, by Marsaglia's polar method.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_what_they_should_be() {
        let mut random = Random::of(1, 2, 3);
        let (mut sum, mut squares, mut happened, mut below) = (0.0, 0.0, 0, 0);
        for _ in 0..20_000 {
            let x = random.normal();
            (sum, squares) = (sum + x, squares + x * x);
            happened += usize::from(random.happens(0.05));
            below += random.below(7);
        }
        // Within four standard deviations and more.
        assert!((sum / 20_000.0).abs() < 0.03, "{sum}");
        assert!((squares / 20_000.0 - 1.0).abs() < 0.04, "{squares}");
        assert!((870..=1_130).contains(&happened), "{happened}");
        assert!((58_800..=61_200).contains(&below), "{below}");
    }

    #[test]
    fn rollouts_and_scenarios_have_their_own() {
        let first = |scenario, rollout| Random::of(1, scenario, rollout).draw();
        assert_eq!(first(1, 2), first(1, 2));
        assert!(first(1, 2) != first(2, 1) && first(1, 2) != first(1, 3));
    }
}
