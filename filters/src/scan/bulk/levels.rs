//! The brackets of a block, one by one but without asking which comes: which containers they leave, and in which one
//! each byte stands.

use crate::scan::nesting::{Container, Nesting, Outer};

/// The brackets in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brackets {
    pub(super) all: u64,
    pub(super) opens: u64,
    pub(super) braces: u64,
}

impl Brackets {
    /// Without the pairs that change nothing.
    #[inline(always)]
    fn without_empty_containers(self) -> Self {
        let closes = self.all & !self.opens;
        let pairs = self.opens & closes >> 1 & !(self.braces ^ self.braces >> 1);
        Self { all: self.all & !(pairs | pairs << 1), opens: self.opens & !pairs, ..self }
    }
}

/// What the brackets of a block say. Behind the first that leaves it means nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Levels {
    pub(super) nesting: Nesting,
    /// Between brackets: where the innermost container is an object.
    pub(super) in_objects: u64,
    /// Between brackets: where the innermost container is the lowest that is ours.
    pub(super) lowest: u64,
    /// Closing brackets of the wrong sort.
    pub(super) faults: u64,
    /// Brackets that close the lowest container that is ours.
    pub(super) leaves: u64,
}

impl Levels {
    /// Reads a block's brackets from `nesting` on; the container at depth `floor` is the lowest that is ours.
    #[inline(always)]
    pub(super) fn read(
        brackets: Brackets,
        nesting: Nesting,
        outer: &mut Outer,
        floor: usize,
    ) -> Self {
        let brackets = brackets.without_empty_containers();
        let opens = brackets.opens.count_ones() as usize;
        let closes = brackets.all.count_ones() as usize - opens;
        let mut levels = if nesting.has_room(opens, closes) {
            Self::within_a_word(brackets, nesting, floor)
        } else {
            Self::across_words(brackets, nesting, outer, floor)
        };
        let was_object = u64::from(nesting.innermost() == Container::Object);
        let was_lowest = u64::from(nesting.depth() == floor);
        levels.in_objects = fill(levels.in_objects, was_object, brackets.all);
        levels.lowest = fill(levels.lowest, was_lowest, brackets.all);
        levels
    }

    #[inline(always)]
    fn within_a_word(brackets: Brackets, nesting: Nesting, floor: usize) -> Self {
        let Brackets { all, opens, braces } = brackets;
        let mut levels = Self::default();
        let mut inner = nesting.inner();
        let mut above = (nesting.depth() as u64).wrapping_sub(floor as u64);
        let mut rest = all;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let (open, brace) = (opens >> at & 1, braces >> at & 1);
            levels.faults |= ((inner ^ brace) & !open & 1) << at;
            inner = (inner << open | brace & open) >> (open ^ 1);
            above = above.wrapping_add(open << 1).wrapping_sub(1);
            levels.in_objects |= (inner & 1) << at;
            levels.lowest |= u64::from(above == 0) << at;
            levels.leaves |= (above >> 63) << at;
        }
        let depth = (above.wrapping_add(floor as u64)) as usize;
        levels.nesting = Nesting::of(depth, inner);
        levels
    }

    #[inline(never)]
    fn across_words(
        brackets: Brackets,
        mut nesting: Nesting,
        outer: &mut Outer,
        floor: usize,
    ) -> Self {
        let mut levels = Self::default();
        let mut rest = brackets.all;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let brace = brackets.braces >> at & 1;
            if brackets.opens >> at & 1 == 1 {
                let container = if brace == 1 { Container::Object } else { Container::Array };
                nesting.open(container, outer);
            } else {
                levels.faults |= ((nesting.inner() ^ brace) & 1) << at;
                if nesting.depth() == floor {
                    levels.leaves = 1 << at;
                    break;
                }
                nesting.close(outer);
            }
            levels.in_objects |= (nesting.inner() & 1) << at;
            levels.lowest |= u64::from(nesting.depth() == floor) << at;
        }
        levels.nesting = nesting;
        levels
    }
}

/// The places between brackets behind one of `starts`, and those before the first if so it `was`.
#[inline(always)]
fn fill(starts: u64, was: u64, brackets: u64) -> u64 {
    let between = !brackets;
    let sum = between.wrapping_add(starts << 1 | was);
    !sum & between
}
