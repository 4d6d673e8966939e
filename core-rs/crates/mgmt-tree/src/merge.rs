//! Laying layers over one another: whole trees, and the parts of them that have changed.

use crate::acls::Acls;
use crate::cell::{Cell, Key, Shape};
use crate::error::{TreeError, index};
use crate::layer::Layer;
use crate::pages::{Range, Run};
use crate::patch::{Pair, Patch, Spare};
use crate::resolve::{Claimant, Verdict, resolve};
use crate::snapshot::{AclNumber, NO_ACL, Place, Places, Snapshot};
use crate::source::Strength;
use crate::strata::{Strata, Stratum};

/// Below so much garbage the places of a snapshot are not worth writing anew.
const DEAD_PLACES: usize = 1 << 16;
const SPARE_PAGES: usize = 512;

/// Merge any number of layers, given in any order.
///
/// # Errors
/// [`TreeError::LayerTwice`] when two layers have the same source, [`TreeError::TreeFull`].
pub fn merge(layers: &[Layer]) -> Result<Snapshot, TreeError> {
    merge_after(None, layers, &Acls::default())
}

/// Merge layers and ACLs, going on from an earlier snapshot if there is one.
///
/// The result is that of a merge from the beginning. For layers that come from those of the
/// snapshot (see [`Layer::seal`]) the work is that of what has changed: the siblings of each node
/// that has changed, and of those above it.
///
/// # Errors
/// [`TreeError::LayerTwice`] when two layers have the same source, [`TreeError::TreeFull`].
pub fn merge_after(
    before: Option<&Snapshot>,
    layers: &[Layer],
    acls: &Acls,
) -> Result<Snapshot, TreeError> {
    if let Some(before) = before.filter(|before| !is_mostly_garbage(before)) {
        let strata = Strata::new(layers, acls, Some(&before.strata))?;
        if strata.acls.extends(&before.strata.acls) && !strata.is_mostly_other(&before.strata) {
            let merge = Merge::new(&strata, before.places.clone());
            let (places, root, count) = merge.run_after(before)?;
            return Ok(Snapshot {
                strata,
                places,
                root,
                count,
            });
        }
    }
    let strata = Strata::new(layers, acls, None)?;
    let (places, root, count) = Merge::new(&strata, Places::default()).run()?;
    Ok(Snapshot {
        strata,
        places,
        root,
        count,
    })
}

fn is_mostly_garbage(snapshot: &Snapshot) -> bool {
    let held = snapshot.places.held();
    held > DEAD_PLACES + snapshot.count * 2
        || snapshot.places.page_count() > SPARE_PAGES + (held >> 9)
        || snapshot.strata.tags() as usize > SPARE_PAGES
}

/// Places, where the children of the root stand, and how many nodes there are below it.
type Merged = (Places, Range, usize);

/// A merge at work. Directories that are still to be made wait on a stack; what belongs to one
/// stands on stacks beside it, so that nothing is allocated for it.
pub(crate) struct Merge<'a> {
    pub strata: &'a Strata,
    pub places: Places,
    pub count: usize,
    root: Range,
    lays: Vec<Lay>,
    pub patches: Vec<Patch>,
    /// For each directory to be laid: its cells in each layer that has some.
    sides: Vec<Cursor<'a>>,
    /// For each directory to be patched: its cells by tag, before and after.
    pub pairs: Vec<Pair>,
    cursors: Vec<Cursor<'a>>,
    claimants: Vec<Claimant<'a>>,
    pub spare: Spare<'a>,
}

/// A layer's cells in a directory.
type Side<'a> = (&'a Stratum, Range);

/// A directory to be made from nothing.
struct Lay {
    /// The place of its node. None: the root.
    place: Option<u32>,
    above: Above,
    acls: Range,
    /// Where its cells begin on the stack.
    sides: usize,
}

/// What reaches a directory from above.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    /// The strongest claim at or above that rules out children.
    pub blocker: Strength,
    pub acl: AclNumber,
}

/// One layer's cells in a directory.
struct Cursor<'a> {
    stratum: &'a Stratum,
    cells: Run<'a, Cell, 11>,
    /// That of the cell that comes next.
    key: Key,
}

