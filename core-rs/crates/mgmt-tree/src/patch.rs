//! Going on from an earlier merge: only directories in which something has changed are written.

use crate::acls::Acls;
use crate::cell::{Cell, Key, Name, Shape};
use crate::error::TreeError;
use crate::layer::Layer;
use crate::merge::{Above, Merge, Merged, merge_all, new_place};
use crate::pages::Range;
use crate::reach::{Level, Only, Reach, Side, changes};
use crate::resolve::{Claimant, resolve};
use crate::run::Run;
use crate::snapshot::{Place, Snapshot};
use crate::source::Strength;
use crate::strata::Strata;
use crate::versions::{Cells, Siblings};

/// Below so much garbage the places of a snapshot are not worth writing anew.
const DEAD_PLACES: usize = 1 << 16;
const SPARE_PAGES: usize = 512;
/// So few nodes below another one are made anew if one of them is: that is less than to see which
/// of them have changed.
const FEW: usize = 16;

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

/// A merge that goes on from a snapshot. Directories that are still to be made from what they were
/// wait on a stack.
pub(crate) struct Patching<'a> {
    pub merge: Merge<'a>,
    pub before: &'a Snapshot,
    pub stale: Vec<Stale>,
    pub reach: Reach<'a>,
    spare: Spare<'a>,
}

/// A directory to be made from what it was. What reaches it from above is as it was.
#[derive(Clone, Copy)]
pub(crate) struct Stale {
    /// The place of its node. None: the root.
    pub place: Option<u32>,
    /// Its places before.
    pub kept: Range,
    /// The number of its way.
    pub way: u32,
    /// The only layer that has something else for it, if that is all that has changed there.
    pub only: Option<Only>,
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

impl<'a> Reading<'a> {
    fn new(side: Side<'a>) -> Self {
        Self {
            side,
            siblings: Siblings::new(side.versions(), side.cells),
            found: Cells::default(),
        }
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
}

impl<'a> Patching<'a> {
    fn new(strata: &'a Strata, before: &'a Snapshot) -> Self {
        let mut merge = Merge::new(strata, before.places.clone());
        merge.count = before.count;
        Self {
            merge,
            before,
            stale: Vec::new(),
            reach: Reach::new(&before.strata, strata),
            spare: Spare::default(),
        }
    }

    fn run(mut self) -> Result<Merged, TreeError> {
        let kept = self.before.root;
        match self.reach.root_changes() {
            None => self.merge.settle(None, kept),
            Some(only) => self.stale.push(Stale {
                place: None,
                kept,
                way: Reach::ROOT,
                only,
            }),
        }
        loop {
            self.merge.lay_all()?;
            match self.stale.pop() {
                Some(stale) if self.follow(&stale)? => (),
                Some(stale) => self.patch(&stale)?,
                None => return Ok(self.merge.finish()),
            }
        }
    }

    /// Copy a directory, and decide anew on the names that have changed.
    fn patch(&mut self, stale: &Stale) -> Result<(), TreeError> {
        let before = self.before;
        let level = self.reach.go(&self.merge, stale.way)?;
        let sides = self.reach.sides();
        if stale.place.is_some() && before.are_few_below(stale.kept, FEW) {
            self.merge.count -= before.count_below(stale.kept);
            let sides = sides.iter().filter(|side| !side.is_gone);
            let sides = sides.map(|side| (side.new, side.cells.after));
            let Level { above, acls, .. } = level;
            self.merge.lay_later(stale.place, above, acls.after, sides);
            return Ok(());
        }
        let most: u32 = sides.iter().map(|side| side.cells.after.count).sum();
        self.spare.layers.clear();
        self.spare
            .layers
            .extend(sides.iter().copied().map(Reading::new));
        let mut acls = Siblings::new(self.reach.acls, level.acls);
        let mut kept = before.run(stale.kept);
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
            if self.decide(&level, acls.find(name), was, address)? {
                range.count += 1;
            }
        }
        range.count += self.keep(&mut kept, |_| true)?;
        self.merge.settle(stale.place, range);
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
            claimants.extend(layer.side.claimant(&layer.found));
        }
    }

    /// Decide what was found; says whether there is such a node now.
    fn decide(
        &mut self,
        level: &Level,
        acl_cells: Cells<'_>,
        was: Option<&Place>,
        address: u32,
    ) -> Result<bool, TreeError> {
        let Self {
            merge,
            before,
            spare: Spare { layers, claimants },
            ..
        } = self;
        let gone = |was: &Place| before.count_below(was.children);
        let above = level.above.blocker;
        let verdict = resolve(claimants, above);
        let Some((winner, strength)) = verdict.winner else {
            merge.count -= was.map_or(0, |was| 1 + gone(was));
            return Ok(false);
        };
        let (acl, acls_after) = merge.acl_at(acl_cells.after, level.above.acl)?;
        let mut place = new_place(winner, strength, acl);
        merge.count += usize::from(was.is_none());
        let is_interior = winner.cell.shape() == Shape::Interior;
        let (tag, cell) = (winner.stratum.tag(), winner.address);
        let goes_on = |was: &&Place| {
            let mut layers = layers.iter();
            let ruled_out = layers.try_fold(above, |above, layer| layer.ruled_out(above));
            is_interior
                && was.acl == acl
                && before.is_interior(was)
                && ruled_out == Some(verdict.blocker)
        };
        let Some(was) = was.filter(goes_on) else {
            merge.count -= was.map_or(0, gone);
            merge.places.push(place)?;
            if is_interior {
                let above = Above {
                    blocker: verdict.blocker,
                    acl,
                };
                let below = claimants
                    .iter()
                    .map(|claimant| (claimant.stratum, claimant.below()));
                merge.lay_later(Some(address), above, acls_after, below);
            }
            return Ok(true);
        };
        let below = layers.iter().map(|layer| layer.side.below(&layer.found));
        match changes(below, self.reach.acls.below(&acl_cells)) {
            None => place.children = was.children,
            Some(only) => {
                let way = self.reach.way(level.way, tag, cell);
                self.stale.push(Stale {
                    place: Some(address),
                    kept: was.children,
                    way,
                    only,
                });
            }
        }
        self.merge.places.push(place)?;
        Ok(true)
    }
}
