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
        let names = checked(text, Known::default())?;
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

/// Names in front of a path that are known to be good.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    /// How many bytes they take, with the slash after each.
    pub bytes: usize,
    /// How many they are.
    pub depth: usize,
}

/// What follows `./` in the canonical spelling.
pub(crate) fn names(text: &str) -> &str {
    text.strip_prefix("./").unwrap_or(text)
}

/// The names of a path that is not the root's, as they stand in the canonical spelling.
pub(crate) fn checked(text: &str, known: Known) -> Result<&str, TreeError> {
    let names = names(text);
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
    let mut depth = known.depth;
    for segment in split(names, known) {
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

/// The names after those that are known.
pub(crate) fn split(names: &str, known: Known) -> impl Iterator<Item = &[u8]> {
    // One split of nothing would be an empty name.
    let rest = names.as_bytes().get(known.bytes..).into_iter();
    rest.flat_map(|rest| rest.split(|&byte| byte == b'/'))
}

fn check_segment(segment: &[u8], index: usize) -> Result<(), TreeError> {
    match segment {
        b"" => return Err(TreeError::PathSegmentEmpty { index }),
        b"." => return Err(TreeError::PathSegmentDots { index, dots: "." }),
        b".." => return Err(TreeError::PathSegmentDots { index, dots: ".." }),
        _ => (),
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(TreeError::PathSegmentTooLong {
            index,
            bytes: segment.len(),
            limit: MAX_SEGMENT_BYTES,
        });
    }
    let plain = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'?';
    if segment.iter().all(plain) {
        return Ok(());
    }
    if segment.contains(&b'?') {
        return Err(TreeError::PathSegmentQuery { index });
    }
    // A slash is no part of a longer character, so this is what the path says.
    let text = String::from_utf8_lossy(segment);
    match text.chars().find(|character| character.is_control()) {
        Some(character) => Err(TreeError::PathSegmentControl {
            index,
            character: character.into(),
        }),
        None => Ok(()),
    }
}
