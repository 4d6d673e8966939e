//! The merged tree: immutable, shared by as many readers as like.

use std::fmt;
use std::sync::Arc;

use crate::arena::ROOT;
use crate::merge::Strata;
use crate::path::TreePath;
use crate::source::{Content, Source, SourceKind, Stance};

/// One node of a snapshot, on its own: it keeps no snapshot alive.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Where it stands.
    pub path: TreePath,
    /// What it is.
    pub content: Content,
    /// Whose claim won.
    pub source: Source,
    /// When that claim was made, in Unix milliseconds.
    pub at_ms: i64,
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {:?} {}@{}",
            self.path, self.content, self.source, self.at_ms
        )
    }
}

/// The tree as it results from a set of layers. Nodes stand in one arena, the children of a node
/// side by side in the order of their names; values stay in the layers they came from.
pub struct Snapshot {
    strata: Strata,
    names: Vec<Arc<str>>,
    places: Vec<Place>,
}

/// A node in the arena: its name, its children, and the claim that won.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub name: u32,
    pub first_child: u32,
    pub child_count: u32,
    pub layer: u32,
    pub slot: u32,
    pub at_ms: i64,
}

impl Place {
    /// The root, which no layer claims.
    pub const ROOT: Self = Self {
        name: u32::MAX,
        first_child: 0,
        child_count: 0,
        layer: u32::MAX,
        slot: ROOT,
        at_ms: 0,
    };
}

impl Snapshot {
    pub(crate) fn new(strata: Strata, names: Vec<Arc<str>>, places: Vec<Place>) -> Self {
        Self {
            strata,
            names,
            places,
        }
    }

    /// How many nodes there are, the root among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is nothing but the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// The node at a path.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<Node> {
        Some(self.node(self.find(path)?, path.clone()))
    }

    /// The names of the children, in order. None if there is no such node; a leaf has none.
    #[must_use]
    pub fn children(&self, path: &TreePath) -> Option<Vec<Arc<str>>> {
        let names = self
            .places_below(self.find(path)?)
            .map(|place| Arc::clone(self.name(place)))
            .collect();
        Some(names)
    }

    /// The node and everything below it: parents first, siblings by name. Empty if there is none.
    #[must_use]
    pub fn walk(&self, path: &TreePath) -> Vec<Node> {
        let mut nodes = Vec::new();
        if let Some(place) = self.find(path) {
            self.walk_from(place, path.clone(), &mut nodes);
        }
        nodes
    }

    pub(crate) fn walk_from(&self, place: u32, path: TreePath, nodes: &mut Vec<Node>) {
        let mut open = vec![(place, path)];
        while let Some((place, path)) = open.pop() {
            for child in self.places_below(place).rev() {
                open.push((child, path.join(self.name(child))));
            }
            nodes.push(self.node(place, path));
        }
    }

    pub(crate) fn node(&self, place: u32, path: TreePath) -> Node {
        let place = &self.places[place as usize];
        let Some(layer) = self.strata.layers.get(place.layer as usize) else {
            return self.root();
        };
        Node {
            path,
            content: match layer.arena().stance(place.slot) {
                Some(Stance::Present(content)) => content,
                // A merge lets only present claims win.
                Some(Stance::Absent) | None => Content::Interior { mime: "".into() },
            },
            source: layer.source().clone(),
            at_ms: place.at_ms,
        }
    }

    /// The root is permanent and the device's: no claim moves it.
    pub(crate) fn root(&self) -> Node {
        Node {
            path: TreePath::root(),
            content: Content::Interior { mime: "".into() },
            source: Source::new(SourceKind::Device, ""),
            at_ms: 0,
        }
    }

    pub(crate) fn strata(&self) -> &Strata {
        &self.strata
    }

    pub(crate) fn name(&self, place: u32) -> &Arc<str> {
        &self.names[self.places[place as usize].name as usize]
    }

    pub(crate) fn places_below(&self, place: u32) -> std::ops::Range<u32> {
        let place = &self.places[place as usize];
        place.first_child..place.first_child + place.child_count
    }

    fn find(&self, path: &TreePath) -> Option<u32> {
        path.segments().try_fold(0, |place, segment| {
            let range = self.places_below(place);
            let children = &self.places[range.start as usize..range.end as usize];
            let offset = children
                .binary_search_by(|child| (*self.names[child.name as usize]).cmp(segment))
                .ok()?;
            // The children were counted in u32.
            Some(range.start + offset as u32)
        })
    }
}
