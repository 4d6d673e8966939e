//! Going on from an earlier merge: only directories in which something has changed are written.

use std::cmp::Ordering;

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::error::TreeError;
use crate::merge::{Above, Merge, judge, new_place};
use crate::pages::{Range, Run};
use crate::resolve::Claimant;
use crate::snapshot::{NO_ACL, Name, Place, Snapshot};
use crate::source::Strength;
use crate::strata::{Strata, Stratum};

/// A directory to be made from what it was. What reaches it from above is as it was.
pub(crate) struct Patch {
    /// The place of its node. None: the root.
    place: Option<u32>,
    above: Above,
    /// Its places before.
    kept: Range,
    acls: Both,
    /// Where its cells begin on the stack of pairs.
    pairs: usize,
}

/// The cells of a directory in one layer, before and after.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    tag: u16,
    cells: Both,
}

#[derive(Clone, Copy)]
struct Both {
    before: Range,
    after: Range,
}

impl Patch {
    pub fn root(strata: &Strata, before: &Snapshot, pairs: &mut Vec<Pair>) -> Self {
        for tag in 0..strata.tags() {
            let cells = Both {
                before: before.strata.root(tag),
                after: strata.root(tag),
            };
            pairs.push(Pair { tag, cells });
        }
        Self {
            place: None,
            above: Above {
                blocker: Strength::NONE,
                acl: NO_ACL,
            },
            kept: before.root,
            acls: Both {
                before: before.strata.acls.root,
                after: strata.acls.root,
            },
            pairs: 0,
        }
    }
}

/// What a patch needs for the directory and the node it is at; kept, so that nothing is allocated.
#[derive(Default)]
pub(crate) struct Spare<'a> {
    pairs: Vec<Pair>,
    /// Those of which some layer says something new, here or below.
    names: Vec<Name<'a>>,
    now: Vec<Claimant<'a>>,
    old: Vec<Claimant<'a>>,
}

