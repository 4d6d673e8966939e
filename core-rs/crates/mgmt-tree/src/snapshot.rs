//! The merged tree: immutable, shared by as many readers as like.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::cell::{Name, Shape};
use crate::pages::{Pages, Range};
use crate::path::TreePath;
use crate::run::Run;
use crate::source::{Content, Source, SourceKind, Stance};
use crate::strata::{Strata, Stratum};

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

/// The tree as it results from a set of layers. Values stay in the layers they came from; what a
/// merge found as it was it shares with the snapshot before.
pub struct Snapshot {
    pub(crate) strata: Strata,
    pub(crate) places: Places,
    pub(crate) root: Range,
    pub(crate) count: usize,
}

/// Places of siblings stand side by side, in the order of their names.
pub(crate) type Places = Pages<Place, 11>;

/// A node: its children, the claim that won, the ACL in force. Name, time and content are the
/// winning cell's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub children: Range,
    /// The winning cell, in the arena of the layer.
    pub cell: u32,
    /// The tag of that layer, and whether the node is revived.
    winner: u16,
    pub acl: AclNumber,
}

impl Place {
    const REVIVED: u16 = 1 << 15;

    /// A node without children. It is revived if claims below it have brought it back.
    #[inline]
    pub fn new(tag: u16, cell: u32, is_revived: bool, acl: AclNumber) -> Self {
        Self {
            children: Range::default(),
            cell,
            winner: if is_revived { tag | Self::REVIVED } else { tag },
            acl,
        }
    }

    #[inline]
    pub fn tag(&self) -> u16 {
        self.winner & !Self::REVIVED
    }

    pub fn is_revived(&self) -> bool {
        self.winner & Self::REVIVED != 0
    }

    /// Whether the same cell wins, in the same way.
    pub fn has_winner_of(&self, other: &Self) -> bool {
        (self.winner, self.cell) == (other.winner, other.cell)
    }
}

/// The number of an ACL among the labels of the ACL arena.
pub(crate) type AclNumber = u16;
/// No node at or above has an ACL of its own.
pub(crate) const NO_ACL: AclNumber = AclNumber::MAX;

