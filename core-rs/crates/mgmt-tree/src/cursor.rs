//! Walking the claims of several layers on a directory side by side, name by name.
//!
//! Most directories are small, and who claims a name is anybody's guess. A processor that guesses
//! wrong loses more time than the comparison takes: so every cursor is looked at for every name,
//! and none is passed by.

use crate::cell::{Cell, Key};
use crate::pages::Range;
use crate::resolve::Claimant;
use crate::strata::Stratum;

/// One layer's cells in a directory.
pub(crate) struct Cursor<'a> {
    stratum: &'a Stratum,
    /// Those on one page, and the address of the first.
    cells: &'a [Cell],
    first: u32,
    /// Those on later pages.
    rest: Range,
    /// How many of the page are done.
    at: usize,
    /// The cell that comes next; when all are done, the last one.
    head: &'a Cell,
    /// Its key; when all are done, [`Key::END`].
    key: Key,
    /// Whether it claims the name in question.
    claims: bool,
}

impl<'a> Cursor<'a> {
    /// For a layer that has cells there.
    #[inline]
    pub fn new((stratum, range): (&'a Stratum, Range)) -> Self {
        let cells = stratum.arena.cells.part(range);
        let count = cells.len() as u32;
        let head = &cells[0];
        Self {
            stratum,
            cells,
            first: range.first,
            rest: Range {
                first: range.first + count,
                count: range.count - count,
            },
            at: 0,
            head,
            key: head.key(),
            claims: false,
        }
    }

    /// How many cells are still to come.
    pub fn len(&self) -> usize {
        self.cells.len() - self.at + self.rest.count as usize
    }

    /// What it claims of the name in question.
    #[inline]
    pub fn claimant(&self) -> Claimant<'a> {
        // A place on a page is less than an address.
        let address = self.first + self.at as u32;
        self.stratum.claimant(self.head, address)
    }

    /// Leave the name in question behind.
    #[inline]
    pub fn advance(&mut self) {
        self.at += usize::from(self.claims);
        if self.at == self.cells.len() && self.rest.count > 0 {
            *self = Self::new((self.stratum, self.rest));
        }
        let is_over = self.at == self.cells.len();
        self.head = &self.cells[self.at - usize::from(is_over)];
        self.key = self.head.key().or_end(is_over);
    }

    fn name(&self) -> &'a [u8] {
        self.stratum.arena.name(self.head)
    }
}

/// Those of some cursors that claim a name.
pub(crate) struct Claims<'c, 'a> {
    cursors: &'c [Cursor<'a>],
    count: usize,
    last: usize,
}

impl<'c, 'a> Claims<'c, 'a> {
    /// The claims on the next name; None: there is none left.
    #[inline]
    pub fn next(cursors: &'c mut [Cursor<'a>]) -> Option<Self> {
        let keys = cursors.iter().map(|cursor| cursor.key);
        let least = keys.fold(Key::END, Key::min);
        if least == Key::END {
            return None;
        }
        let (mut count, mut last) = (0, 0);
        for (number, cursor) in cursors.iter_mut().enumerate() {
            cursor.claims = cursor.key == least;
            count += usize::from(cursor.claims);
            last = if cursor.claims { number } else { last };
        }
        if count > 1 && !least.is_whole() {
            (count, last) = keep_least(cursors, last);
        }
        Some(Self {
            cursors,
            count,
            last,
        })
    }

    /// All of them, in the order of the cursors.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Claimant<'a>> {
        let claiming = self.cursors.iter().filter(|cursor| cursor.claims);
        claiming.map(Cursor::claimant)
    }

    /// The last of them.
    #[inline]
    pub fn last(&self) -> Claimant<'a> {
        self.cursors[self.last].claimant()
    }

    /// Whether there is no other than the last one.
    #[inline]
    pub fn is_lone(&self) -> bool {
        self.count == 1
    }
}

/// Of names with the same key keep the least; says how many claim it, and which one last.
fn keep_least(cursors: &mut [Cursor<'_>], last: usize) -> (usize, usize) {
    let head = cursors[last].head;
    let is_same = |cursor: &&Cursor<'_>| cursor.head.has_short_name_of(head);
    let claiming = || cursors.iter().filter(|cursor| cursor.claims);
    if claiming().all(|cursor| is_same(&cursor)) {
        return (claiming().count(), last);
    }
    let least = claiming().map(Cursor::name).min();
    let mut kept = (0, 0);
    for (number, cursor) in cursors.iter_mut().enumerate() {
        cursor.claims &= Some(cursor.name()) == least;
        if cursor.claims {
            kept = (kept.0 + 1, number);
        }
    }
    kept
}
