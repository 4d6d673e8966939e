//! Making directories from nothing: the layers that claim something there, side by side.

use crate::cell::{Cell, Key, Shape};
use crate::cursor::{Cursor, Side};
use crate::error::TreeError;
use crate::merge::{Above, Merge, new_place};
use crate::pages::Range;
use crate::resolve::{Claimant, resolve};
use crate::run::Run;
use crate::snapshot::Place;
use crate::source::Strength;

/// A directory to be made from nothing.
#[derive(Clone, Copy)]
pub(crate) struct Lay {
    /// The place of its node. None: the root.
    place: Option<u32>,
    above: Above,
    acls: Range,
    /// Where its cells begin on the stack of sides.
    pub sides: usize,
}

impl<'a> Merge<'a> {
    /// Make the children of a node from nothing, if any layer has cells for them.
    pub fn lay_later(
        &mut self,
        place: Option<u32>,
        above: Above,
        acls: Range,
        sides: impl Iterator<Item = Side<'a>>,
    ) {
        let from = self.sides.len();
        for side in sides {
            self.sides.push(side);
            let is_empty = side.1.count == 0;
            self.sides
                .truncate(self.sides.len() - usize::from(is_empty));
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

    /// Make the directory that has waited least.
    pub fn lay_next(&mut self) -> Result<(), TreeError> {
        let Some(lay) = self.lays.pop() else {
            return Ok(());
        };
        // For so few layers a loop over them is no loop to the processor.
        match self.sides[lay.sides..] {
            [one] => self.lay(&lay, &mut [Cursor::new(one)]),
            [one, two] => self.lay(&lay, &mut [Cursor::new(one), Cursor::new(two)]),
            [one, two, three] => {
                let mut cursors = [Cursor::new(one), Cursor::new(two), Cursor::new(three)];
                self.lay(&lay, &mut cursors)
            }
            ref many => {
                let mut cursors: Vec<_> = many.iter().copied().map(Cursor::new).collect();
                self.lay(&lay, &mut cursors)
            }
        }
    }

    /// Take the names of a directory one after the other.
    ///
    /// Most directories are small, and which layers claim a name is anybody's guess. A processor
    /// that guesses wrong loses more time than a comparison takes: so each cursor is looked at
    /// for each name, and no branch depends on who claims it.
    #[inline(always)]
    fn lay(&mut self, lay: &Lay, cursors: &mut [Cursor<'a>]) -> Result<(), TreeError> {
        self.sides.truncate(lay.sides);
        let most = cursors.iter().map(Cursor::len).sum();
        let first = self.places.begin_run(most)?;
        let mut acls = self.strata.acls.children(lay.acls);
        let is_open = lay.above.blocker == Strength::NONE;
        let mut count = 0;
        loop {
            let keys = cursors.iter().map(|cursor| cursor.key);
            let key = keys.fold(Key::END, Key::min);
            if key == Key::END {
                break;
            }
            let (mut claims, mut last) = (0, 0);
            for (number, cursor) in cursors.iter().enumerate() {
                claims += usize::from(cursor.key == key);
                last = if cursor.key == key { number } else { last };
            }
            let strongest = &cursors[last];
            let cell = strongest.head;
            let is_plain = claims == 1 || (self.are_ranked && agree(cursors, key, cell));
            if !(is_open && is_plain) {
                let address = first + count;
                count += u32::from(self.dispute(lay, cursors, &mut acls, address)?);
                continue;
            }
            let shape = cell.shape();
            if matches!(shape, Shape::Interior | Shape::Leaf) {
                let (acl, acls_below) = match acls.head() {
                    None => (lay.above.acl, Range::default()),
                    Some(_) => self.acl_of(&mut acls, &strongest.claimant(), lay.above.acl)?,
                };
                let (tag, address) = (strongest.stratum.tag(), strongest.address());
                self.places.push(Place::new(tag, address, false, acl))?;
                if shape == Shape::Interior {
                    let sides = cursors.iter().map(|cursor| {
                        let Range { first, count } = cursor.head.range;
                        let count = if cursor.key == key { count } else { 0 };
                        (cursor.stratum, Range { first, count })
                    });
                    let above = Above { acl, ..lay.above };
                    self.lay_later(Some(first + count), above, acls_below, sides);
                }
                count += 1;
            }
            for cursor in &mut *cursors {
                cursor.advance(cursor.key == key);
            }
        }
        self.count += count as usize;
        self.settle(lay.place, Range { first, count });
        Ok(())
    }

    /// Take the next name by all the rules; says whether there is such a node.
    #[inline(never)]
    fn dispute(
        &mut self,
        lay: &Lay,
        cursors: &mut [Cursor<'a>],
        acls: &mut Run<'a, Cell, 11>,
        address: u32,
    ) -> Result<bool, TreeError> {
        let mut claimants = std::mem::take(&mut self.claimants);
        take_next(cursors, &mut claimants);
        let verdict = resolve(&claimants, lay.above.blocker);
        if let Some((winner, strength)) = verdict.winner {
            let (acl, acls_below) = self.acl_of(acls, winner, lay.above.acl)?;
            self.places.push(new_place(winner, strength, acl))?;
            if winner.cell.shape() == Shape::Interior {
                let blocker = verdict.blocker;
                let sides = claimants
                    .iter()
                    .map(|claimant| (claimant.stratum, claimant.below()));
                self.lay_later(Some(address), Above { blocker, acl }, acls_below, sides);
            }
        }
        let exists = verdict.winner.is_some();
        self.claimants = claimants;
        Ok(exists)
    }
}

/// Whether the cells with a key claim the same name, and the same shape as this one of them.
#[inline]
fn agree(cursors: &[Cursor<'_>], key: Key, cell: &Cell) -> bool {
    let differs = |cursor: &Cursor<'_>| {
        let head = cursor.head;
        let is_same =
            (key.is_whole() || head.has_short_name_of(cell)) & (head.shape() == cell.shape());
        (cursor.key == key) & !is_same
    };
    !cursors
        .iter()
        .fold(false, |any, cursor| any | differs(cursor))
}

/// Take all claims on the next name, of which there are some.
fn take_next<'a>(cursors: &mut [Cursor<'a>], claimants: &mut Vec<Claimant<'a>>) {
    let key = cursors.iter().map(|cursor| cursor.key).min();
    let names = cursors
        .iter()
        .filter(|cursor| Some(cursor.key) == key)
        .map(Cursor::name);
    let Some(name) = names.min() else {
        return;
    };
    claimants.clear();
    for cursor in cursors {
        let is_taken = Some(cursor.key) == key && cursor.name() == name;
        if is_taken {
            claimants.push(cursor.claimant());
        }
        cursor.advance(is_taken);
    }
}
