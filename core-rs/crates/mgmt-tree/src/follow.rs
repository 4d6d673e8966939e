//! Following a change that changes no decision: one layer claims something else in a directory,
//! the claims that won there win again, and only their cells and children stand elsewhere.

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::error::TreeError;
use crate::pages::Range;
use crate::patch::{Patching, Stale};
use crate::reach::Only;
use crate::snapshot::{Place, Snapshot};
use crate::versions::Both;

impl<'a> Patching<'a> {
    /// Copy a directory and tell its places where their cells and children stand now, if the same
    /// claims win there for certain; says whether so.
    pub fn follow(&mut self, stale: &Stale) -> Result<bool, TreeError> {
        let Some(only) = stale.only else {
            return Ok(false);
        };
        if only.cells.before.count != only.cells.after.count || stale.kept.count == 0 {
            return Ok(false);
        }
        let waiting = self.stale.len();
        let count = stale.kept.count;
        let first = self.merge.places.copy(&self.before.places, stale.kept)?;
        let is_followed = self.tell_places(stale, only, first).is_some();
        if is_followed {
            self.merge.settle(stale.place, Range { first, count });
        } else {
            self.stale.truncate(waiting);
            self.merge.places.take_back(first);
        }
        Ok(is_followed)
    }

    /// Tell the copied places whose claims have changed. None: another claim may win.
    fn tell_places(&mut self, stale: &Stale, only: Only, first: u32) -> Option<()> {
        let Only { tag, cells } = only;
        let before = self.before;
        let old = &before.strata.get(tag)?.arena;
        let new = &self.merge.strata.get(tag)?.arena;
        let mut finder = Finder::new(before, stale.kept, old, tag);
        let Both {
            before: mut olds,
            after: mut news,
        } = cells;
        while olds.count > 0 {
            let (were, are) = (old.cells.part(olds), new.cells.part(news));
            for (step, (was, is)) in (0..).zip(were.iter().zip(are)) {
                if was == is {
                    continue;
                }
                let (number, place) = finder.find(was, olds.first + step)?;
                let is_won = place.tag() == tag;
                if !stays(was, is, is_won) || place.is_revived() {
                    return None;
                }
                let below = below(was, is, || before.is_interior(place))?;
                let (address, cell) = (first + number, news.first + step);
                let copy = self.merge.places.get_mut(address)?;
                if is_won {
                    copy.cell = cell;
                }
                if let Some(cells) = below {
                    copy.children = Range::default();
                    self.stale.push(Stale {
                        place: Some(address),
                        kept: place.children,
                        way: self.reach.way(stale.way, tag, cell),
                        only: Some(Only { tag, cells }),
                    });
                }
            }
            let seen = were.len().min(are.len());
            olds = olds.after(seen);
            news = news.after(seen);
        }
        Some(())
    }
}

/// Whether a claim that has become another is one of the same shape, and not less strong: if it
/// won it wins, and if it did not, it is just as strong as it was.
fn stays(was: &Cell, is: &Cell, is_won: bool) -> bool {
    let is_strong = match is_won {
        true => was.at_ms <= is.at_ms,
        false => was.at_ms == is.at_ms,
    };
    // What a leaf has below it are tombstones, which count where it does not win.
    let is_plain = !was.is_split() && !is.is_split();
    is_strong && is_plain && was.has_name_of(is) && was.shape() == is.shape()
}

/// Where the claims below a claim stood and stand, if they are not the same. None: it depends on
/// them what the node is, for it is a leaf, and a claim below a leaf may be stronger.
fn below(was: &Cell, is: &Cell, is_interior: impl FnOnce() -> bool) -> Option<Option<Both>> {
    if was.shape() == Shape::Leaf {
        return Some(None);
    }
    let below = Both {
        before: was.range,
        after: is.range,
    };
    match below.are_same() {
        true => Some(None),
        false => is_interior().then_some(Some(below)),
    }
}

/// Finds the places of a layer's cells in a directory, in the order of their names.
struct Finder<'a> {
    snapshot: &'a Snapshot,
    kept: Range,
    /// The layer as it was.
    arena: &'a Arena,
    tag: u16,
    /// Places on the first page that are still to come, and how many have passed. Mostly a place
    /// has the very cell that is looked for: that is seen without a look at names.
    near: &'a [Place],
    passed: u32,
}

impl<'a> Finder<'a> {
    /// There are places at the range.
    fn new(snapshot: &'a Snapshot, kept: Range, arena: &'a Arena, tag: u16) -> Self {
        Self {
            snapshot,
            kept,
            arena,
            tag,
            near: snapshot.places.part(kept),
            passed: 0,
        }
    }

    /// The place of a cell, and its number in the directory.
    fn find(&mut self, cell: &Cell, address: u32) -> Option<(u32, &'a Place)> {
        let has_it = |place: &Place| place.cell == address && place.tag() == self.tag;
        if let Some(number) = self.near.iter().position(has_it) {
            let place = &self.near[number];
            self.near = &self.near[number + 1..];
            // A part is of one page.
            self.passed += number as u32 + 1;
            return Some((self.passed - 1, place));
        }
        self.near = &[];
        let name = self.arena.whole_name(cell);
        let found = self.snapshot.address_in(self.kept, name)?;
        Some((found - self.kept.first, self.snapshot.places.get(found)))
    }
}
