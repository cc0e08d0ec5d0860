//! Reads 64 bytes at once, whatever tokens are in them: every byte's part in the document is told by bit masks, without
//! a branch that depends on which token comes. That makes documents of many short tokens as quick as any; where there is
//! something to note, something long or something wrong it stops, at the last place between two tokens.

mod levels;
mod marks;
mod order;
mod runs;
mod scalars;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use self::levels::{Brackets, Levels};
use self::marks::Marks;
use self::order::{Order, Tokens};
use self::runs::between_pairs;
use self::scalars::Scalars;
use super::blocks::{self, BLOCK};
use super::escapes::Escapes;
use super::nesting::{Nesting, Outer, kept, put_back};

/// A block and what a word that begins in its last place needs to be told.
const WINDOW: usize = BLOCK + 8;

/// Where reading begins, before a value, or stops: behind a comma, a colon or a bracket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) nesting: Nesting,
}

/// Which containers are to be read here, and what in them is not.
pub(super) struct Bounds<W> {
    /// The depth of the lowest container that is: reading stops before it ends.
    pub(super) floor: usize,
    /// Whether a key of that container, whose text begins at this offset, is one to stop before.
    pub(super) wanted: Option<W>,
}

/// Reads on from `from` and answers where it stopped.
pub(super) fn read<W: Fn(usize) -> bool>(
    level: Level,
    chunk: &[u8],
    from: Place,
    outer: &mut Outer,
    bounds: &Bounds<W>,
) -> Place {
    dispatch!(level, simd => read_by(simd, chunk, from, outer, bounds))
}

#[inline(always)]
fn read_by<S: Simd, W: Fn(usize) -> bool>(
    simd: S,
    chunk: &[u8],
    from: Place,
    outer: &mut Outer,
    bounds: &Bounds<W>,
) -> Place {
    let mut reader = Reader {
        escapes: Escapes::default(),
        string: 0,
        scalars: Scalars::default(),
        order: Order::before_a_value(),
        nesting: from.nesting,
    };
    let mut place = from;
    let mut at = from.at;
    while let Some(window) = chunk.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) {
        let before = (reader.nesting, kept(outer));
        let Some(block) = reader.block(simd, window, outer, bounds.floor) else {
            break;
        };
        let mut stops = block.leaves | block.faults;
        if let Some(wanted) = &bounds.wanted {
            let mut keys = block.keys;
            while keys != 0 {
                let key = keys.trailing_zeros() as usize;
                stops |= u64::from(wanted(at + key + 1)) << key;
                keys &= keys - 1;
            }
        }
        if stops != 0 {
            let ours = stops.wrapping_sub(1) & !stops;
            put_back(outer, before.1);
            let brackets = block.brackets.among(ours);
            let nesting = Levels::read(brackets, before.0, outer, bounds.floor).nesting;
            if let Some(last) = (block.between & ours).checked_ilog2() {
                place = Place { at: at + last as usize + 1, nesting };
            }
            break;
        }
        if let Some(last) = block.between.checked_ilog2() {
            place = Place { at: at + last as usize + 1, nesting: reader.nesting };
        } else if block.in_string {
            break;
        }
        at += BLOCK;
    }
    place
}

/// What the blocks before leave over.
struct Reader {
    escapes: Escapes,
    /// All ones in a string.
    string: u64,
    scalars: Scalars,
    order: Order,
    nesting: Nesting,
}

struct Block {
    brackets: Brackets,
    /// Commas, colons and brackets.
    between: u64,
    /// The first quotes of the lowest container's keys.
    keys: u64,
    leaves: u64,
    faults: u64,
    /// Whether a string goes on behind it.
    in_string: bool,
}

impl Reader {
    /// `None` where an escape is none.
    #[inline(always)]
    fn block<S: Simd>(
        &mut self,
        simd: S,
        window: &[u8; WINDOW],
        outer: &mut Outer,
        floor: usize,
    ) -> Option<Block> {
        let block = blocks::load(simd, window.first_chunk()?);
        let marks = Marks::of(block);
        let escapes = self.escapes.read(block, marks.backslashes, marks.quotes);
        if escapes.faults != 0 {
            return None;
        }
        let quotes = marks.quotes & !escapes.letters;
        let strings = between_pairs(quotes) ^ self.string;
        self.string = 0_u64.wrapping_sub(strings >> (BLOCK - 1));

        let outside = !(strings | quotes);
        let marks = Marks {
            blanks: marks.blanks & outside,
            opens: marks.opens & outside,
            closes: marks.closes & outside,
            commas: marks.commas & outside,
            colons: marks.colons & outside,
            ..marks
        };
        let brackets =
            Brackets { all: marks.opens | marks.closes, opens: marks.opens, braces: marks.braces };
        let between = brackets.all | marks.commas | marks.colons;
        let scalars = outside & !(between | marks.blanks);
        let scalars = self.scalars.read(simd, window, block, scalars, marks.digits);
        let levels = Levels::read(brackets, self.nesting, outer, floor);
        self.nesting = levels.nesting;
        let order = self.order.read(Tokens {
            marks,
            strings,
            string_starts: quotes & strings,
            scalar_starts: scalars.starts,
            in_objects: levels.in_objects,
        });
        Some(Block {
            brackets,
            between,
            keys: order.keys & levels.lowest,
            leaves: levels.leaves,
            faults: marks.controls & strings | scalars.faults | levels.faults | order.faults,
            in_string: self.string != 0,
        })
    }
}

#[cfg(test)]
mod tests;
