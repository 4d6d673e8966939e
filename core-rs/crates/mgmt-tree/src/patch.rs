//! Going on from an earlier merge: only directories in which something has changed are written.

use crate::acls::Acls;
use crate::cell::{Cell, Key, Name, Shape};
use crate::error::TreeError;
use crate::layer::Layer;
use crate::merge::{Above, Merge, Merged, merge_all, new_place};
use crate::pages::Range;
use crate::resolve::{Claimant, resolve};
use crate::run::Run;
use crate::snapshot::{NO_ACL, Place, Snapshot};
use crate::source::Strength;
use crate::strata::{Strata, Stratum};
use crate::versions::{Both, Cells, Siblings, Versions};

/// Below so much garbage the places of a snapshot are not worth writing anew.
const DEAD_PLACES: usize = 1 << 16;
const SPARE_PAGES: usize = 512;
/// So many leaves in a directory are made anew if one of them is.
const FEW: u32 = 16;

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
            let (places, root, count) = Patching::new(&strata, before).run()?;
            return Ok(Snapshot {
                strata,
                places,
                root,
                count,
            });
        }
    }
    merge_all(threads, layers, acls)
}

fn is_mostly_garbage(snapshot: &Snapshot) -> bool {
    let held = snapshot.places.held();
    held > DEAD_PLACES + snapshot.count * 2
        || snapshot.places.page_count() > SPARE_PAGES + (held >> 9)
        || snapshot.strata.tags() as usize > SPARE_PAGES
}

/// A merge that goes on from a snapshot. Directories that are still to be patched wait on a stack,
/// and what their layers have for them on another one.
struct Patching<'a> {
    merge: Merge<'a>,
    before: &'a Snapshot,
    acls: Versions<'a>,
    patches: Vec<Patch>,
    sides: Vec<Side<'a>>,
    spare: Spare<'a>,
}

/// A directory to be made from what it was. What reaches it from above is as it was.
struct Patch {
    /// The place of its node. None: the root.
    place: Option<u32>,
    above: Above,
    /// Its places before.
    kept: Range,
    acls: Both,
    /// Where its sides begin on the stack.
    sides: usize,
}

/// What a layer has for a directory. For a layer that comes or goes both are that one.
#[derive(Clone, Copy)]
struct Side<'a> {
    old: &'a Stratum,
    new: &'a Stratum,
    is_gone: bool,
    cells: Both,
}

/// What is needed for the directory and the node at work; kept, so that nothing is allocated.
#[derive(Default)]
struct Spare<'a> {
    layers: Vec<Reading<'a>>,
    claimants: Vec<Claimant<'a>>,
}

/// A layer that is read in a directory.
struct Reading<'a> {
    side: Side<'a>,
    siblings: Siblings<'a>,
    /// What it has for the name at work.
    found: Cells<'a>,
}

impl<'a> Side<'a> {
    fn versions(&self) -> Versions<'a> {
        Versions {
            old: &self.old.arena,
            new: &self.new.arena,
            is_successor: true,
        }
    }
}

impl<'a> Reading<'a> {
    fn new(side: Side<'a>) -> Self {
        Self {
            side,
            siblings: Siblings::new(side.versions(), side.cells),
            found: Cells::default(),
        }
    }

    fn claimant(&self) -> Option<Claimant<'a>> {
        let cell = self.found.after?;
        Some(self.side.new.claimant(cell, self.found.address))
    }

    /// The stronger of a claim and of what ruled out children here, by the ranks of this merge:
    /// sources that came or went have shifted the others', not their order. None: what ruled out
    /// has no rank any more, for its layer is gone.
    fn ruled_out(&self, other: Strength) -> Option<Strength> {
        let rules_out = |cell: &&Cell| matches!(cell.shape(), Shape::Absent | Shape::Leaf);
        let Some(cell) = self.found.before.filter(rules_out) else {
            return Some(other);
        };
        (!self.side.is_gone).then(|| other.max(self.side.new.claimant(cell, 0).own))
    }

    fn below(&self) -> Side<'a> {
        Side {
            cells: self.side.versions().below(&self.found),
            ..self.side
        }
    }
}

impl<'a> Patching<'a> {
    fn new(strata: &'a Strata, before: &'a Snapshot) -> Self {
        let mut merge = Merge::new(strata, before.places.clone());
        merge.count = before.count;
        let acls = Versions {
            old: &before.strata.acls,
            new: &strata.acls,
            is_successor: true,
        };
        Self {
            merge,
            before,
            acls,
            patches: Vec::new(),
            sides: Vec::new(),
            spare: Spare::default(),
        }
    }

    fn run(mut self) -> Result<Merged, TreeError> {
        self.begin();
        loop {
            self.merge.lay_all()?;
            match self.patches.pop() {
                Some(patch) => self.patch(&patch)?,
                None => return Ok(self.merge.finish()),
            }
        }
    }

