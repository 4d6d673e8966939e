//! Laying layers over one another: whole trees, and the parts of them that have changed.

use crate::acls::Acls;
use crate::cell::{Cell, Shape};
use crate::error::{TreeError, index};
use crate::layer::Layer;
use crate::pages::{Range, Run};
use crate::patch::{Pair, Patch};
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
        if strata.acls.extends(&before.strata.acls) {
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
    tasks: Vec<Task>,
    /// For each directory to be laid: its cells by tag.
    sides: Vec<(u16, Range)>,
    /// For each directory to be patched: its cells by tag, before and after.
    pub pairs: Vec<Pair>,
    cursors: Vec<Cursor<'a>>,
    claimants: Vec<Claimant<'a>>,
}

enum Task {
    Lay(Lay),
    Patch(Patch),
}

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
    pub blocker: Option<Strength>,
    pub acl: AclNumber,
}

/// One layer's cells in a directory.
struct Cursor<'a> {
    tag: u16,
    stratum: &'a Stratum,
    cells: Run<'a, Cell, 11>,
}

impl<'a> Merge<'a> {
    fn new(strata: &'a Strata, places: Places) -> Self {
        Self {
            strata,
            places,
            count: 0,
            root: Range::default(),
            tasks: Vec::new(),
            sides: Vec::new(),
            pairs: Vec::new(),
            cursors: Vec::new(),
            claimants: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Merged, TreeError> {
        let above = Above {
            blocker: None,
            acl: NO_ACL,
        };
        let roots = (0..self.strata.tags()).map(|tag| (tag, self.strata.root(tag)));
        let sides: Vec<_> = roots.collect();
        self.lay_later(None, above, self.strata.acls.root, sides.into_iter());
        self.work(None)
    }

    fn run_after(mut self, before: &'a Snapshot) -> Result<Merged, TreeError> {
        self.count = before.count;
        let roots = Patch::root(self.strata, before, &mut self.pairs);
        self.tasks.push(Task::Patch(roots));
        self.work(Some(before))
    }

    fn work(mut self, before: Option<&'a Snapshot>) -> Result<Merged, TreeError> {
        while let Some(task) = self.tasks.pop() {
            match (task, before) {
                (Task::Lay(lay), _) => self.lay(&lay)?,
                (Task::Patch(patch), Some(before)) => self.patch(&patch, before)?,
                (Task::Patch(_), None) => (),
            }
        }
        self.places.seal();
        Ok((self.places, self.root, self.count))
    }

    /// Make a directory from nothing: walk its layers side by side.
    fn lay(&mut self, lay: &Lay) -> Result<(), TreeError> {
        let mut cursors = std::mem::take(&mut self.cursors);
        for (tag, cells) in self.sides.drain(lay.sides..) {
            if let Some(stratum) = self.strata.get(tag) {
                let cells = stratum.arena.children(cells);
                cursors.push(Cursor {
                    tag,
                    stratum,
                    cells,
                });
            }
        }
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
                _ => self.acl_of(&mut acls, &winner, lay.above.acl)?,
            };
            let above = Above {
                blocker: verdict.blocker,
                acl,
            };
            self.places.push(new_place(&winner, strength, acl))?;
            if winner.cell.shape() == Shape::Interior {
                let sides = claimants
                    .iter()
                    .map(|claimant| (claimant.own.tag, claimant.below()));
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
        sides: impl Iterator<Item = (u16, Range)>,
    ) {
        let from = self.sides.len();
        self.sides
            .extend(sides.filter(|(_, cells)| cells.count > 0));
        if self.sides.len() > from {
            self.tasks.push(Task::Lay(Lay {
                place,
                above,
                acls,
                sides: from,
            }));
        }
    }

    pub fn patch_later(&mut self, patch: Patch) {
        self.tasks.push(Task::Patch(patch));
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
            let name = || node.arena.name(node.cell);
            match cell.key.order(node.cell.key, || arena.name(cell), name) {
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
        key: winner.cell.key,
        at_ms: strength.at_ms,
        cell: winner.address,
        children: Range::default(),
        tag: strength.tag,
        acl,
    }
}

/// Take the claims on the next name from all layers that have one; false: there is none left.
#[inline]
fn take_next<'a>(cursors: &mut [Cursor<'a>], claimants: &mut Vec<Claimant<'a>>) -> bool {
    claimants.clear();
    let mut least: Option<(&'a Stratum, &'a Cell)> = None;
    let mut takers = 0_usize;
    // The cursors that stand at the least name are moved to the front.
    for number in 0..cursors.len() {
        let cursor = &cursors[number];
        let Some(cell) = cursor.cells.head() else {
            continue;
        };
        let order = match least {
            None => std::cmp::Ordering::Less,
            Some((stratum, other)) => cell.key.order(
                other.key,
                || cursor.stratum.arena.name(cell),
                || stratum.arena.name(other),
            ),
        };
        match order {
            std::cmp::Ordering::Less => {
                least = Some((cursor.stratum, cell));
                takers = 0;
            }
            std::cmp::Ordering::Equal => (),
            std::cmp::Ordering::Greater => continue,
        }
        cursors.swap(takers, number);
        takers += 1;
    }
    for cursor in &mut cursors[..takers] {
        let address = cursor.cells.address();
        if let Some(cell) = cursor.cells.next() {
            claimants.push(Claimant {
                arena: &cursor.stratum.arena,
                cell,
                address,
                own: cursor.stratum.strength(cursor.tag, cell.at_ms),
            });
        }
    }
    takers > 0
}

/// The verdict on one node from the cells that layers have for it.
pub(crate) fn judge<'a>(
    strata: &'a Strata,
    cells: impl Iterator<Item = (u16, Option<u32>)>,
    blocker: Option<Strength>,
    claimants: &mut Vec<Claimant<'a>>,
) -> Verdict<'a> {
    claimants.clear();
    claimants.extend(cells.filter_map(|(tag, address)| strata.claimant(tag, address?)));
    resolve(claimants, blocker)
}
