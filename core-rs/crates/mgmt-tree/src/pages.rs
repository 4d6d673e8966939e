//! Storage that only grows, in pages which its versions share.

use std::sync::Arc;

use crate::error::TreeError;
use crate::run::Run;

/// Items by address, in pages of `1 << BITS`.
///
/// What was written before [`Pages::seal`] is never written again, and clones share it: two
/// versions hold the same at an address if they have the same page there. An address is the
/// number of the page and the place within it; what is written as one run has consecutive
/// addresses.
#[derive(Clone)]
pub(crate) struct Pages<T, const BITS: u32> {
    /// What is sealed: most pages in a table that clones share, so that there is little to clone,
    /// and the latest ones after it.
    table: Arc<[Page<T>]>,
    latest: Vec<Page<T>>,
    fresh: Vec<Vec<T>>,
    /// The number of the first fresh page.
    begin: usize,
    /// How many items are on sealed pages, and how many of these have none.
    held: usize,
    empty: usize,
}

type Page<T> = Arc<Vec<T>>;

/// Where a run of items stands. An empty one stands nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Range {
    pub first: u32,
    pub count: u32,
}

impl Range {
    /// What is left without so many items, which are of one page, at its beginning.
    pub fn after(self, items: usize) -> Self {
        Self {
            first: self.first + items as u32,
            count: self.count - items as u32,
        }
    }
}

impl<T, const BITS: u32> Default for Pages<T, BITS> {
    fn default() -> Self {
        Self {
            table: Arc::new([]),
            latest: Vec::new(),
            fresh: Vec::new(),
            begin: 0,
            held: 0,
            empty: 0,
        }
    }
}

impl<T: Copy, const BITS: u32> Pages<T, BITS> {
    const PAGE: usize = 1 << BITS;
    /// So many pages may be cloned one by one.
    const LATEST: usize = 32;
    /// As many pages as there are numbers in an address.
    const LIMIT: usize = 1 << (u32::BITS - BITS);

    /// How many items were ever written.
    pub fn held(&self) -> usize {
        self.held + self.fresh.iter().map(Vec::len).sum::<usize>()
    }

    /// How many pages were ever written.
    pub fn page_count(&self) -> usize {
        self.begin - self.empty + self.fresh.len()
    }

    /// The most pages that so many items fill, in whatever runs they come: any two that follow
    /// each other hold more than one has room for.
    pub fn most_pages(items: usize) -> usize {
        (items >> BITS) * 2 + 2
    }

    /// How many more pages there can be.
    pub fn room(&self) -> usize {
        Self::LIMIT.saturating_sub(self.begin + self.fresh.len())
    }

    /// Storage for another writer, whose addresses begin after so many more pages than are
    /// written here.
    pub fn branch(&self, pages: usize) -> Self {
        Self {
            begin: self.begin + self.fresh.len() + pages,
            ..Self::default()
        }
    }

    /// Take in what a branch has written; the branches before it are in. Pages whose numbers were
    /// not needed stay empty.
    pub fn join(&mut self, branch: Self) {
        self.seal();
        let empty = branch.begin - self.begin;
        self.empty += empty;
        self.latest.extend((0..empty).map(|_| Page::default()));
        self.fresh = branch.fresh;
        self.seal();
    }

    pub fn get(&self, address: u32) -> &T {
        &self.page(address)[Self::offset(address)]
    }

    /// An item that was written since the last seal.
    pub fn get_mut(&mut self, address: u32) -> Option<&mut T> {
        let page = ((address >> BITS) as usize).checked_sub(self.begin)?;
        self.fresh.get_mut(page)?.get_mut(Self::offset(address))
    }

    /// Items that were written by one call of [`Pages::append`].
    pub fn slice(&self, range: Range) -> &[T] {
        match range.count {
            0 => &[],
            count => &self.page(range.first)[Self::offset(range.first)..][..count as usize],
        }
    }

    /// The items of a run, which is not empty, that stand on its first page.
    #[inline]
    pub fn part(&self, range: Range) -> &[T] {
        let page = &self.page(range.first)[Self::offset(range.first)..];
        &page[..page.len().min(range.count as usize)]
    }

