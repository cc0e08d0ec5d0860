//! What goes on over several bytes, told by additions: a carry runs through a run of ones and comes out behind it.

/// Of some runs in a mask those that begin with a start, or go on from the block before: where they end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    /// 1 where the last block's run reached its end.
    pub(super) goes_on: u64,
}

impl Run {
    /// The first place behind each run of `within` that begins at one of `starts`. A start outside stays where it is.
    #[inline(always)]
    pub(super) fn ends(&mut self, starts: u64, within: u64) -> u64 {
        // A run cannot both begin in the first place and go on there.
        let (sum, over) = within.overflowing_add(starts | self.goes_on);
        self.goes_on = u64::from(over);
        sum & !within
    }
}

/// What comes right after some tokens, blanks between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct After {
    /// 1 where the token comes in the next block.
    pub(super) pending: u64,
}

impl After {
    /// The first place behind each of `tokens` that is none of `blanks`.
    #[inline(always)]
    pub(super) fn next(&mut self, tokens: u64, blanks: u64) -> u64 {
        let (sum, over) = blanks.overflowing_add(tokens << 1 | self.pending);
        self.pending = u64::from(over) | tokens >> 63;
        sum & !blanks
    }
}

/// Whether something stood in the last place of the block before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before(u64);

impl Before {
    /// The places right behind those of `mask`.
    #[inline(always)]
    pub(super) fn behind(&mut self, mask: u64) -> u64 {
        let behind = mask << 1 | self.0;
        self.0 = mask >> 63;
        behind
    }
}

/// From each odd place of `mask` up to the next, that one not included.
#[inline(always)]
pub(super) fn between_pairs(mut mask: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << distance;
    }
    mask
}
