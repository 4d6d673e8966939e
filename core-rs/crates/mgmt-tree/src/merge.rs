//! Laying layers over one another: whole trees, and the parts of them that have changed.

use crate::acls::Acls;
use crate::cell::{Cell, Shape};
use crate::cursor::{Claims, Cursor};
use crate::error::{TreeError, index};
use crate::layer::Layer;
use crate::pages::{Range, Run};
use crate::patch::{Pair, Patch, Spare};
use crate::resolve::{Claimant, Verdict, agreed, resolve};
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
    /// Whether the layers come in the order of their strength, whatever they claim.
    are_ranked: bool,
    lays: Vec<Lay>,
    pub patches: Vec<Patch>,
    /// For each directory to be laid: its cells in each layer that has some.
    sides: Vec<Side<'a>>,
    /// For each directory to be patched: its cells by tag, before and after.
    pub pairs: Vec<Pair>,
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

impl<'a> Merge<'a> {
    fn new(strata: &'a Strata, places: Places) -> Self {
        Self {
            strata,
            places,
            count: 0,
            root: Range::default(),
            are_ranked: strata.are_ranked(),
            lays: Vec::new(),
            patches: Vec::new(),
            sides: Vec::new(),
            pairs: Vec::new(),
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
        // Few layers are walked with nothing but registers.
        match self.sides[lay.sides..] {
            [one] => self.walk(lay, [one].map(Cursor::new)),
            [one, two] => self.walk(lay, [one, two].map(Cursor::new)),
            [one, two, three] => self.walk(lay, [one, two, three].map(Cursor::new)),
            ref many => {
                let cursors: Vec<_> = many.iter().copied().map(Cursor::new).collect();
                self.walk(lay, cursors)
            }
        }
    }

    fn walk(&mut self, lay: &Lay, mut cursors: impl AsMut<[Cursor<'a>]>) -> Result<(), TreeError> {
        self.sides.truncate(lay.sides);
        let cursors = cursors.as_mut();
        let mut acls = self.strata.acls.children(lay.acls);
        let most = cursors.iter().map(Cursor::len).sum();
        let first = self.places.begin_run(most)?;
        let mut count = 0;
        let mut claimants = std::mem::take(&mut self.claimants);
        let is_open = lay.above.blocker == Strength::NONE;
        while let Some(claims) = Claims::next(cursors) {
            let last = claims.last();
            let verdict = if is_open && (claims.is_lone() || self.agree(&claims, &last)) {
                agreed(&last)
            } else {
                claimants.clear();
                claimants.extend(claims.iter());
                resolve(&claimants, lay.above.blocker)
            };
            if let Some((winner, strength)) = verdict.winner {
                let (acl, acls_below) = self.acl_of(&mut acls, winner, lay.above.acl)?;
                self.places.push(new_place(winner, strength, acl))?;
                if winner.cell.shape() == Shape::Interior {
                    let above = Above {
                        blocker: verdict.blocker,
                        acl,
                    };
                    let sides = claims
                        .iter()
                        .map(|claimant| (claimant.stratum, claimant.below()));
                    self.lay_later(Some(first + count), above, acls_below, sides);
                }
                count += 1;
            }
            for cursor in &mut *cursors {
                cursor.advance();
            }
        }
        self.claimants = claimants;
        self.count += count as usize;
        self.settle(lay.place, Range { first, count });
        Ok(())
    }

    /// Whether all claims are of one shape and the last is the strongest of them.
    #[inline]
    fn agree(&self, claims: &Claims<'_, 'a>, last: &Claimant<'a>) -> bool {
        let shape = last.cell.shape();
        self.are_ranked && claims.iter().all(|claimant| claimant.cell.shape() == shape)
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
                self.sides.push((stratum, cells));
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
        if acls.head().is_none() {
            return Ok((inherited, Range::default()));
        }
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

#[inline]
pub(crate) fn new_place(winner: &Claimant<'_>, strength: Strength, acl: AclNumber) -> Place {
    Place::new(strength.tag(), winner.address, strength != winner.own, acl)
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
