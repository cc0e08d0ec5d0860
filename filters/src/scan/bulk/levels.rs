//! The brackets of a block, one by one but without asking which comes: which containers they leave, and in which one
//! each byte stands.

use std::hint::select_unpredictable;

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
        self.among(!(pairs | pairs << 1))
    }

    #[inline(always)]
    pub(super) fn among(self, places: u64) -> Self {
        Self { all: self.all & places, opens: self.opens & places, ..self }
    }

    #[inline(always)]
    fn opens(self) -> usize {
        self.opens.count_ones() as usize
    }

    #[inline(always)]
    fn closes(self) -> usize {
        (self.all & !self.opens).count_ones() as usize
    }

    /// Each bracket's place, 1 if it opens a container, and 1 if that is an object.
    #[inline(always)]
    fn each(self, mut to: impl FnMut(u32, u64, u64)) {
        let objects = self.opens & self.braces;
        let mut rest = self.all;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            to(at, self.opens >> at & 1, objects >> at & 1);
        }
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
        let was_object = u64::from(nesting.innermost() == Container::Object);
        let was_lowest = u64::from(nesting.depth() == floor);
        let brackets = brackets.without_empty_containers();
        let mut walk = Walk { nesting, floor, ..Walk::default() };
        if nesting.has_room(brackets.opens(), brackets.closes()) {
            walk.within_a_word(brackets);
        } else {
            walk.across_words(brackets, outer);
        }
        let in_objects = fill(walk.objects, was_object, brackets.all);
        let closes = brackets.all & !brackets.opens;
        let lowest = fill(walk.lowest, was_lowest, brackets.all);
        let closed = (in_objects | walk.objects) << 1 | was_object;
        Self {
            nesting: walk.nesting,
            in_objects,
            lowest,
            faults: closes & (closed ^ brackets.braces),
            leaves: closes & ((lowest | walk.lowest) << 1 | was_lowest),
        }
    }
}

/// From bracket to bracket.
#[derive(Default)]
struct Walk {
    nesting: Nesting,
    floor: usize,
    /// Brackets behind which the innermost container is an object.
    objects: u64,
    /// Brackets behind which it is the lowest that is ours.
    lowest: u64,
    /// Whether that was closed.
    left: bool,
}

impl Walk {
    #[inline(always)]
    fn within_a_word(&mut self, brackets: Brackets) {
        let above = self.nesting.depth().wrapping_sub(self.floor);
        if brackets.closes() < above {
            self.above_the_floor(brackets);
        } else {
            self.near_the_floor(brackets);
        }
    }

    #[inline(always)]
    fn above_the_floor(&mut self, brackets: Brackets) {
        let mut inner = self.nesting.inner();
        brackets.each(|at, open, pushed| {
            inner = select_unpredictable(open == 1, inner << 1 | pushed, inner >> 1);
            self.objects |= (inner & 1) << at;
        });
        self.nesting = Nesting::of(self.depth_behind(brackets), inner);
    }

    #[inline(always)]
    fn near_the_floor(&mut self, brackets: Brackets) {
        let mut inner = self.nesting.inner();
        // The lowest container's level, and nothing once that is left.
        let mut lowest = 1_u64 << (self.nesting.depth() - self.floor);
        brackets.each(|at, open, pushed| {
            inner = select_unpredictable(open == 1, inner << 1 | pushed, inner >> 1);
            lowest = select_unpredictable(open == 1, lowest << 1, lowest >> 1);
            self.objects |= (inner & 1) << at;
            self.lowest |= (lowest & 1) << at;
        });
        self.left = lowest == 0;
        self.nesting = Nesting::of(self.depth_behind(brackets), inner);
    }

    fn depth_behind(&self, brackets: Brackets) -> usize {
        (self.nesting.depth() + brackets.opens()).wrapping_sub(brackets.closes())
    }

    /// Where the brackets fill a word of levels, or empty it: a few bytes at once, most of which do not.
    #[inline(never)]
    fn across_words(&mut self, brackets: Brackets, outer: &mut Outer) {
        for part in [0xFFFF, 0xFFFF << 16, 0xFFFF << 32, 0xFFFF << 48] {
            let part = brackets.among(part);
            if self.nesting.has_room(part.opens(), part.closes()) {
                self.within_a_word(part);
            } else {
                self.one_by_one(part, outer);
            }
            if self.left {
                break;
            }
        }
    }

    fn one_by_one(&mut self, brackets: Brackets, outer: &mut Outer) {
        let nesting = &mut self.nesting;
        brackets.each(|at, open, pushed| {
            if open == 1 {
                let object = pushed == 1;
                nesting.open(if object { Container::Object } else { Container::Array }, outer);
            } else if nesting.depth() == self.floor || self.left {
                self.left = true;
            } else {
                nesting.close(outer);
            }
            self.objects |= (nesting.inner() & 1) << at;
            self.lowest |= u64::from(nesting.depth() == self.floor) << at;
        });
    }
}

/// The places between brackets behind one of `starts`, and those before the first if so it `was`.
#[inline(always)]
fn fill(starts: u64, was: u64, brackets: u64) -> u64 {
    let between = !brackets;
    let sum = between.wrapping_add(starts << 1 | was);
    !sum & between
}