impl<'a> Merge<'a> {
    /// Copy a directory, and decide anew on the names that have changed.
    pub fn patch(&mut self, patch: &Patch, before: &'a Snapshot) -> Result<(), TreeError> {
        let mut spare = std::mem::take(&mut self.spare);
        spare.pairs.clear();
        spare.pairs.extend(self.pairs.drain(patch.pairs..));
        self.changed_names(patch, &spare.pairs, before, &mut spare.names);
        let names = std::mem::take(&mut spare.names);
        let most = patch.kept.count as usize + names.len();
        let first = self.places.begin_run(most)?;
        let mut range = Range { first, count: 0 };
        let mut kept = before.run(patch.kept);
        for &name in &names {
            let order = |place: &Place| before.order(place, name);
            range.count += self.keep(&mut kept, |place| order(place).is_lt())?;
            let is_it = kept.head().is_some_and(|place| order(place).is_eq());
            let was = if is_it { kept.next() } else { None };
            let address = range.first + range.count;
            if self.decide(patch, &mut spare, name, was, address, before)? {
                range.count += 1;
            }
        }
        range.count += self.keep(&mut kept, |_| true)?;
        self.settle(patch.place, range);
        spare.names = names;
        self.spare = spare;
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
            self.places.push_all(part)?;
            // A part is of one page.
            count += part.len() as u32;
        }
    }

    /// Decide one name; says whether there is such a node now.
    fn decide(
        &mut self,
        patch: &Patch,
        Spare {
            pairs, now, old, ..
        }: &mut Spare<'a>,
        (key, name): Name<'_>,
        was: Option<&Place>,
        address: u32,
        before: &'a Snapshot,
    ) -> Result<bool, TreeError> {
        let strata = self.strata;
        let cells = |strata: &'a Strata, side: fn(&Both) -> Range| {
            pairs.iter().map(move |pair| {
                let stratum = strata.get(pair.tag);
                let cell = |layer: &'a Stratum| layer.arena.find_in(side(&pair.cells), key, name);
                (pair.tag, stratum.and_then(cell))
            })
        };
        let acl_cell = |strata: &'a Strata, siblings| {
            let address = strata.acls.find_in(siblings, key, name)?;
            Some(strata.acls.cells.get(address))
        };
        let above = patch.above.blocker;
        let verdict = judge(strata, cells(strata, |both| both.after), above, now);
        let Some((winner, strength)) = verdict.winner else {
            self.count -= was.map_or(0, |place| 1 + before.count_below(place.children));
            return Ok(false);
        };
        let acl = acl_cell(strata, patch.acls.after);
        let (acl, acls_after) = self.acl_at(acl, patch.above.acl)?;
        let mut place = new_place(winner, strength, acl);
        self.count += usize::from(was.is_none());
        let is_interior = winner.cell.shape() == Shape::Interior;
        let goes_on = was.filter(|was| {
            is_interior && was.acl == acl && before.is_interior(was) && {
                let cells = cells(&before.strata, |both| both.before);
                let then = judge(&before.strata, cells, above, old);
                then.blocker.is_same(verdict.blocker)
            }
        });
        let below = Above {
            blocker: verdict.blocker,
            acl,
        };
        let Some(was) = goes_on else {
            self.count -= was.map_or(0, |place| before.count_below(place.children));
            self.places.push(place)?;
            if is_interior {
                let sides = now
                    .iter()
                    .map(|claimant| (claimant.stratum, claimant.below()));
                self.lay_later(Some(address), below, acls_after, sides);
            }
            return Ok(true);
        };
        let (_, acls_before) = self.acl_at(acl_cell(&before.strata, patch.acls.before), acl)?;
        let acls = Both {
            before: acls_before,
            after: acls_after,
        };
        let from = self.pairs.len();
        self.pair_up(pairs, old, now);
        if self.pairs[from..]
            .iter()
            .all(|pair| self.is_as_before(pair, before))
            && acls.before == acls.after
        {
            self.pairs.truncate(from);
            place.children = was.children;
            self.places.push(place)?;
            return Ok(true);
        }
        self.places.push(place)?;
        self.patches.push(Patch {
            place: Some(address),
            above: below,
            kept: was.children,
            acls,
            pairs: from,
        });
        Ok(true)
    }

    /// Put the children of a node in each layer on the stack, before beside after.
    fn pair_up(&mut self, pairs: &[Pair], old: &[Claimant<'_>], now: &[Claimant<'_>]) {
        let children = |claimants: &[Claimant<'_>], tag| {
            let claimant = claimants.iter().find(|claimant| claimant.own.tag() == tag);
            claimant
                .map(|claimant| claimant.below())
                .unwrap_or_default()
        };
        for &Pair { tag, .. } in pairs {
            let cells = Both {
                before: children(old, tag),
                after: children(now, tag),
            };
            if cells.before.count > 0 || cells.after.count > 0 {
                self.pairs.push(Pair { tag, cells });
            }
        }
    }

    /// Whether a layer claims in and below a directory what it did.
    fn is_as_before(&self, pair: &Pair, before: &Snapshot) -> bool {
        if pair.cells.before != pair.cells.after {
            return false;
        }
        match (before.strata.get(pair.tag), self.strata.get(pair.tag)) {
            (Some(old), Some(new)) => new.arena.cells.shares(&old.arena.cells, pair.cells.after),
            _ => pair.cells.after.count == 0,
        }
    }

    /// The names in a directory of which some layer, or the ACLs, say something new.
    fn changed_names(
        &self,
        patch: &Patch,
        pairs: &[Pair],
        before: &'a Snapshot,
        names: &mut Vec<Name<'a>>,
    ) {
        names.clear();
        let mut contributors = 0;
        let mut compare = |old: Option<&'a Arena>, new: Option<&'a Arena>, cells: Both| {
            let length = names.len();
            // A layer that is not there has no cells: any other's will do.
            if let (Some(old), Some(new)) = (old.or(new), new.or(old)) {
                compare_cells(old, new, cells, names);
            }
            contributors += usize::from(names.len() > length);
        };
        for pair in pairs {
            if !self.is_as_before(pair, before) {
                let arena = |strata: &'a Strata| strata.get(pair.tag).map(|layer| &*layer.arena);
                compare(arena(&before.strata), arena(self.strata), pair.cells);
            }
        }
        if patch.acls.before != patch.acls.after {
            let (old, new) = (&before.strata.acls, &self.strata.acls);
            compare(Some(old), Some(new), patch.acls);
        }
        if contributors > 1 {
            names.sort_unstable();
            names.dedup();
        }
    }
}

/// The names whose cells are not the same in two versions of an arena.
fn compare_cells<'a>(old: &'a Arena, new: &'a Arena, cells: Both, names: &mut Vec<Name<'a>>) {
    let mut gone = old.children(cells.before);
    let mut come = new.children(cells.after);
    loop {
        let order = match (gone.head(), come.head()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) if left == right => {
                gone.next();
                come.next();
                continue;
            }
            (Some(left), Some(right)) => {
                left.key()
                    .order(right.key(), || old.name(left), || new.name(right))
            }
        };
        let name = |arena: &'a Arena, cell: &'a Cell| (cell.key(), arena.name(cell));
        let left = if order.is_le() { gone.next() } else { None };
        let right = if order.is_ge() { come.next() } else { None };
        names.extend(
            right
                .map(|cell| name(new, cell))
                .or(left.map(|cell| name(old, cell))),
        );
    }
}