    fn begin(&mut self) {
        let (before, after) = (&self.before.strata, self.merge.strata);
        for tag in 0..after.tags() {
            let (old, new) = (before.get(tag), after.get(tag));
            let root = |layer: Option<&Stratum>| layer.map(|layer| layer.arena.root);
            let cells = Both {
                before: root(old).unwrap_or_default(),
                after: root(new).unwrap_or_default(),
            };
            if let (Some(old), Some(new)) = (old.or(new), new.or(old)) {
                self.sides.push(Side {
                    old,
                    new,
                    is_gone: after.get(tag).is_none(),
                    cells,
                });
            }
        }
        self.patches.push(Patch {
            place: None,
            above: Above {
                blocker: Strength::NONE,
                acl: NO_ACL,
            },
            kept: self.before.root,
            acls: Both {
                before: before.acls.root,
                after: after.acls.root,
            },
            sides: 0,
        });
    }

    /// Copy a directory, and decide anew on the names that have changed.
    fn patch(&mut self, patch: &Patch) -> Result<(), TreeError> {
        let before = self.before;
        let sides = self.sides[patch.sides..].iter();
        let most: u32 = sides.map(|side| side.cells.after.count).sum();
        let layers = self.sides.drain(patch.sides..).map(Reading::new);
        self.spare.layers.clear();
        self.spare.layers.extend(layers);
        let mut acls = Siblings::new(self.acls, patch.acls);
        let mut kept = before.run(patch.kept);
        let first = self.merge.places.begin_run(most as usize + kept.len())?;
        let mut range = Range { first, count: 0 };
        loop {
            let layers = self.spare.layers.iter();
            let changed = layers.map(|layer| layer.siblings.next_change());
            let name = changed.fold(acls.next_change(), Name::least);
            if name.key == Key::END {
                break;
            }
            range.count += self.keep(&mut kept, |place| before.order(place, name).is_lt())?;
            let was = kept.next_if(|place| before.order(place, name).is_eq());
            self.find(name);
            let address = range.first + range.count;
            if self.decide(patch, acls.find(name), was, address)? {
                range.count += 1;
            }
        }
        range.count += self.keep(&mut kept, |_| true)?;
        self.merge.settle(patch.place, range);
        Ok(())
    }

    /// Copy the places that come next as long as they are of a kind; says how many.
    fn keep(
        &mut self,
        kept: &mut Run<'a, Place, 11>,
        is_of_kind: impl Fn(&Place) -> bool,
    ) -> Result<u32, TreeError> {
        let mut count = 0;
        loop {
            let part = kept.take_part(&is_of_kind);
            if part.is_empty() {
                return Ok(count);
            }
            self.merge.places.push_all(part)?;
            // A part is of one page.
            count += part.len() as u32;
        }
    }

    /// What all layers have for a name.
    fn find(&mut self, name: Name<'_>) {
        let Spare { layers, claimants } = &mut self.spare;
        claimants.clear();
        for layer in layers {
            layer.found = layer.siblings.find(name);
            if let Some(claimant) = layer.claimant() {
                claimants.push(claimant);
            }
        }
    }

    /// Decide what was found; says whether there is such a node now.
    fn decide(
        &mut self,
        patch: &Patch,
        acl_cells: Cells<'_>,
        was: Option<&Place>,
        address: u32,
    ) -> Result<bool, TreeError> {
        let Self {
            merge,
            before,
            acls,
            patches,
            sides,
            spare: Spare { layers, claimants },
        } = self;
        let gone = |was: &Place| before.count_below(was.children);
        let above = patch.above.blocker;
        let verdict = resolve(claimants, above);
        let Some((winner, strength)) = verdict.winner else {
            merge.count -= was.map_or(0, |was| 1 + gone(was));
            return Ok(false);
        };
        let (acl, acls_after) = merge.acl_at(acl_cells.after, patch.above.acl)?;
        let mut place = new_place(winner, strength, acl);
        merge.count += usize::from(was.is_none());
        let is_interior = winner.cell.shape() == Shape::Interior;
        // To make a few leaves anew is less than to see which of them have changed.
        let are_leaves = |was: &Place| {
            let mut below = claimants.iter().map(Claimant::below);
            below.all(|cells| cells.count <= FEW) && before.are_few_leaves(was.children, FEW)
        };
        let goes_on = |was: &&Place| {
            let mut layers = layers.iter();
            let ruled_out = layers.try_fold(above, |above, layer| layer.ruled_out(above));
            is_interior
                && was.acl == acl
                && before.is_interior(was)
                && ruled_out == Some(verdict.blocker)
                && !are_leaves(was)
        };
        let above = Above {
            blocker: verdict.blocker,
            acl,
        };
        let Some(was) = was.filter(goes_on) else {
            merge.count -= was.map_or(0, gone);
            merge.places.push(place)?;
            if is_interior {
                let below = claimants
                    .iter()
                    .map(|claimant| (claimant.stratum, claimant.below()));
                merge.lay_later(Some(address), above, acls_after, below);
            }
            return Ok(true);
        };
        let acls = acls.below(&acl_cells);
        let from = sides.len();
        let below = layers.iter().map(Reading::below);
        sides.extend(below.filter(|side| !side.cells.are_empty()));
        if acls.are_same() && sides[from..].iter().all(|side| side.cells.are_same()) {
            sides.truncate(from);
            place.children = was.children;
        } else {
            patches.push(Patch {
                place: Some(address),
                above,
                kept: was.children,
                acls,
                sides: from,
            });
        }
        merge.places.push(place)?;
        Ok(true)
    }
}
