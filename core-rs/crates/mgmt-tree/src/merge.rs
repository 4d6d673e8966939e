//! Laying layers over one another.

use crate::acls::Acls;
use crate::cell::Cell;
use crate::cursor::Side;
use crate::error::{TreeError, index};
use crate::lay::Lay;
use crate::layer::Layer;
use crate::pages::Range;
use crate::resolve::Claimant;
use crate::run::Run;
use crate::snapshot::{AclNumber, NO_ACL, Place, Places, Snapshot};
use crate::source::Strength;
use crate::strata::Strata;

/// Merge any number of layers, given in any order.
///
/// # Errors
/// [`TreeError::LayerTwice`] when two layers have the same source, [`TreeError::TreeFull`].
pub fn merge(layers: &[Layer]) -> Result<Snapshot, TreeError> {
    merge_all(1, layers, &Acls::default())
}

/// Merge layers and ACLs from the beginning, on at most so many threads.
pub(crate) fn merge_all(
    threads: usize,
    layers: &[Layer],
    acls: &Acls,
) -> Result<Snapshot, TreeError> {
    let strata = Strata::new(layers, acls, None)?;
    let (places, root, count) = Merge::new(&strata, Places::default()).run(threads)?;
    Ok(Snapshot {
        strata,
        places,
        root,
        count,
    })
}

/// Places, where the children of the root stand, and how many nodes there are below it.
pub(crate) type Merged = (Places, Range, usize);

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
    /// For each directory to be laid: its cells in each layer that has some.
    pub sides: Vec<Side<'a>>,
    pub claimants: Vec<Claimant<'a>>,
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
            sides: Vec::new(),
            claimants: Vec::new(),
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
        self.lay_all()?;
        Ok(self.finish())
    }

    /// Make all directories that wait to be made from nothing, and those below them.
    pub fn lay_all(&mut self) -> Result<(), TreeError> {
        while !self.lays.is_empty() {
            self.lay_next()?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Merged {
        self.places.seal();
        (self.places, self.root, self.count)
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
