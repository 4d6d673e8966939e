//! One claim of a layer, as its arena keeps it.

use std::cmp::Ordering;

use crate::pages::Range;

/// What a claim says, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing: it stands on the way to a tombstone.
    Silent,
    Absent,
    Interior,
    Leaf,
}

/// A claim on a node. Equal cells of two versions of an arena claim the same, at and below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The first eight bytes of the name.
    pub key: Key,
    pub at_ms: i64,
    /// Where the whole name stands among the texts.
    pub name: u32,
    /// The shape in the lowest two bits, then whether it is a split leaf, then the number of the
    /// label.
    bits: u32,
    /// The value of a leaf; the children of others, side by side in the order of names. Of a
    /// split leaf, one that has tombstones below it: both, as the arena writes them.
    pub range: Range,
}

/// The first eight bytes of a name: nearly always enough to put two names in order.
///
/// No name contains a NUL, so the padding of shorter ones is less than any byte of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    pub fn of(name: &[u8]) -> Self {
        let mut bytes = [0; 8];
        let length = name.len().min(8);
        bytes[..length].copy_from_slice(&name[..length]);
        Self(u64::from_be_bytes(bytes))
    }

    /// Whether it holds the whole name.
    pub fn is_whole(self) -> bool {
        self.0.to_be_bytes()[7] == 0
    }

    /// The order of two names by their keys, and by their texts where those do not tell.
    #[inline]
    pub fn order<'a>(
        self,
        other: Self,
        text: impl FnOnce() -> &'a [u8],
        other_text: impl FnOnce() -> &'a [u8],
    ) -> Ordering {
        self.cmp(&other).then_with(|| {
            if self.is_whole() {
                Ordering::Equal
            } else {
                text().cmp(other_text())
            }
        })
    }
}

impl Cell {
    /// A node of that name of which nothing is claimed yet.
    pub fn silent(key: Key, name: u32) -> Self {
        Self {
            key,
            at_ms: 0,
            name,
            bits: 0,
            range: Range::default(),
        }
    }

    pub fn say(&mut self, shape: Shape, label: u32, at_ms: i64) {
        self.bits = (label << 3) | shape as u32;
        self.at_ms = at_ms;
    }

    pub fn shape(&self) -> Shape {
        match self.bits & 3 {
            0 => Shape::Silent,
            1 => Shape::Absent,
            2 => Shape::Interior,
            _ => Shape::Leaf,
        }
    }

    pub fn label(&self) -> u32 {
        self.bits >> 3
    }

    /// Whether it is a claim at all.
    pub fn speaks(&self) -> bool {
        self.shape() != Shape::Silent
    }

    /// Whether the range is that of a value and of children.
    pub fn is_split(&self) -> bool {
        self.bits & 4 != 0
    }

    pub fn split(&mut self, is_split: bool) {
        self.bits = (self.bits & !4) | (u32::from(is_split) << 2);
    }
}
