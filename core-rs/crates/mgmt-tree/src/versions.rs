//! Two versions of an arena beside each other.

use crate::arena::Arena;
use crate::cell::{Cell, Name};
use crate::pages::Range;
use crate::run::Run;

/// Where the siblings of a directory stand in each version.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Both {
    pub before: Range,
    pub after: Range,
}

impl Both {
    pub fn are_same(self) -> bool {
        self.before == self.after
    }

    pub fn are_empty(self) -> bool {
        self.before.count == 0 && self.after.count == 0
    }
}

/// The cells of one name, in the version that was and in the one that is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cells<'a> {
    pub before: Option<&'a Cell>,
    pub after: Option<&'a Cell>,
    /// Of the one that is.
    pub address: u32,
}

/// A version of an arena, and one that may have been made from it.
#[derive(Clone, Copy)]
pub(crate) struct Versions<'a> {
    pub old: &'a Arena,
    pub new: &'a Arena,
    /// Whether addresses of the old one mean the same in the new one: then equal ranges are the
    /// same siblings, and equal cells claim the same, at and below them.
    pub is_successor: bool,
}

impl<'a> Versions<'a> {
    /// The cells of each name of which the two may claim something else, at it or below, in the
    /// order of names.
    #[inline]
    pub fn changes(self, siblings: Both) -> Changes<'a> {
        let siblings = match self.is_successor && siblings.are_same() {
            true => Both::default(),
            false => siblings,
        };
        let mut changes = Changes {
            versions: self,
            old: self.old.children(siblings.before),
            new: self.new.children(siblings.after),
        };
        changes.skip_same();
        changes
    }

    /// The cells of a name among siblings.
    pub fn find(self, siblings: Both, name: Name<'_>) -> Cells<'a> {
        let find = |arena: &'a Arena, siblings| {
            let address = arena.find_in(siblings, name)?;
            Some((arena.cells.get(address), address))
        };
        let after = find(self.new, siblings.after);
        let before = match self.is_successor && siblings.are_same() {
            true => after,
            false => find(self.old, siblings.before),
        };
        Cells {
            before: before.map(|(cell, _)| cell),
            after: after.map(|(cell, _)| cell),
            address: after.map_or(0, |(_, address)| address),
        }
    }

    /// Where the children of a name's cells stand.
    #[inline]
    pub fn below(self, cells: &Cells<'_>) -> Both {
        let below = |arena: &Arena, cell: Option<&Cell>| {
            cell.map(|cell| arena.below_cell(cell)).unwrap_or_default()
        };
        Both {
            before: below(self.old, cells.before),
            after: below(self.new, cells.after),
        }
    }
}

/// See [`Versions::changes`].
pub(crate) struct Changes<'a> {
    versions: Versions<'a>,
    /// What comes next in each version; one of them is a change.
    old: Run<'a, Cell, 11>,
    new: Run<'a, Cell, 11>,
}

impl<'a> Changes<'a> {
    /// The name of those that come next; [`Name::END`] if none do.
    #[inline]
    pub fn name(&self) -> Name<'a> {
        let name = |arena: &'a Arena, cell: Option<&'a Cell>| {
            cell.map_or(Name::END, |cell| arena.whole_name(cell))
        };
        let old = name(self.versions.old, self.old.head());
        old.min(name(self.versions.new, self.new.head()))
    }

    /// The cells that come next, which are of that name.
    #[inline]
    pub fn take(&mut self, name: Name<'_>) -> Cells<'a> {
        let Versions { old, new, .. } = self.versions;
        let cells = Cells {
            address: self.new.address(),
            before: self.old.next_if(|cell| old.order(cell, name).is_eq()),
            after: self.new.next_if(|cell| new.order(cell, name).is_eq()),
        };
        self.skip_same();
        cells
    }

    #[inline]
    fn skip_same(&mut self) {
        if self.versions.is_successor {
            self.old.skip_same(&mut self.new);
        }
    }
}

/// Siblings of a version and its successor, read in the order of names.
pub(crate) struct Siblings<'a> {
    changes: Changes<'a>,
    /// The name of the next that have changed.
    name: Name<'a>,
    /// What has not changed, among all.
    all: Run<'a, Cell, 11>,
}

impl<'a> Siblings<'a> {
    #[inline]
    pub fn new(versions: Versions<'a>, siblings: Both) -> Self {
        let changes = versions.changes(siblings);
        Self {
            name: changes.name(),
            changes,
            all: versions.new.children(siblings.after),
        }
    }

    /// The next name of which something else may be claimed, at it or below.
    #[inline]
    pub fn next_change(&self) -> Name<'a> {
        self.name
    }

    /// The cells of a name: the next that has changed, or one before it.
    #[inline]
    pub fn find(&mut self, name: Name<'_>) -> Cells<'a> {
        if self.name == name {
            let cells = self.changes.take(name);
            self.name = self.changes.name();
            return cells;
        }
        let arena = self.changes.versions.new;
        let cell = self.all.seek(|cell| arena.order(cell, name));
        Cells {
            before: cell,
            after: cell,
            address: self.all.address(),
        }
    }
}
