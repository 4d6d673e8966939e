//! What reaches a directory that is made from what it was: what each layer has for it, what rules
//! out claims there, the ACL in force.

use crate::error::TreeError;
use crate::merge::{Above, Merge};
use crate::resolve::{Claimant, resolve};
use crate::snapshot::NO_ACL;
use crate::source::Strength;
use crate::strata::{Strata, Stratum};
use crate::versions::{Both, Cells, Versions};

/// Reaches directories by the ways that lead to them.
pub(crate) struct Reach<'a> {
    pub acls: Versions<'a>,
    ways: Vec<Way>,
    /// What reaches the last directory gone to, and those above it from the root.
    levels: Vec<Level>,
    /// What the layers have for them, one directory after the other.
    sides: Vec<Side<'a>>,
    claimants: Vec<Claimant<'a>>,
}

/// How a directory is reached: from the one above it, by the name of a cell of a layer.
#[derive(Clone, Copy)]
struct Way {
    above: u32,
    depth: u32,
    cell: u32,
    tag: u16,
}

/// What reaches a directory.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub way: u32,
    pub above: Above,
    pub acls: Both,
    /// Where its sides begin on the stack.
    sides: usize,
}

/// What one layer has for a directory.
#[derive(Clone, Copy)]
pub(crate) struct Only {
    pub tag: u16,
    pub cells: Both,
}

/// What a layer has for a directory. For a layer that comes or goes both are that one.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub old: &'a Stratum,
    pub new: &'a Stratum,
    pub is_gone: bool,
    pub cells: Both,
}

impl<'a> Side<'a> {
    pub fn versions(&self) -> Versions<'a> {
        Versions {
            old: &self.old.arena,
            new: &self.new.arena,
            is_successor: true,
        }
    }

    pub fn claimant(&self, found: &Cells<'a>) -> Option<Claimant<'a>> {
        let cell = found.after?;
        Some(self.new.claimant(cell, found.address))
    }

    pub fn below(&self, found: &Cells<'_>) -> Self {
        Self {
            cells: self.versions().below(found),
            ..*self
        }
    }
}

impl<'a> Reach<'a> {
    /// The way to the root.
    pub const ROOT: u32 = 0;

    /// Stand at the root.
    pub fn new(before: &'a Strata, after: &'a Strata) -> Self {
        let sides = (0..after.tags()).filter_map(|tag| {
            let (old, new) = (before.get(tag), after.get(tag));
            Some(Side {
                old: old.or(new)?,
                new: new.or(old)?,
                is_gone: new.is_none(),
                cells: Both {
                    before: before.root(tag),
                    after: after.root(tag),
                },
            })
        });
        let root = Level {
            way: Self::ROOT,
            above: Above {
                blocker: Strength::NONE,
                acl: NO_ACL,
            },
            acls: Both {
                before: before.acls.root,
                after: after.acls.root,
            },
            sides: 0,
        };
        Self {
            acls: Versions {
                old: &before.acls,
                new: &after.acls,
                is_successor: true,
            },
            ways: vec![Way {
                above: Self::ROOT,
                depth: 0,
                cell: 0,
                tag: 0,
            }],
            levels: vec![root],
            sides: sides.collect(),
            claimants: Vec::new(),
        }
    }

    /// See [`changes`]; of the root, while nothing else has been gone to.
    pub fn root_changes(&self) -> Option<Option<Only>> {
        changes(self.sides.iter().copied(), self.levels[0].acls)
    }

    /// A way that goes on from another one, by a cell of the merge's version of a layer.
    pub fn way(&mut self, above: u32, tag: u16, cell: u32) -> u32 {
        let depth = self.ways[above as usize].depth + 1;
        self.ways.push(Way {
            above,
            depth,
            cell,
            tag,
        });
        // There are fewer directories than addresses.
        (self.ways.len() - 1) as u32
    }

    /// What the layers have for the last directory gone to.
    pub fn sides(&self) -> &[Side<'a>] {
        let from = self.levels.last().map_or(0, |level| level.sides);
        &self.sides[from..]
    }

    /// Go to the end of a way. The depth of a path bounds the recursion; mostly the directory
    /// above is where one has been.
    pub fn go(&mut self, merge: &Merge<'a>, way: u32) -> Result<Level, TreeError> {
        let Way {
            above,
            depth,
            cell,
            tag,
        } = self.ways[way as usize];
        let depth = depth as usize;
        if let Some(&level) = self.levels.get(depth).filter(|level| level.way == way) {
            if let Some(deeper) = self.levels.get(depth + 1) {
                self.sides.truncate(deeper.sides);
                self.levels.truncate(depth + 1);
            }
            return Ok(level);
        }
        let parent = self.go(merge, above)?;
        let Some(stratum) = merge.strata.get(tag) else {
            return Ok(parent);
        };
        let name = stratum.arena.whole_name(stratum.arena.cells.get(cell));
        let from = self.sides.len();
        self.claimants.clear();
        for number in parent.sides..from {
            let side = self.sides[number];
            let found = side.versions().find(side.cells, name);
            self.claimants.extend(side.claimant(&found));
            let below = side.below(&found);
            if !below.cells.are_empty() {
                self.sides.push(below);
            }
        }
        let acls = self.acls.find(parent.acls, name);
        let level = Level {
            way,
            above: Above {
                blocker: resolve(&self.claimants, parent.above.blocker).blocker,
                acl: merge.acl_at(acls.after, parent.above.acl)?.0,
            },
            acls: self.acls.below(&acls),
            sides: from,
        };
        self.levels.push(level);
        Ok(level)
    }
}

/// Whether something has changed in a directory, and if so, the only layer that has if that is all.
pub(crate) fn changes<'a>(
    sides: impl Iterator<Item = Side<'a>>,
    acls: Both,
) -> Option<Option<Only>> {
    let mut changed = sides.filter(|side| !side.cells.are_same());
    let first = changed.next();
    if first.is_none() && acls.are_same() {
        return None;
    }
    let only = first.filter(|_| acls.are_same() && changed.next().is_none());
    Some(only.map(|side| Only {
        tag: side.new.tag(),
        cells: side.cells,
    }))
}
