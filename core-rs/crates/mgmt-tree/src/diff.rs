//! What changed between two snapshots.

use std::cmp::Ordering;

use crate::cell::Name;
use crate::pages::Range;
use crate::path::TreePath;
use crate::run::Run;
use crate::snapshot::{Node, Place, Snapshot, Walk};

/// A node that came, went, or changed its content, source or time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The node.
    pub path: TreePath,
    /// As it was. None: it came.
    pub before: Option<Node>,
    /// As it is. None: it went.
    pub after: Option<Node>,
}

/// A directory that is being compared.
struct Open<'a> {
    path: TreePath,
    old: Run<'a, Place, 11>,
    new: Run<'a, Place, 11>,
}

impl Snapshot {
    /// The changes that lead from this snapshot to a newer one: parents before children,
    /// siblings by name. Where one was made from the other, what they share is not looked at.
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        // The roots are equal by definition.
        let mut open = vec![Open {
            path: TreePath::root(),
            old: self.run(self.root),
            new: newer.run(newer.root),
        }];
        if self.shares(newer, self.root, newer.root) {
            return changes;
        }
        while let Some(directory) = open.last_mut() {
            directory.skip_same(self, newer);
            let Some((old, new)) = directory.next_pair(self, newer) else {
                open.pop();
                continue;
            };
            match (old, new) {
                (Some(old), Some(new)) => {
                    let path = directory.path.join(&text(newer, new));
                    self.compare(newer, (old, new), &path, &mut changes);
                    if !self.shares(newer, old.children, new.children) {
                        open.push(Open {
                            path,
                            old: self.run(old.children),
                            new: newer.run(new.children),
                        });
                    }
                }
                (Some(old), None) => {
                    let path = directory.path.join(&text(self, old));
                    let nodes = whole(self, old, path);
                    changes.extend(nodes.map(|node| Change {
                        path: node.path.clone(),
                        before: Some(node),
                        after: None,
                    }));
                }
                (None, Some(new)) => {
                    let path = directory.path.join(&text(newer, new));
                    let nodes = whole(newer, new, path);
                    changes.extend(nodes.map(|node| Change {
                        path: node.path.clone(),
                        before: None,
                        after: Some(node),
                    }));
                }
                (None, None) => (),
            }
        }
        changes
    }

    /// Whether two directories are the same one.
    fn shares(&self, newer: &Self, old: Range, new: Range) -> bool {
        old == new && newer.places.shares(&self.places, old)
    }

    /// Whether two nodes and all below them are the same, as far as that can be seen at once.
    fn is_same(&self, newer: &Self, old: &Place, new: &Place) -> bool {
        old == new
            && self.shares(newer, old.children, new.children)
            && self.has_same_cell(newer, old)
    }

    /// Whether the winning cell of a place is the same one in both.
    fn has_same_cell(&self, newer: &Self, place: &Place) -> bool {
        let cell = Range {
            first: place.cell,
            count: 1,
        };
        match (self.strata.get(place.tag()), newer.strata.get(place.tag())) {
            (Some(old), Some(new)) => new.arena.cells.shares(&old.arena.cells, cell),
            _ => false,
        }
    }

    fn compare(
        &self,
        newer: &Self,
        (old, new): (&Place, &Place),
        path: &TreePath,
        changes: &mut Vec<Change>,
    ) {
        if old.has_winner_of(new) && self.has_same_cell(newer, new) {
            return;
        }
        let before = self.node(old, path.clone());
        let after = newer.node(new, path.clone());
        if before != after {
            changes.push(Change {
                path: path.clone(),
                before,
                after,
            });
        }
    }
}

impl<'a> Open<'a> {
    /// Pass by what is the same, for which nobody has to look at names.
    fn skip_same(&mut self, old: &Snapshot, new: &Snapshot) {
        while let (Some(left), Some(right)) = (self.old.head(), self.new.head())
            && old.is_same(new, left, right)
        {
            self.old.next();
            self.new.next();
        }
    }

    /// The places of the next name, in the old snapshot and in the new.
    fn next_pair(
        &mut self,
        old: &'a Snapshot,
        new: &'a Snapshot,
    ) -> Option<(Option<&'a Place>, Option<&'a Place>)> {
        let order = match (self.old.head(), self.new.head()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => old.order(left, Name::of(new.name(right))),
        };
        Some(match order {
            Ordering::Less => (self.old.next(), None),
            Ordering::Equal => (self.old.next(), self.new.next()),
            Ordering::Greater => (None, self.new.next()),
        })
    }
}

fn text(snapshot: &Snapshot, place: &Place) -> String {
    String::from_utf8_lossy(snapshot.name(place)).into_owned()
}

/// A node that only one snapshot has, and all below it.
fn whole(snapshot: &Snapshot, place: &Place, path: TreePath) -> impl Iterator<Item = Node> {
    let first = snapshot.node(place, path.clone());
    let mut below = Walk::below(path, place.children);
    first
        .into_iter()
        .chain(std::iter::from_fn(move || below.next_of(snapshot)))
}
