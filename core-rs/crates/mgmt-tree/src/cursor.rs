//! One layer's claims on a directory, name by name.

use crate::cell::{Cell, Key};
use crate::pages::Range;
use crate::resolve::Claimant;
use crate::strata::Stratum;

/// A layer's cells in a directory.
pub(crate) type Side<'a> = (&'a Stratum, Range);

/// Walks a layer's cells in a directory.
pub(crate) struct Cursor<'a> {
    pub stratum: &'a Stratum,
    /// The cell that comes next; when all are done, the last one.
    pub head: &'a Cell,
    /// Its key; when all are done, [`Key::END`].
    pub key: Key,
    /// The cells on one page, and how many of them are done.
    cells: &'a [Cell],
    at: usize,
    /// The address of the first of them.
    first: u32,
    /// The cells on later pages.
    rest: Range,
}

impl<'a> Cursor<'a> {
    /// There are cells at the range.
    #[inline(always)]
    pub fn new((stratum, range): Side<'a>) -> Self {
        let cells = stratum.arena.cells.part(range);
        // A page has fewer cells than there are addresses.
        let count = cells.len() as u32;
        Self {
            stratum,
            head: &cells[0],
            key: cells[0].key(),
            cells,
            at: 0,
            first: range.first,
            rest: Range {
                first: range.first + count,
                count: range.count - count,
            },
        }
    }

    /// How many cells are still to come.
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len() - self.at + self.rest.count as usize
    }

    /// Where the cell stands that comes next.
    #[inline]
    pub fn address(&self) -> u32 {
        self.first + self.at as u32
    }

    #[inline]
    pub fn claimant(&self) -> Claimant<'a> {
        self.stratum.claimant(self.head, self.address())
    }

    /// Leave the cell behind, or not.
    #[inline(always)]
    pub fn advance(&mut self, is_taken: bool) {
        self.at += usize::from(is_taken);
        let is_over = self.at == self.cells.len();
        if is_over & (self.rest.count > 0) {
            *self = Self::new((self.stratum, self.rest));
            return;
        }
        // Some cell is looked at in any case: that is less than to guess whether there is one.
        self.head = &self.cells[self.at - usize::from(is_over)];
        self.key = self.head.key().or_end(is_over);
    }

    pub fn name(&self) -> &'a [u8] {
        self.stratum.arena.name(self.head)
    }
}