impl<'a> Merge<'a> {
    fn new(strata: &'a Strata, places: Places) -> Self {
        Self {
            strata,
            places,
            count: 0,
            root: Range::default(),
            lays: Vec::new(),
            patches: Vec::new(),
            sides: Vec::new(),
            pairs: Vec::new(),
            cursors: Vec::new(),
            claimants: Vec::new(),
            spare: Spare::default(),
        }
    }

    fn run(mut self) -> Result<Merged, TreeError> {
        let above = Above {
            blocker: Strength::NONE,
            acl: NO_ACL,
        };
        let roots = self.strata.layers().map(|layer| (layer, layer.arena.root));
        self.lay_later(None, above, self.strata.acls.root, roots);
        self.work(None)
    }

    fn run_after(mut self, before: &'a Snapshot) -> Result<Merged, TreeError> {
        self.count = before.count;
        let roots = Patch::root(self.strata, before, &mut self.pairs);
        self.patches.push(roots);
        self.work(Some(before))
    }

    fn work(mut self, before: Option<&'a Snapshot>) -> Result<Merged, TreeError> {
        loop {
            if let Some(lay) = self.lays.pop() {
                self.lay(&lay)?;
            } else if let (Some(patch), Some(before)) = (self.patches.pop(), before) {
                self.patch(&patch, before)?;
            } else {
                break;
            }
        }
        self.places.seal();
        Ok((self.places, self.root, self.count))
    }

    /// Make a directory from nothing: walk its layers side by side.
    fn lay(&mut self, lay: &Lay) -> Result<(), TreeError> {
        let mut cursors = std::mem::take(&mut self.cursors);
        cursors.extend(self.sides.drain(lay.sides..));
        let mut acls = self.strata.acls.children(lay.acls);
        let most = cursors.iter().map(|cursor| cursor.cells.len()).sum();
        let first = self.places.begin_run(most)?;
        let mut range = Range { first, count: 0 };
        let mut claimants = std::mem::take(&mut self.claimants);
        while take_next(&mut cursors, &mut claimants) {
            let verdict = resolve(&claimants, lay.above.blocker);
            let Some((winner, strength)) = verdict.winner else {
                continue;
            };
            let (acl, acls_below) = match acls.len() {
                0 => (lay.above.acl, Range::default()),
                _ => self.acl_of(&mut acls, winner, lay.above.acl)?,
            };
            let above = Above {
                blocker: verdict.blocker,
                acl,
            };
            self.places.push(new_place(winner, strength, acl))?;
            if winner.cell.shape() == Shape::Interior {
                let sides = claimants
                    .iter()
                    .map(|claimant| (claimant.stratum, claimant.below()));
                self.lay_later(Some(range.first + range.count), above, acls_below, sides);
            }
            range.count += 1;
        }
        self.count += range.count as usize;
        self.settle(lay.place, range);
        cursors.clear();
        self.cursors = cursors;
        self.claimants = claimants;
        Ok(())
    }

    /// Tell a node where its children stand.
    pub fn settle(&mut self, place: Option<u32>, children: Range) {
        let children = match children.count {
            0 => Range::default(),
            _ => children,
        };
        match place {
            None => self.root = children,
            Some(place) => {
                if let Some(place) = self.places.get_mut(place) {
                    place.children = children;
                }
            }
        }
    }

    /// Make the children of a node from nothing, if any layer has cells for them.
    pub fn lay_later(
        &mut self,
        place: Option<u32>,
        above: Above,
        acls: Range,
        sides: impl Iterator<Item = Side<'a>>,
    ) {
        let from = self.sides.len();
        for (stratum, cells) in sides {
            if cells.count > 0 {
                self.sides.push(Cursor::new(stratum, cells));
            }
        }
        if self.sides.len() > from {
            self.lays.push(Lay {
                place,
                above,
                acls,
                sides: from,
            });
        }
    }

    /// The ACL in force at a node and those below it; `acls` are at no later name.
    fn acl_of(
        &self,
        acls: &mut Run<'a, Cell, 11>,
        node: &Claimant<'a>,
        inherited: AclNumber,
    ) -> Result<(AclNumber, Range), TreeError> {
        let arena = &self.strata.acls;
        while let Some(cell) = acls.head() {
            let name = || node.arena().name(node.cell);
            match cell.key().order(node.cell.key(), || arena.name(cell), name) {
                std::cmp::Ordering::Less => acls.next(),
                std::cmp::Ordering::Equal => return self.acl_at(Some(cell), inherited),
                std::cmp::Ordering::Greater => break,
            };
        }
        self.acl_at(None, inherited)
    }

