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

/// How strong a claim is. The order of the fields is the rule of precedence.
///
/// `rank` is the place of the source among the layers of one merge sorted by kind and id, so
/// that it stands for the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strength {
    pub kind: SourceKind,
    pub at_ms: i64,
    pub rank: u16,
    /// Number of the layer, which it keeps from one merge to the next.
    pub tag: u16,
}

impl Strength {
    /// Whether two merges mean the same claim.
    pub fn is_same(before: Option<Self>, after: Option<Self>) -> bool {
        let claim = |strength: Option<Self>| strength.map(|this| (this.tag, this.at_ms));
        claim(before) == claim(after)
    }
}
