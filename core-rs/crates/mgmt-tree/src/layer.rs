//! The claims of one source.

use std::fmt;
use std::sync::Arc;

use crate::arena::Arena;
use crate::error::TreeError;
use crate::path::TreePath;
use crate::source::{Content, Source, Stance};

/// One claim, as a layer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The node the claim is about.
    pub path: TreePath,
    /// What it says.
    pub stance: Stance,
    /// When it was made, in Unix milliseconds.
    pub at_ms: i64,
}

/// The claims of one source, at most one a node.
///
/// The latest statement of a source about a place wins within its layer: a value put below an own
/// leaf or tombstone turns that into an interior node, a leaf or tombstone forgets what the layer
/// claimed below it. So a layer never contradicts itself.
///
/// Cloning is cheap: clones share the claims until one of them changes.
#[derive(Clone)]
pub struct Layer {
    source: Source,
    arena: Arc<Arena>,
}

impl Layer {
    /// A layer without claims.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            arena: Arc::new(Arena::new()),
        }
    }

    /// Whose claims these are.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Claim that the node exists and is this. Missing parents are claimed as interior nodes at
    /// the same time; interior parents stay as they are.
    ///
    /// # Errors
    /// [`TreeError::RootFixed`] for a leaf at the root, [`TreeError::LeafFormat`],
    /// [`TreeError::TreeFull`]. The root is claimed by nobody: an interior claim on it is
    /// accepted and changes nothing.
    pub fn put(&mut self, path: &TreePath, content: Content, at_ms: i64) -> Result<(), TreeError> {
        match (&content, path.is_root()) {
            (Content::Interior { .. }, true) => return Ok(()),
            (Content::Leaf { .. }, true) => return Err(TreeError::RootFixed),
            (Content::Leaf { format, .. }, _) if &**format == Content::INTERIOR_FORMAT => {
                return Err(TreeError::LeafFormat);
            }
            _ => (),
        }
        Arc::make_mut(&mut self.arena).put(path, content, at_ms)
    }

    /// Forget the claims at and below the node. Says whether there were any.
    pub fn remove(&mut self, path: &TreePath) -> bool {
        let Some(slot) = self.arena.find(path) else {
            return false;
        };
        if self.arena.claims_below(slot) == 0 {
            return false;
        }
        Arc::make_mut(&mut self.arena).forget(slot);
        true
    }

    /// Claim that the node shall not exist. Own claims below it are forgotten.
    ///
    /// # Errors
    /// [`TreeError::RootFixed`], [`TreeError::TreeFull`].
    pub fn bury(&mut self, path: &TreePath, at_ms: i64) -> Result<(), TreeError> {
        if path.is_root() {
            return Err(TreeError::RootFixed);
        }
        Arc::make_mut(&mut self.arena).bury(path, at_ms)
    }

    /// The claim on exactly this node.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<Entry> {
        let slot = self.arena.find(path)?;
        self.arena.entry(slot, path.clone())
    }

    /// All claims: parents before children, siblings by name.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.arena.entries()
    }

    /// How many claims there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether there are no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
            && (Arc::ptr_eq(&self.arena, &other.arena)
                || (self.len() == other.len() && self.entries() == other.entries()))
    }
}

impl Eq for Layer {}

impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.source, self.entries())
    }
}
