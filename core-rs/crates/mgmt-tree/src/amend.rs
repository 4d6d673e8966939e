//! What changed between two versions of a layer, and what it claims of one part of the tree.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::arena::Arena;
use crate::cell::Cell;
use crate::error::TreeError;
use crate::layer::{Entry, Layer};
use crate::pages::Range;
use crate::path::TreePath;

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
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn entries_at(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        if path.is_root() {
            return Ok(self.entries());
        }
        let layer = self.sealed()?;
        let arena = layer.arena();
        let mut entries = Vec::new();
        if let Some(cell) = arena.find(path) {
            entries.extend(arena.entry(&cell, path.clone()));
            arena.entries(arena.below_cell(&cell), path.clone(), &mut entries);
        }
        Ok(entries)
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
        let mut amendments = Vec::new();
        versions.compare(
            &TreePath::root(),
            (versions.old.root, versions.new.root),
            &mut amendments,
        );
        Ok(amendments)
    }
}

struct Versions<'a> {
    old: &'a Arena,
    new: &'a Arena,
    /// Whether addresses of the old one mean the same in the new one.
    is_successor: bool,
}

impl Versions<'_> {
    /// Two directories. A path is not deeper than `MAX_DEPTH`.
    fn compare(&self, parent: &TreePath, siblings: (Range, Range), found: &mut Vec<Amendment>) {
        if self.is_successor && siblings.0 == siblings.1 {
            return;
        }
        let mut old = self.old.children(siblings.0).peekable();
        let mut new = self.new.children(siblings.1).peekable();
        while let Some((before, after)) = self.next_pair(&mut old, &mut new) {
            if self.is_successor && before == after {
                continue;
            }
            let name = match (before, after) {
                (Some(cell), _) => self.old.name_text(cell),
                (None, Some(cell)) => self.new.name_text(cell),
                (None, None) => return,
            };
            let path = parent.join(&name);
            let claim = |arena: &Arena, cell: Option<&Cell>| arena.entry(cell?, path.clone());
            let (was, is) = (claim(self.old, before), claim(self.new, after));
            if was != is {
                found.push(Amendment {
                    path: path.clone(),
                    before: was,
                    after: is,
                });
            }
            let below = |arena: &Arena, cell: Option<&Cell>| {
                cell.map(|cell| arena.below_cell(cell)).unwrap_or_default()
            };
            self.compare(
                &path,
                (below(self.old, before), below(self.new, after)),
                found,
            );
        }
    }

    /// The cells of the next name.
    fn next_pair<'b>(
        &self,
        old: &mut Peekable<impl Iterator<Item = &'b Cell>>,
        new: &mut Peekable<impl Iterator<Item = &'b Cell>>,
    ) -> Option<(Option<&'b Cell>, Option<&'b Cell>)> {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => self.old.name(left).cmp(self.new.name(right)),
        };
        Some(match order {
            Ordering::Less => (old.next(), None),
            Ordering::Equal => (old.next(), new.next()),
            Ordering::Greater => (None, new.next()),
        })
    }
}
