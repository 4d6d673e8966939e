//! What can be wrong with a path, a claim or a set of layers.

use crate::source::Source;

/// A refusal of the tree. It carries facts, never the bytes of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The empty string names no node.
    #[error("the path is empty; the root is \".\"")]
    PathEmpty,
    /// The path is longer than the tree allows.
    #[error("the path has {bytes} bytes, the limit is {limit}")]
    PathTooLong {
        /// Length of the canonical form.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The path has more segments than the tree allows.
    #[error("the path has {segments} segments, the limit is {limit}")]
    PathTooDeep {
        /// Segments below the root.
        segments: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The path ends in a slash (OMA DM TND §4.2 forbids it).
    #[error("the path ends with a slash")]
    PathTrailingSlash,
    /// Two slashes in a row, or a slash in front.
    #[error("segment {index} of the path is empty")]
    PathSegmentEmpty {
        /// Counted from 1.
        index: usize,
    },
    /// A segment is `.` or `..` where a name is due.
    #[error("segment {index} of the path is {dots:?}, which is no name")]
    PathSegmentDots {
        /// Counted from 1.
        index: usize,
        /// The segment.
        dots: &'static str,
    },
    /// A segment is longer than the tree allows.
    #[error("segment {index} of the path has {bytes} bytes, the limit is {limit}")]
    PathSegmentTooLong {
        /// Counted from 1.
        index: usize,
        /// Length of the segment.
        bytes: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A segment contains a control character.
    #[error("segment {index} of the path contains control character U+{character:04X}")]
    PathSegmentControl {
        /// Counted from 1.
        index: usize,
        /// The code point.
        character: u32,
    },
    /// A segment contains a question mark: in a URI that ends the path (RFC 2396 §3), so nobody
    /// could ask for such a node.
    #[error("segment {index} of the path contains a question mark")]
    PathSegmentQuery {
        /// Counted from 1.
        index: usize,
    },
    /// The root is permanent: it is neither a leaf nor absent.
    #[error("the root is an interior node and permanent")]
    RootFixed,
    /// A leaf cannot have the format of interior nodes.
    #[error("the format \"node\" is for interior nodes, this node has a value")]
    LeafFormat,
    /// Two layers of one merge have the same source.
    #[error("two layers come from {source_name}")]
    LayerTwice {
        /// The source, as `kind:id`.
        source_name: String,
    },
    /// More nodes than indexes.
    #[error("the tree is full: {limit} nodes")]
    TreeFull {
        /// The most that is allowed.
        limit: usize,
    },
}

impl TreeError {
    /// The machine code of this error, stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::PathEmpty => "path_empty",
            Self::PathTooLong { .. } => "path_too_long",
            Self::PathTooDeep { .. } => "path_too_deep",
            Self::PathTrailingSlash => "path_trailing_slash",
            Self::PathSegmentEmpty { .. } => "path_segment_empty",
            Self::PathSegmentDots { .. } => "path_segment_dots",
            Self::PathSegmentTooLong { .. } => "path_segment_too_long",
            Self::PathSegmentControl { .. } => "path_segment_control",
            Self::PathSegmentQuery { .. } => "path_segment_query",
            Self::RootFixed => "root_fixed",
            Self::LeafFormat => "leaf_format",
            Self::LayerTwice { .. } => "layer_twice",
            Self::TreeFull { .. } => "tree_full",
        }
    }

    pub(crate) fn twice(source: &Source) -> Self {
        Self::LayerTwice {
            source_name: source.to_string(),
        }
    }
}

/// A number below a limit, or [`TreeError::TreeFull`].
pub(crate) fn index(number: usize, limit: usize) -> Result<u32, TreeError> {
    u32::try_from(number)
        .ok()
        .filter(|_| number < limit)
        .ok_or(TreeError::TreeFull { limit })
}