    /// What a cell of the ACL arena says: the value in force, and those below.
    pub fn acl_at(
        &self,
        cell: Option<&Cell>,
        inherited: AclNumber,
    ) -> Result<(AclNumber, Range), TreeError> {
        let Some(cell) = cell else {
            return Ok((inherited, Range::default()));
        };
        let (_, value) = self.strata.acls.labels.get(cell.label());
        let number = match value.is_empty() {
            true => inherited,
            false => index(cell.label() as usize, NO_ACL.into())? as AclNumber,
        };
        Ok((number, self.strata.acls.below_cell(cell)))
    }
}

pub(crate) fn new_place(winner: &Claimant<'_>, strength: Strength, acl: AclNumber) -> Place {
    Place {
        key: winner.cell.key(),
        at_ms: strength.at_ms(),
        cell: winner.address,
        children: Range::default(),
        tag: strength.tag(),
        acl,
    }
}

impl<'a> Cursor<'a> {
    fn new(stratum: &'a Stratum, cells: Range) -> Self {
        let cells = stratum.arena.children(cells);
        let key = cells.head().map_or(Key::END, Cell::key);
        Self {
            stratum,
            cells,
            key,
        }
    }

    fn claimant(&self) -> Option<Claimant<'a>> {
        let cell = self.cells.head()?;
        Some(self.stratum.claimant(cell, self.cells.address()))
    }

    fn take(&mut self) -> Option<Claimant<'a>> {
        let claimant = self.claimant();
        self.advance();
        claimant
    }

    fn advance(&mut self) {
        self.cells.next();
        self.key = self.cells.head().map_or(Key::END, Cell::key);
    }
}

/// Take the claims on the next name from all layers that have one; false: there is none left.
#[inline]
fn take_next<'a>(cursors: &mut [Cursor<'a>], claimants: &mut Vec<Claimant<'a>>) -> bool {
    claimants.clear();
    let (mut least, mut first, mut takers) = (Key::END, 0, 0_usize);
    for (number, cursor) in cursors.iter().enumerate() {
        let is_less = cursor.key < least;
        takers = if is_less { 0 } else { takers } + usize::from(cursor.key <= least);
        first = if is_less { number } else { first };
        least = least.min(cursor.key);
    }
    if least == Key::END {
        return false;
    }
    if takers == 1 {
        // Most names are one layer's.
        claimants.extend(cursors[first].take());
        return true;
    }
    let at_least = |cursor: &&Cursor<'a>| cursor.key == least;
    let heads = cursors.iter().filter(at_least).filter_map(Cursor::claimant);
    claimants.extend(heads);
    if !least.is_whole() {
        keep_least(claimants);
    }
    let mut taken = claimants.iter().map(|claimant| claimant.cell).peekable();
    for cursor in cursors {
        let head = cursor.cells.head();
        let is_head = |&cell: &&Cell| head.is_some_and(|head| std::ptr::eq(head, cell));
        if taken.next_if(is_head).is_some() {
            cursor.advance();
        }
    }
    true
}

/// Of claims with the same key keep those on the least name.
fn keep_least(claimants: &mut Vec<Claimant<'_>>) {
    let is_same = |pair: &[Claimant<'_>]| pair[0].cell.has_short_name_of(pair[1].cell);
    if claimants.windows(2).all(is_same) {
        return;
    }
    let name = |claimant: &Claimant<'_>| claimant.arena().name(claimant.cell).to_vec();
    if let Some(least) = claimants.iter().map(name).min() {
        claimants.retain(|claimant| claimant.arena().name(claimant.cell) == least);
    }
}

/// The verdict on one node from the cells that layers have for it.
pub(crate) fn judge<'c, 'a>(
    strata: &'a Strata,
    cells: impl Iterator<Item = (u16, Option<u32>)>,
    blocker: Strength,
    claimants: &'c mut Vec<Claimant<'a>>,
) -> Verdict<'c, 'a> {
    claimants.clear();
    claimants.extend(cells.filter_map(|(tag, address)| strata.claimant(tag, address?)));
    resolve(claimants, blocker)
}
