//! Who claims, what a claim says, and which of two claims is stronger.

use std::fmt;
use std::sync::Arc;

/// The kinds of source, the weakest first: the order of the variants is the precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// The machine itself and its local programs.
    Device,
    /// A smart card.
    Card,
    /// A device management server.
    Server,
}

impl SourceKind {
    /// The word for this kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Card => "card",
            Self::Server => "server",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Device, Self::Card, Self::Server]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// One source of claims: `card:8949…`, `server:dm.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Which one it is.
    pub id: Arc<str>,
}

impl Source {
    /// A source of that kind and id.
    #[must_use]
    pub fn new(kind: SourceKind, id: &str) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// What a node that exists is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// It has children, perhaps none yet.
    Interior {
        /// The identifier of its management object, or empty.
        mime: Arc<str>,
    },
    /// It has a value. Values may be secrets: they are not printed.
    Leaf {
        /// The bytes.
        value: Arc<[u8]>,
        /// The DM format word: `chr`, `bin`, `int`, `bool`, …
        format: Arc<str>,
        /// The MIME type.
        mime: Arc<str>,
    },
}

impl Content {
    /// The format of interior nodes (OMA DM TND §7.7.2).
    pub const INTERIOR_FORMAT: &'static str = "node";

    /// The value of a leaf.
    #[must_use]
    pub fn value(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Interior { .. } => None,
            Self::Leaf { value, .. } => Some(value),
        }
    }

    /// The format word; `node` for interior nodes.
    #[must_use]
    pub fn format(&self) -> &str {
        match self {
            Self::Interior { .. } => Self::INTERIOR_FORMAT,
            Self::Leaf { format, .. } => format,
        }
    }

    /// The MIME type of a leaf, the management object identifier of an interior node.
    #[must_use]
    pub fn mime(&self) -> &str {
        match self {
            Self::Interior { mime } | Self::Leaf { mime, .. } => mime,
        }
    }

    /// Whether children can stand below.
    #[must_use]
    pub fn is_interior(&self) -> bool {
        matches!(self, Self::Interior { .. })
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interior { .. } => formatter.write_str("Interior"),
            Self::Leaf { value, format, .. } => {
                write!(formatter, "Leaf({format}, {} bytes)", value.len())
            }
        }
    }
}

/// What a claim says about a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stance {
    /// It exists and is this.
    Present(Content),
    /// It shall not exist.
    Absent,
}

/// How strong a claim is, as one number, so that the stronger of two is found without a branch:
/// from the highest bit down its kind, its time, the rank and the tag of its layer.
///
/// The rank is the place of the source among the layers of one merge sorted by kind and id, so
/// that it stands for the id. The tag is the number of the layer, which it keeps from one merge to
/// the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strength(u128);

impl Strength {
    /// Of no claim: weaker than any.
    pub const NONE: Self = Self(0);
    const RANK_BIT: u32 = 16;
    const TIME_BIT: u32 = 32;
    const KIND_BIT: u32 = 96;

    #[inline]
    pub fn new(kind: SourceKind, at_ms: i64, rank: u16, tag: u16) -> Self {
        let kind = u128::from(kind as u8 + 1) << Self::KIND_BIT;
        Self(kind | u128::from(rank) << Self::RANK_BIT | u128::from(tag)).at(at_ms)
    }

    /// That of a claim of the same layer at another time.
    #[inline]
    pub fn at(self, at_ms: i64) -> Self {
        // Without its sign, so that the order of times is that of the numbers.
        let time = u128::from(at_ms.cast_unsigned() ^ (1 << 63));
        let others = self.0 & !(u128::from(u64::MAX) << Self::TIME_BIT);
        Self(others | time << Self::TIME_BIT)
    }

    #[inline]
    pub fn at_ms(self) -> i64 {
        ((self.0 >> Self::TIME_BIT) as u64 ^ (1 << 63)).cast_signed()
    }

    #[inline]
    pub fn tag(self) -> u16 {
        self.0 as u16
    }

    /// Whether it could be stronger than the other if only it was late enough.
    #[inline]
    pub fn can_beat(self, other: Self) -> bool {
        self.0 >> Self::KIND_BIT >= other.0 >> Self::KIND_BIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strength_orders_by_kind_then_time_then_rank_and_gives_back_what_it_is_made_of() {
        let parts = |kind, at_ms, rank| (kind, at_ms, rank);
        let kinds = [SourceKind::Device, SourceKind::Card, SourceKind::Server];
        let times = [i64::MIN, -1, 0, 1, i64::MAX];
        let mut before = (Strength::NONE, parts(SourceKind::Device, i64::MIN, 0));
        for kind in kinds {
            for at_ms in times {
                for rank in [0, 1, u16::MAX] {
                    let tag = u16::MAX - rank;
                    let strength = Strength::new(kind, at_ms, rank, tag);
                    assert!(strength > before.0);
                    assert_eq!((strength.at_ms(), strength.tag()), (at_ms, tag));
                    assert_eq!(strength.can_beat(before.0), kind >= before.1.0);
                    before = (strength, parts(kind, at_ms, rank));
                }
            }
        }
    }
}
