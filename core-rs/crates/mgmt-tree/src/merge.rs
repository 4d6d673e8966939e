//! Laying layers over one another: whole trees, and the parts of them that have changed.

use crate::acls::Acls;
use crate::cell::Cell;
use crate::cursor::Side;
use crate::error::{TreeError, index};
use crate::lay::Lay;
use crate::layer::Layer;
use crate::pages::{Range, Run};
use crate::patch::{Pair, Patch, Spare};
use crate::resolve::{Claimant, Verdict, resolve};
use crate::snapshot::{AclNumber, NO_ACL, Place, Places, Snapshot};
use crate::source::Strength;
use crate::strata::Strata;

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
    merge_on(1, before, layers, acls)
}

/// Merge layers and ACLs as [`merge_after`] does, on at most so many threads. The result is that
/// of one; others are at work only before this returns, and only on a large merge from the
/// beginning.
///
/// # Errors
/// [`TreeError::LayerTwice`] when two layers have the same source, [`TreeError::TreeFull`].
pub fn merge_on(
    threads: usize,
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
    let (places, root, count) = Merge::new(&strata, Places::default()).run(threads)?;
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
    /// The children of nodes whose places are in other hands.
    pub elsewhere: Vec<(u32, Range)>,
    /// Whether the layers come in the order of their strength, whatever they claim.
    pub are_ranked: bool,
    pub lays: Vec<Lay>,
    pub patches: Vec<Patch>,
    /// For each directory to be laid: its cells in each layer that has some.
    pub sides: Vec<Side<'a>>,
    /// For each directory to be patched: its cells by tag, before and after.
    pub pairs: Vec<Pair>,
    pub claimants: Vec<Claimant<'a>>,
    pub spare: Spare<'a>,
}

/// What reaches a directory from above.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    /// The strongest claim at or above that rules out children.
    pub blocker: Strength,
    pub acl: AclNumber,
}

impl<'a> Merge<'a> {
    pub fn new(strata: &'a Strata, places: Places) -> Self {
        Self {
            strata,
            places,
            count: 0,
            root: Range::default(),
            elsewhere: Vec::new(),
            are_ranked: strata.are_ranked(),
            lays: Vec::new(),
            patches: Vec::new(),
            sides: Vec::new(),
            pairs: Vec::new(),
            claimants: Vec::new(),
            spare: Spare::default(),
        }
    }

    fn run(mut self, threads: usize) -> Result<Merged, TreeError> {
        let above = Above {
            blocker: Strength::NONE,
            acl: NO_ACL,
        };
        let roots = self.strata.layers().map(|layer| (layer, layer.arena.root));
        self.lay_later(None, above, self.strata.acls.root, roots);
        self.share(threads)?;
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
            if !self.lays.is_empty() {
                self.lay_next()?;
            } else if let (Some(patch), Some(before)) = (self.patches.pop(), before) {
                self.patch(&patch, before)?;
            } else {
                break;
            }
        }
        self.places.seal();
        Ok((self.places, self.root, self.count))
    }

    /// Tell a node where its children stand.
    pub fn settle(&mut self, place: Option<u32>, children: Range) {
        let children = match children.count {
            0 => Range::default(),
            _ => children,
        };
        match place {
            None => self.root = children,
            Some(address) => match self.places.get_mut(address) {
                Some(place) => place.children = children,
                None => self.elsewhere.push((address, children)),
            },
        }
    }

    /// The ACL in force at a node and those below it; `acls` are at no later name.
    pub fn acl_of(
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