impl Snapshot {
    /// How many nodes there are, the root among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count + 1
    }

    /// Whether there is nothing but the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the nodes take beside the layers, those shared with other snapshots among
    /// them.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.places.held() * size_of::<Place>()
    }

    /// The node at a path.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<Node> {
        if path.is_root() {
            return Some(root());
        }
        self.node(self.find(path)?, path.clone())
    }

    /// The ACL in force at a node, if the node is there and it or a node above has one.
    #[must_use]
    pub fn acl(&self, path: &TreePath) -> Option<Arc<str>> {
        let number = self.find(path)?.acl;
        let (_, value) = (number != NO_ACL).then(|| self.strata.acls.labels.get(number.into()))?;
        Some(Arc::clone(value))
    }

    /// The names of the children, in order. None if there is no such node; a leaf has none.
    #[must_use]
    pub fn children(&self, path: &TreePath) -> Option<Vec<String>> {
        let siblings = self.range_below(path)?;
        let name = |place| String::from_utf8_lossy(self.name(place)).into_owned();
        Some(self.places.run(siblings).map(name).collect())
    }

    /// The node and everything below it: parents first, siblings by name. Empty if there is none.
    #[must_use]
    pub fn walk(&self, path: &TreePath) -> Vec<Node> {
        let mut walk = Walk::new(self, path);
        std::iter::from_fn(|| walk.next_of(self)).collect()
    }

    pub(crate) fn node(&self, place: &Place, path: TreePath) -> Option<Node> {
        let stratum = self.strata.get(place.tag())?;
        let cell = stratum.arena.cells.get(place.cell);
        // A merge lets only present claims win.
        let Some(Stance::Present(content)) = stratum.arena.stance(cell) else {
            return None;
        };
        // What has brought a node back is the latest that its layer claims below it.
        let revived = || stratum.arena.latest_presence(cell);
        let revived_ms = place.is_revived().then(revived).flatten();
        Some(Node {
            path,
            content,
            source: stratum.source.clone(),
            at_ms: revived_ms.unwrap_or(cell.at_ms),
        })
    }

    pub(crate) fn is_interior(&self, place: &Place) -> bool {
        let cell = |stratum: &Stratum| stratum.arena.cells.get(place.cell).shape();
        place.children.count > 0 || self.strata.get(place.tag()).map(cell) == Some(Shape::Interior)
    }

    pub(crate) fn name(&self, place: &Place) -> &[u8] {
        let Some(stratum) = self.strata.get(place.tag()) else {
            return &[];
        };
        stratum.arena.name(stratum.arena.cells.get(place.cell))
    }

    /// The order of a node's name and another one.
    #[inline]
    pub(crate) fn order(&self, place: &Place, name: Name<'_>) -> Ordering {
        let Some(stratum) = self.strata.get(place.tag()) else {
            return Ordering::Less;
        };
        let cell = stratum.arena.cells.get(place.cell);
        stratum.arena.order(cell, name)
    }

    /// How many nodes there are at and below some siblings.
    pub(crate) fn count_below(&self, siblings: Range) -> usize {
        let mut count = 0;
        let mut open = Vec::new();
        let mut next = Some(siblings);
        while let Some(siblings) = next {
            count += siblings.count as usize;
            let children = self.run(siblings).map(|place| place.children);
            open.extend(children.filter(|range| range.count > 0));
            next = open.pop();
        }
        count
    }

    /// Whether there are no more than some nodes at and below some siblings.
    pub(crate) fn are_few_below(&self, siblings: Range, few: usize) -> bool {
        let mut count = siblings.count as usize;
        let mut open = vec![siblings];
        while let Some(siblings) = open.pop().filter(|_| count <= few) {
            let children = self.run(siblings).map(|place| place.children);
            for range in children.filter(|range| range.count > 0) {
                count += range.count as usize;
                open.push(range);
            }
        }
        count <= few
    }

    pub(crate) fn run(&self, siblings: Range) -> Run<'_, Place, 11> {
        self.places.run(siblings)
    }

    /// Where the children of a node stand.
    pub(crate) fn range_below(&self, path: &TreePath) -> Option<Range> {
        match path.is_root() {
            true => Some(self.root),
            false => Some(self.find(path)?.children),
        }
    }

    /// The place of a node other than the root.
    fn find(&self, path: &TreePath) -> Option<&Place> {
        let mut siblings = self.root;
        let mut found = None;
        for name in path.segments() {
            let place = self.find_in(siblings, name.as_bytes())?;
            siblings = place.children;
            found = Some(place);
        }
        found
    }

    fn find_in(&self, siblings: Range, name: &[u8]) -> Option<&Place> {
        let address = self.address_in(siblings, Name::of(name))?;
        Some(self.places.get(address))
    }

    /// Where the place of a name stands among siblings.
    pub(crate) fn address_in(&self, siblings: Range, name: Name<'_>) -> Option<u32> {
        let (mut from, mut to) = (siblings.first, siblings.first + siblings.count);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.order(self.places.get(middle), name) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => to = middle,
            }
        }
        None
    }
}

/// A walk over a part of a snapshot that can be left and taken up again.
pub struct Walk {
    first: Option<Node>,
    /// The siblings still to come in each directory that is open, and the path of their parent.
    open: Vec<(TreePath, Range)>,
}

impl Walk {
    /// Begin at a node; there is nothing to see where there is none.
    #[must_use]
    pub fn new(snapshot: &Snapshot, path: &TreePath) -> Self {
        let below = snapshot.range_below(path);
        Self {
            first: snapshot.get(path),
            open: below
                .map(|range| (path.clone(), range))
                .into_iter()
                .collect(),
        }
    }

    /// Everything at and below some siblings, whose parent is at `path`.
    pub(crate) fn below(path: TreePath, siblings: Range) -> Self {
        Self {
            first: None,
            open: vec![(path, siblings)],
        }
    }

    /// The next node of the snapshot this walk began with: parents first, siblings by name.
    pub fn next_of(&mut self, snapshot: &Snapshot) -> Option<Node> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while let Some((parent, siblings)) = self.open.last_mut() {
            if siblings.count == 0 {
                self.open.pop();
                continue;
            }
            let place = snapshot.places.get(siblings.first);
            siblings.first += 1;
            siblings.count -= 1;
            let path = parent.join(&String::from_utf8_lossy(snapshot.name(place)));
            if place.children.count > 0 {
                self.open.push((path.clone(), place.children));
            }
            return snapshot.node(place, path);
        }
        None
    }
}

/// The root is permanent and the device's: no claim moves it.
pub(crate) fn root() -> Node {
    Node {
        path: TreePath::root(),
        content: Content::Interior { mime: "".into() },
        source: Source::new(SourceKind::Device, ""),
        at_ms: 0,
    }
}
