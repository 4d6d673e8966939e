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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub at_ms: i64,
    /// The value of a leaf; the children of others, side by side in the order of names. Of a
    /// split leaf, one that has tombstones below it: both, as the arena writes them.
    pub range: Range,
    /// The name if it is short; of a longer one the first bytes, and where it stands among the
    /// texts.
    name: [u8; Self::SHORT],
    /// From the lowest bit: two of the shape, one whether it is a split leaf, seven of the length
    /// of the name, the others of the label's number.
    bits: u32,
}

/// How a cell keeps its name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept<'a> {
    Short(&'a [u8]),
    /// The address of a text.
    Long(u32),
}

/// The first eight bytes of a name: nearly always enough to put two names in order.
///
/// No name contains a NUL, so the padding of shorter ones is less than any byte of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    /// After the keys of all names: no UTF-8 begins so.
    pub const END: Self = Self(u64::MAX);

    pub fn of(name: &[u8]) -> Self {
        let mut bytes = [0; size_of::<Self>()];
        let length = name.len().min(bytes.len());
        bytes[..length].copy_from_slice(&name[..length]);
        Self(u64::from_be_bytes(bytes))
    }

    /// This one, or [`Key::END`] when it is over.
    #[inline]
    pub fn or_end(self, is_over: bool) -> Self {
        Self(self.0 | u64::from(is_over).wrapping_neg())
    }

    /// Whether it holds the whole name.
    pub fn is_whole(self) -> bool {
        self.0 & 0xFF == 0
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

/// A name with its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    pub key: Key,
    pub text: &'a [u8],
}

impl<'a> Name<'a> {
    /// Comes after all names.
    pub const END: Self = Self {
        key: Key::END,
        text: b"\xFF",
    };

    pub fn of(text: &'a [u8]) -> Self {
        Self {
            key: Key::of(text),
            text,
        }
    }

    /// The lesser of two.
    #[inline]
    pub fn least(self, other: Self) -> Self {
        match self.key <= other.key && (self.key < other.key || self <= other) {
            true => self,
            false => other,
        }
    }
}

impl PartialEq for Name<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name<'_> {}

impl PartialOrd for Name<'_> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.order(other.key, || self.text, || other.text)
    }
}

impl PartialEq for Cell {
    /// Without a branch for each part: of most pairs that are looked at all parts are the same.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms == other.at_ms)
            & (self.range.first == other.range.first)
            & (self.range.count == other.range.count)
            & (self.name_bits() == other.name_bits())
            & (self.bits == other.bits)
    }
}

impl Eq for Cell {}

impl Cell {
    /// A name of that many bytes stands in the cell.
    pub const SHORT: usize = 12;
    /// How many labels can be told apart.
    pub const LABELS: usize = 1 << 22;
    const SPLIT: u32 = 1 << 2;
    const LENGTH_BIT: u32 = 3;
    const LENGTH: u32 = 0x7F << Self::LENGTH_BIT;
    const LABEL_BIT: u32 = 10;

    /// A node of which nothing is claimed yet, with the address of its name's text if that is
    /// longer than [`Cell::SHORT`].
    pub fn silent(text: &[u8], address: u32) -> Self {
        let mut name = [0; Self::SHORT];
        if text.len() <= Self::SHORT {
            name[..text.len()].copy_from_slice(text);
        } else {
            name[..8].copy_from_slice(&text[..8]);
            name[8..].copy_from_slice(&address.to_le_bytes());
        }
        Self {
            at_ms: 0,
            range: Range::default(),
            name,
            // A path has no longer names than fit.
            bits: (text.len() as u32 & 0x7F) << Self::LENGTH_BIT,
        }
    }

    #[inline]
    pub fn key(&self) -> Key {
        let [a, b, c, d, e, f, g, h, ..] = self.name;
        Key(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    #[inline]
    pub fn name(&self) -> Kept<'_> {
        let length = (self.bits >> Self::LENGTH_BIT) as usize & 0x7F;
        match self.name.get(..length) {
            Some(name) => Kept::Short(name),
            None => {
                let [.., a, b, c, d] = self.name;
                Kept::Long(u32::from_le_bytes([a, b, c, d]))
            }
        }
    }

    /// Whether the names of both are the same short one.
    pub fn has_short_name_of(&self, other: &Self) -> bool {
        self.has_name_of(other)
            && self.bits & Self::LENGTH <= (Self::SHORT as u32) << Self::LENGTH_BIT
    }

    /// Whether the names of both, which are of one arena, are kept as the same.
    pub fn has_name_of(&self, other: &Self) -> bool {
        self.name_bits() == other.name_bits() && (self.bits ^ other.bits) & Self::LENGTH == 0
    }

    #[inline]
    fn name_bits(&self) -> u128 {
        let mut bytes = [0; size_of::<u128>()];
        bytes[..Self::SHORT].copy_from_slice(&self.name);
        u128::from_le_bytes(bytes)
    }

    pub fn say(&mut self, shape: Shape, label: u32, at_ms: i64) {
        let length = self.bits & (0x7F << Self::LENGTH_BIT);
        self.bits = (label << Self::LABEL_BIT) | length | shape as u32;
        self.at_ms = at_ms;
    }

    #[inline]
    pub fn shape(&self) -> Shape {
        match self.bits & 3 {
            0 => Shape::Silent,
            1 => Shape::Absent,
            2 => Shape::Interior,
            _ => Shape::Leaf,
        }
    }

    pub fn label(&self) -> u32 {
        self.bits >> Self::LABEL_BIT
    }

    /// Whether it is a claim at all.
    pub fn speaks(&self) -> bool {
        self.shape() != Shape::Silent
    }

    /// Whether the range is that of a value and of children.
    pub fn is_split(&self) -> bool {
        self.bits & Self::SPLIT != 0
    }

    pub fn split(&mut self, is_split: bool) {
        self.bits &= !Self::SPLIT;
        if is_split {
            self.bits |= Self::SPLIT;
        }
    }
}
