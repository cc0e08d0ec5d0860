//! An input's parts: choices are taken from its end, so that what is left, its beginning, is the text itself. A body of
//! a corpus is then readable, and a change in it moves no choice.

use bytes::Bytes;

/// An input that is not used up yet.
#[derive(Debug)]
pub struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    /// All of an input.
    pub fn new(data: &'i [u8]) -> Input<'i> {
        Input(data)
    }

    /// The last byte; 0 where there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((last, rest)) = self.0.split_last() else { return 0 };
        self.0 = rest;
        *last
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// What is left.
    pub fn rest(self) -> &'i [u8] {
        self.0
    }

    /// What is left, cut into chunks whose sizes are taken in turn; empty ones too.
    pub fn chunks(mut self) -> Vec<Bytes> {
        let cuts = self.byte() % 8;
        let sizes: Vec<usize> = (0..cuts).map(|_| usize::from(self.byte())).collect();
        cut(self.0, &sizes)
    }
}

/// These bytes in chunks of these sizes, taken in turn; whole where no size is over nothing.
fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Bytes> {
    if sizes.iter().all(|size| *size == 0) {
        return vec![Bytes::copy_from_slice(bytes)];
    }
    let mut chunks = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        chunks.push(Bytes::copy_from_slice(chunk));
        rest = after;
    }
    chunks
}
