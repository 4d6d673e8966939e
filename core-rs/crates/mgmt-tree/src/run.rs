//! Items that stand side by side, read in order.

use std::cmp::Ordering;

use crate::pages::{Pages, Range};

/// How many items at the beginning are of a kind of which none comes later: it often is few.
#[inline]
fn count_first<T>(items: &[T], is_of_kind: impl Fn(&T) -> bool) -> usize {
    const FEW: usize = 8;
    match items.iter().take(FEW).position(|item| !is_of_kind(item)) {
        Some(count) => count,
        None if items.len() <= FEW => items.len(),
        None => count_many(items, FEW, is_of_kind),
    }
}

/// The same, by steps that double, from where some of them have been seen.
fn count_many<T>(items: &[T], seen: usize, is_of_kind: impl Fn(&T) -> bool) -> usize {
    let (mut from, mut step) = (seen, seen);
    while items.get(from + step).is_some_and(&is_of_kind) {
        from += step;
        step *= 2;
    }
    let to = items.len().min(from + step);
    from + items[from..to].partition_point(is_of_kind)
}

/// Reads a run, page after page.
pub(crate) struct Run<'a, T, const BITS: u32> {
    pages: &'a Pages<T, BITS>,
    rest: &'a [T],
    next: u32,
    left: u32,
}

impl<'a, T: Copy, const BITS: u32> Run<'a, T, BITS> {
    #[inline]
    pub fn new(pages: &'a Pages<T, BITS>, range: Range) -> Self {
        let mut run = Self {
            pages,
            rest: &[],
            next: range.first,
            left: range.count,
        };
        run.turn_page();
        run
    }

    /// The item that comes next.
    #[inline]
    pub fn head(&self) -> Option<&'a T> {
        self.rest.first()
    }

    /// The address of the item that comes next.
    pub fn address(&self) -> u32 {
        self.next
    }

    /// Take the items that come next as long as they are of a kind, or some of them; none: the
    /// next one is not, or there is none left. No item of the kind comes after one that is not.
    #[inline]
    pub fn take_part(&mut self, is_of_kind: impl Fn(&T) -> bool) -> &'a [T] {
        let count = count_first(self.rest, is_of_kind);
        let (part, rest) = self.rest.split_at(count);
        self.rest = rest;
        // A part is of one page.
        self.next += part.len() as u32;
        if rest.is_empty() {
            self.turn_page();
        }
        part
    }

    /// Copy the items that come next as long as they are of a kind; no item of the kind comes
    /// after one that is not.
    pub fn copy_while(&mut self, items: &mut Vec<T>, is_of_kind: impl Fn(&T) -> bool) {
        loop {
            match self.take_part(&is_of_kind) {
                [] => return,
                part => items.extend_from_slice(part),
            }
        }
    }

    /// Pass by all items that are less than what is sought: the next one, if it is that.
    #[inline]
    pub fn seek(&mut self, order: impl Fn(&T) -> Ordering) -> Option<&'a T> {
        loop {
            let head = self.head()?;
            match order(head) {
                Ordering::Less => _ = self.take_part(|item| order(item).is_lt()),
                Ordering::Equal => return Some(head),
                Ordering::Greater => return None,
            }
        }
    }

    /// Pass by what comes next in this run and in another as long as it is the same.
    #[inline]
    pub fn skip_same(&mut self, other: &mut Self)
    where
        T: PartialEq,
    {
        while self.head().is_some() && self.head() == other.head() {
            self.next();
            other.next();
        }
    }

    /// Take the next item if it is sought.
    #[inline]
    pub fn next_if(&mut self, is_sought: impl FnOnce(&T) -> bool) -> Option<&'a T> {
        if is_sought(self.head()?) {
            self.next()
        } else {
            None
        }
    }

    #[inline]
    fn turn_page(&mut self) {
        if self.left > 0 {
            self.rest = self.pages.part(Range {
                first: self.next,
                count: self.left,
            });
            // A part is of one page.
            self.left -= self.rest.len() as u32;
        }
    }
}

impl<'a, T: Copy, const BITS: u32> Iterator for Run<'a, T, BITS> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        let (head, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.next += 1;
        if rest.is_empty() {
            self.turn_page();
        }
        Some(head)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.len() + self.left as usize;
        (count, Some(count))
    }
}

impl<T: Copy, const BITS: u32> ExactSizeIterator for Run<'_, T, BITS> {}
