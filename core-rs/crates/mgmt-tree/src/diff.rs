//! What changed between two snapshots.

use crate::path::TreePath;
use crate::snapshot::{Node, Snapshot};

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

impl Snapshot {
    /// The changes that lead from this snapshot to a newer one: parents before children,
    /// siblings by name.
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        // The roots are equal by definition.
        compare_children(self, newer, (0, 0), &TreePath::root(), &mut changes);
        changes
    }
}

/// The depth of a path bounds the recursion.
fn compare_children(
    old: &Snapshot,
    new: &Snapshot,
    parents: (u32, u32),
    path: &TreePath,
    changes: &mut Vec<Change>,
) {
    let mut gone = old.places_below(parents.0).peekable();
    let mut come = new.places_below(parents.1).peekable();
    loop {
        let old_name = gone.peek().map(|&place| old.name(place));
        let new_name = come.peek().map(|&place| new.name(place));
        let (left, right, name) = match (old_name, new_name) {
            (None, None) => return,
            (Some(name), None) => (gone.next(), None, name),
            (None, Some(name)) => (None, come.next(), name),
            (Some(before), Some(after)) => match before.cmp(after) {
                std::cmp::Ordering::Less => (gone.next(), None, before),
                std::cmp::Ordering::Equal => (gone.next(), come.next(), before),
                std::cmp::Ordering::Greater => (None, come.next(), after),
            },
        };
        let path = path.join(name);
        match (left, right) {
            (Some(left), Some(right)) => {
                let before = old.node(left, path.clone());
                let after = new.node(right, path.clone());
                if before != after {
                    changes.push(Change {
                        path: path.clone(),
                        before: Some(before),
                        after: Some(after),
                    });
                }
                compare_children(old, new, (left, right), &path, changes);
            }
            (Some(left), None) => {
                let mut nodes = Vec::new();
                old.walk_from(left, path, &mut nodes);
                changes.extend(nodes.into_iter().map(|node| Change {
                    path: node.path.clone(),
                    before: Some(node),
                    after: None,
                }));
            }
            (None, Some(right)) => {
                let mut nodes = Vec::new();
                new.walk_from(right, path, &mut nodes);
                changes.extend(nodes.into_iter().map(|node| Change {
                    path: node.path.clone(),
                    before: None,
                    after: Some(node),
                }));
            }
            (None, None) => return,
        }
    }
}
