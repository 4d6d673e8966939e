//! Canonical paths and the limits of OMA DM 1.2.

use std::fmt;
use std::sync::Arc;

use crate::error::TreeError;

/// Most segments below the root; told to servers as `DevDetail/URI/MaxDepth`.
pub const MAX_DEPTH: usize = 32;
/// Most bytes of a whole path; told to servers as `DevDetail/URI/MaxTotLen`.
pub const MAX_PATH_BYTES: usize = 1024;
/// Most bytes of one segment; told to servers as `DevDetail/URI/MaxSegLen`.
pub const MAX_SEGMENT_BYTES: usize = 127;

/// The address of a node in its only spelling: `.` for the root, else `./A/B`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TreePath(Arc<str>);

impl TreePath {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self(".".into())
    }

    /// Read `.`, `./A/B` or `A/B` (OMA DM TND §4.2: relative to the root, `./` only in front,
    /// no slash at the end).
    ///
    /// # Errors
    /// The `path_…` errors of [`TreeError`].
    pub fn parse(text: &str) -> Result<Self, TreeError> {
        if text == "." {
            return Ok(Self::root());
        }
        let names = checked(text, 0)?;
        Ok(Self(format!("./{names}").into()))
    }

    /// The canonical spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "."
    }

    /// The names from the root downwards; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// The last segment; `.` for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(".")
    }

    /// The path made of this one and a name that is already known to be good.
    pub(crate) fn join(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0).into())
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The names of a path that is not the root's, as they stand in the canonical spelling. The first
/// `known` bytes of them are known to be whole good names with their slashes.
pub(crate) fn checked(text: &str, known: usize) -> Result<&str, TreeError> {
    let names = text.strip_prefix("./").unwrap_or(text);
    if text.is_empty() {
        return Err(TreeError::PathEmpty);
    }
    // Before anything else: what follows is then work bounded by the limit.
    let bytes = names.len().saturating_add(2);
    if bytes > MAX_PATH_BYTES {
        return Err(TreeError::PathTooLong {
            bytes,
            limit: MAX_PATH_BYTES,
        });
    }
    if text.ends_with('/') {
        return Err(TreeError::PathTrailingSlash);
    }
    let (good, rest) = names.split_at(known);
    let mut depth = good.matches('/').count();
    for segment in rest.split('/') {
        depth += 1;
        check_segment(segment, depth)?;
    }
    if depth > MAX_DEPTH {
        return Err(TreeError::PathTooDeep {
            segments: depth,
            limit: MAX_DEPTH,
        });
    }
    Ok(names)
}

fn check_segment(segment: &str, index: usize) -> Result<(), TreeError> {
    match segment {
        "" => return Err(TreeError::PathSegmentEmpty { index }),
        "." => return Err(TreeError::PathSegmentDots { index, dots: "." }),
        ".." => return Err(TreeError::PathSegmentDots { index, dots: ".." }),
        _ => (),
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(TreeError::PathSegmentTooLong {
            index,
            bytes: segment.len(),
            limit: MAX_SEGMENT_BYTES,
        });
    }
    match segment.chars().find(|character| character.is_control()) {
        Some(character) => Err(TreeError::PathSegmentControl {
            index,
            character: character.into(),
        }),
        None => Ok(()),
    }
}
