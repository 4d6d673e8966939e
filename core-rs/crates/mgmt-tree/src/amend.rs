//! What changed between two versions of a layer, and what it claims of one part of the tree.

use crate::arena::Arena;
use crate::cell::{Cell, Key};
use crate::error::TreeError;
use crate::layer::{Entry, Layer};
use crate::path::TreePath;
use crate::versions::{Both, Versions};

/// A claim that came, went, or became another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// The node that it is about.
    pub path: TreePath,
    /// As it was. None: it came.
    pub before: Option<Entry>,
    /// As it is. None: it went.
    pub after: Option<Entry>,
}

impl Layer {
    /// The claims at and below a node: parents before children, siblings by name.
    #[must_use]
    pub fn entries_at(&self, path: &TreePath) -> Vec<Entry> {
        let mut entries = Vec::new();
        if path.is_root() {
            entries = self.entries();
        } else if let Some((cell, below)) = self.find(path) {
            match below {
                Some(open) => {
                    entries.extend(self.arena().entry(&cell, path.clone()));
                    open.entries(self.arena(), path, &mut entries);
                }
                None => self.arena().entries_of(&cell, path.clone(), &mut entries),
            }
        }
        entries
    }

    /// What leads from this version to a newer one: parents before children, siblings by name.
    /// Where one was made from the other, what they share is not looked at.
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn amendments(&self, newer: &Self) -> Result<Vec<Amendment>, TreeError> {
        let (old, new) = (self.sealed()?, newer.sealed()?);
        let versions = Versions {
            old: old.arena(),
            new: new.arena(),
            is_successor: new.arena().extends(old.arena()),
        };
        let roots = Both {
            before: versions.old.root,
            after: versions.new.root,
        };
        let mut amendments = Vec::new();
        compare(versions, &TreePath::root(), roots, &mut amendments);
        Ok(amendments)
    }
}

/// Two directories. The depth of a path bounds the recursion.
fn compare(versions: Versions<'_>, parent: &TreePath, siblings: Both, found: &mut Vec<Amendment>) {
    let mut changes = versions.changes(siblings);
    loop {
        let name = changes.name();
        if name.key == Key::END {
            return;
        }
        let cells = changes.take(name);
        let path = parent.join(&String::from_utf8_lossy(name.text));
        let claim = |arena: &Arena, cell: Option<&Cell>| arena.entry(cell?, path.clone());
        let (before, after) = (
            claim(versions.old, cells.before),
            claim(versions.new, cells.after),
        );
        if before != after {
            found.push(Amendment {
                path: path.clone(),
                before,
                after,
            });
        }
        compare(versions, &path, versions.below(&cells), found);
    }
}
