//! Which containers are open, one bit a level. Any depth, no recursion.

/// A container's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Array,
    Object,
}

/// The innermost levels of the stack of open containers; the levels around them are in an [`Outer`], apart from it so
/// that the compiler can keep this in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    /// The innermost level in bit 0.
    inner: u64,
}

/// The outer levels, 64 a word.
pub(super) type Outer = Vec<u64>;

/// What 64 brackets can change of the outer levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    length: usize,
    last: [u64; 2],
}

/// Keeps what the next 64 brackets can change.
#[inline]
pub(super) fn kept(outer: &Outer) -> Kept {
    let length = outer.len();
    let word = |back: usize| outer.get(length.wrapping_sub(back)).copied().unwrap_or(0);
    Kept { length, last: [word(2), word(1)] }
}

/// The outer levels as they were kept, no more than 64 brackets ago.
pub(super) fn put_back(outer: &mut Outer, kept: Kept) {
    let same = kept.length.saturating_sub(kept.last.len());
    outer.truncate(same);
    outer.extend(&kept.last[kept.last.len() - (kept.length - same)..]);
}

impl Nesting {
    #[inline]
    pub(super) fn of(depth: usize, inner: u64) -> Self {
        Self { depth, inner }
    }

    /// The innermost levels: the innermost one in bit 0, 1 for an object.
    #[inline]
    pub(super) fn inner(self) -> u64 {
        self.inner
    }

    /// Whether so many brackets in any order need no [`Outer`].
    #[inline]
    pub(super) fn has_room(self, opens: usize, closes: usize) -> bool {
        match self.depth.checked_sub(1) {
            None => opens <= 64,
            Some(below) => {
                let levels = below % 64 + 1;
                levels + opens <= 64 && (below < 64 || closes < levels)
            }
        }
    }

    /// How many containers are open.
    #[inline]
    pub(super) fn depth(self) -> usize {
        self.depth
    }

    /// The innermost container; meaningless at depth 0.
    #[inline]
    pub(super) fn innermost(self) -> Container {
        if self.inner & 1 == 0 { Container::Array } else { Container::Object }
    }

    #[inline]
    pub(super) fn open(&mut self, container: Container, outer: &mut Outer) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(container == Container::Object);
        self.depth += 1;
    }

    /// Closes the innermost container. At depth 0 there is none and nothing happens.
    #[inline]
    pub(super) fn close(&mut self, outer: &mut Outer) {
        let Some(depth) = self.depth.checked_sub(1) else {
            return;
        };
        self.depth = depth;
        self.inner >>= 1;
        if depth.is_multiple_of(64) {
            self.inner = outer.pop().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_remembered_across_words() {
        let pattern = |level: usize| {
            if level.is_multiple_of(3) || level.is_multiple_of(7) {
                Container::Object
            } else {
                Container::Array
            }
        };
        let mut nesting = Nesting::default();
        let mut outer = Outer::new();
        for level in 0..300 {
            nesting.open(pattern(level), &mut outer);
        }
        for level in (0..300).rev() {
            assert_eq!(nesting.depth(), level + 1);
            assert_eq!(nesting.innermost(), pattern(level), "level {level}");
            nesting.close(&mut outer);
        }
        nesting.close(&mut outer);
        assert_eq!(nesting.depth(), 0);
    }
}
