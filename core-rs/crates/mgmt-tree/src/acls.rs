//! Access control lists by node: what each is, and which is in force where.

use std::sync::Arc;

use crate::arena::Arena;
use crate::error::TreeError;
use crate::layer::Layer;
use crate::path::TreePath;
use crate::source::{Content, Source, SourceKind};

/// The ACL values of nodes, which the tree carries and does not read.
///
/// A merge tells for every node the value in force: its own, or that of the nearest node above it
/// that has one (OMA DM TND §7.7.1.1). A clone shares the values until one of the two changes.
#[derive(Clone)]
pub struct Acls {
    /// Values are the labels of interior claims; an empty one says: inherit.
    values: Layer,
}

impl Default for Acls {
    fn default() -> Self {
        Self {
            values: Layer::new(Source::new(SourceKind::Device, "acl")),
        }
    }
}

impl Acls {
    /// Give a node a value; an empty one: it inherits. The root's is not kept here.
    ///
    /// # Errors
    /// [`TreeError::RootFixed`], [`TreeError::TreeFull`].
    pub fn set(&mut self, path: &TreePath, value: &str) -> Result<(), TreeError> {
        if path.is_root() {
            return Err(TreeError::RootFixed);
        }
        self.values
            .put(path, Content::Interior { mime: value.into() }, 0)
    }

    /// Write down what has changed; see [`Layer::seal`].
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn seal(&mut self) -> Result<(), TreeError> {
        self.values.seal()
    }

    pub(crate) fn arena(&self) -> Result<Arc<Arena>, TreeError> {
        Ok(Arc::clone(self.values.sealed()?.arena()))
    }
}