    /// The items of a run, in order.
    #[inline]
    pub fn run(&self, range: Range) -> Run<'_, T, BITS> {
        Run::new(self, range)
    }

    /// Write items side by side on one page, which is as large as they need.
    pub fn append(&mut self, items: &[T]) -> Result<u32, TreeError> {
        let address = self.begin_run(items.len())?;
        if let Some(page) = self.fresh.last_mut() {
            page.extend_from_slice(items);
        }
        Ok(address)
    }

    /// Prepare for a run of at most `most` calls of [`Pages::push`]: the address of the first item.
    #[inline]
    pub fn begin_run(&mut self, most: usize) -> Result<u32, TreeError> {
        match self.fresh.last() {
            Some(page) if page.len() + most <= page.capacity().min(Self::PAGE) => {
                Ok(self.address(page.len()))
            }
            _ => self.make_room(most),
        }
    }

    /// The same where the last page has no room for it, or has not had it yet.
    #[cold]
    fn make_room(&mut self, most: usize) -> Result<u32, TreeError> {
        if let Some(page) = self.fresh.last_mut() {
            let used = page.len();
            if used > 0 && used + most <= Self::PAGE {
                page.reserve_exact(Self::PAGE - used);
                return Ok(self.address(used));
            }
        }
        if self.room() == 0 {
            return Err(TreeError::TreeFull {
                limit: Self::LIMIT << BITS,
            });
        }
        if self.fresh.last().is_none_or(|page| !page.is_empty()) {
            // A first page may stay the only one.
            let room = if self.fresh.is_empty() {
                most
            } else {
                Self::PAGE
            };
            self.fresh.push(Vec::with_capacity(room.min(Self::PAGE)));
        }
        Ok(self.address(0))
    }

    /// An address on the last page.
    fn address(&self, used: usize) -> u32 {
        // It fits: there are no more pages than [`Pages::LIMIT`].
        (((self.begin + self.fresh.len() - 1) << BITS) + used) as u32
    }

    /// Write the next item of a run.
    pub fn push(&mut self, item: T) -> Result<(), TreeError> {
        if self
            .fresh
            .last()
            .is_none_or(|page| page.len() == Self::PAGE)
        {
            self.begin_run(Self::PAGE)?;
        }
        if let Some(page) = self.fresh.last_mut() {
            page.push(item);
        }
        Ok(())
    }

    /// Write the next items of a run.
    pub fn push_all(&mut self, mut items: &[T]) -> Result<(), TreeError> {
        loop {
            let page = self.fresh.last_mut();
            let room = page
                .as_ref()
                .map_or(0, |page| Self::PAGE.saturating_sub(page.len()));
            let (here, rest) = items.split_at(items.len().min(room));
            if let Some(page) = page {
                page.extend_from_slice(here);
            }
            if rest.is_empty() {
                return Ok(());
            }
            self.begin_run(Self::PAGE)?;
            items = rest;
        }
    }

    /// Write a run as it stands in another version: the address of the first item.
    pub fn copy(&mut self, source: &Self, mut run: Range) -> Result<u32, TreeError> {
        let first = self.begin_run(run.count as usize)?;
        while run.count > 0 {
            let part = source.part(run);
            self.push_all(part)?;
            run = run.after(part.len());
        }
        Ok(first)
    }

    /// Take back all from an address on, which was written since the last seal.
    pub fn take_back(&mut self, first: u32) {
        let page = (first >> BITS) as usize - self.begin;
        self.fresh.truncate(page + 1);
        self.fresh[page].truncate(Self::offset(first));
    }

    /// From now on clones share all that was written.
    pub fn seal(&mut self) {
        for mut page in self.fresh.drain(..) {
            page.shrink_to_fit();
            self.held += page.len();
            self.latest.push(Page::new(page));
        }
        self.begin = self.table.len() + self.latest.len();
        if self.latest.len() > Self::LATEST {
            let table = self.table.iter().cloned();
            self.table = table.chain(self.latest.drain(..)).collect();
        }
    }

    /// Whether two versions hold the same run at a range, without looking at it.
    pub fn shares(&self, other: &Self, range: Range) -> bool {
        if range.count == 0 {
            return true;
        }
        let first = range.first >> BITS;
        let last = (range.first + (range.count - 1)) >> BITS;
        (first..=last).all(|number| self.has_page_of(other, number as usize))
    }

    /// Whether this is `older` with or without more at its end.
    pub fn extends(&self, older: &Self) -> bool {
        let from = match Arc::ptr_eq(&self.table, &older.table) {
            true => self.table.len(),
            false => 0,
        };
        older.fresh.is_empty() && (from..older.begin).all(|number| self.has_page_of(older, number))
    }

    fn has_page_of(&self, other: &Self, number: usize) -> bool {
        let pages = (self.sealed(number), other.sealed(number));
        matches!(pages, (Some(mine), Some(others)) if Arc::ptr_eq(mine, others))
    }

    #[inline]
    fn sealed(&self, number: usize) -> Option<&Page<T>> {
        match self.table.get(number) {
            Some(page) => Some(page),
            None => self.latest.get(number.checked_sub(self.table.len())?),
        }
    }

    #[inline]
    fn page(&self, address: u32) -> &Vec<T> {
        let number = (address >> BITS) as usize;
        match self.sealed(number) {
            Some(page) => page,
            None => &self.fresh[number - self.begin],
        }
    }

    fn offset(address: u32) -> usize {
        address as usize & (Self::PAGE - 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_run_longer_than_a_page_is_read_in_order() {
        let mut pages = Pages::<u32, 3>::default();
        pages.append(&[7; 5]).unwrap();
        let first = pages.begin_run(30).unwrap();
        for number in 0..30 {
            pages.push(number).unwrap();
        }
        let range = Range { first, count: 30 };
        pages.seal();
        assert!(pages.run(range).copied().eq(0..30));
        assert_eq!(pages.run(range).len(), 30);
        assert_eq!(*pages.get(first + 17), 17);
    }

    #[test]
    fn what_is_sought_is_found_wherever_it_stands_in_a_run() {
        for count in [0, 1, 7, 8, 9, 17, 40, 100] {
            let mut pages = Pages::<u32, 5>::default();
            let first = pages.begin_run(count as usize).unwrap();
            for number in 0..count {
                pages.push(number * 2).unwrap();
            }
            let range = Range { first, count };
            for sought in 0..count * 2 + 2 {
                let mut run = pages.run(range);
                let found = run.seek(|item| item.cmp(&sought)).copied();
                let is_there = sought % 2 == 0 && sought / 2 < count;
                assert_eq!(found, is_there.then_some(sought));
                assert!(
                    run.copied()
                        .eq((0..count).map(|n| n * 2).filter(|&n| n >= sought))
                );
            }
        }
    }

    #[test]
    fn what_is_appended_stands_on_one_page_however_long_it_is() {
        let mut pages = Pages::<u8, 2>::default();
        pages.append(b"ab").unwrap();
        let long = pages.append(b"0123456789").unwrap();
        let after = pages.append(b"xy").unwrap();
        let range = |first, count| Range { first, count };
        assert_eq!(pages.slice(range(long, 10)), b"0123456789");
        assert_eq!(pages.slice(range(after, 2)), b"xy");
    }

    #[test]
    fn what_branches_write_keeps_its_addresses_as_they_join() {
        let mut trunk = Pages::<u32, 2>::default();
        trunk.append(&[1, 2]).unwrap();
        let mut branches = [trunk.branch(3), trunk.branch(6)];
        let written: Vec<u32> = branches
            .iter_mut()
            .map(|branch| {
                branch.append(&[3, 4, 5]).unwrap();
                branch.append(&[6, 7]).unwrap()
            })
            .collect();
        let more = trunk.append(&[8, 9, 10]).unwrap();
        for branch in branches {
            trunk.join(branch);
        }
        assert!(written.iter().all(|&address| *trunk.get(address) == 6));
        assert_eq!(*trunk.get(more + 2), 10);
        assert_eq!((trunk.held(), trunk.page_count()), (15, 6));
        let last = trunk.append(&[11; 4]).unwrap();
        assert!(last > written[1] && *trunk.get(last + 3) == 11);
    }

    #[test]
    fn versions_share_what_was_sealed_and_nothing_else() {
        let mut old = Pages::<u8, 2>::default();
        let shared = Range {
            first: old.append(b"abc").unwrap(),
            count: 3,
        };
        old.seal();
        let (mut left, mut right) = (old.clone(), old.clone());
        let mine = Range {
            first: left.append(b"d").unwrap(),
            count: 1,
        };
        right.append(b"e").unwrap();
        left.seal();
        right.seal();
        assert!(left.extends(&old) && right.extends(&old) && !left.extends(&right));
        assert!(left.shares(&right, shared) && !left.shares(&right, mine));
        assert_eq!(
            (left.slice(mine), right.slice(mine)),
            (&b"d"[..], &b"e"[..])
        );
    }

    #[test]
    fn however_many_pages_are_sealed_one_by_one_versions_know_each_other() {
        let mut pages = Pages::<u32, 2>::default();
        let mut versions = Vec::new();
        for number in 0..100 {
            pages.append(&[number; 4]).unwrap();
            pages.seal();
            versions.push(pages.clone());
        }
        for (number, version) in versions.iter().enumerate() {
            let last = Range {
                first: number as u32 * 4,
                count: 4,
            };
            assert!(pages.extends(version) && pages.shares(version, last));
            assert_eq!(version.slice(last), [number as u32; 4]);
            assert_eq!(version.held(), (number + 1) * 4);
        }
        let mut other = versions[40].clone();
        other.append(&[7; 4]).unwrap();
        other.seal();
        assert!(other.extends(&versions[40]) && !other.extends(&versions[41]));
        assert!(!pages.extends(&other));
    }

    #[test]
    fn a_copy_of_a_run_stands_side_by_side_from_whatever_pages_it_comes() {
        let mut source = Pages::<u32, 2>::default();
        source.append(&[0]).unwrap();
        let first = source.begin_run(11).unwrap();
        for number in 0..11 {
            source.push(number).unwrap();
        }
        source.seal();
        let mut copied = Pages::<u32, 2>::default();
        copied.append(&[9, 9, 9]).unwrap();
        let run = Range { first, count: 11 };
        let first = copied.copy(&source, run).unwrap();
        assert!(copied.run(Range { first, count: 11 }).copied().eq(0..11));
        assert!(source.run(run.after(3)).copied().eq(3..11));
        copied.take_back(first);
        assert_eq!(copied.held(), 3);
        assert_eq!(copied.append(&[8, 8]).unwrap(), first);
    }
}
