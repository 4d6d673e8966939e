//! A merge on several threads: each makes subtrees, on pages of its own.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cursor::Side;
use crate::error::TreeError;
use crate::lay::Lay;
use crate::merge::Merge;
use crate::snapshot::Places;

/// Fewer claims for each than this are not worth a thread.
const FEW_CLAIMS: usize = 1 << 14;
/// Into how many portions for each thread the work is divided, for some subtrees are larger, and
/// some threads slower.
const PORTIONS: usize = 32;

/// Directories to be laid, for whoever comes to take some.
struct Work<'a> {
    lays: Vec<Lay>,
    /// Their cells, in the order of the directories.
    sides: Vec<Side<'a>>,
    /// How many are taken at once.
    portion: usize,
    taken: AtomicUsize,
}

impl<'a> Merge<'a> {
    /// Lay what waits with the help of others, so that at most so many threads are at work.
    pub fn share(&mut self, threads: usize) -> Result<(), TreeError> {
        let layers = self.strata.layers();
        let cells = layers.map(|layer| layer.arena.cells.held()).sum::<usize>();
        let pages = Places::most_pages(cells);
        let threads = threads
            .min(cells / FEW_CLAIMS)
            .min(self.places.room() / pages);
        if threads < 2 {
            return Ok(());
        }
        while !self.lays.is_empty() && self.lays.len() < threads * PORTIONS {
            let level = self.hand_over(1);
            for number in 0..level.lays.len() {
                self.take_on(&level, number);
                self.lay_next()?;
            }
        }
        let work = self.hand_over(threads * PORTIONS);
        let helpers: Vec<_> = (1..threads)
            .map(|number| Merge::new(self.strata, self.places.branch(number * pages)))
            .collect();
        thread::scope(|scope| {
            let help = |mut helper: Merge<'a>| {
                let work = &work;
                // Where there are no more threads, the others do it all.
                thread::Builder::new()
                    .spawn_scoped(scope, move || helper.take_part(work).map(|()| helper))
                    .ok()
            };
            let helpers: Vec<_> = helpers.into_iter().filter_map(help).collect();
            self.take_part(&work)?;
            let join = |helper: thread::ScopedJoinHandle<'_, Result<Merge<'a>, TreeError>>| {
                helper.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            let helpers: Vec<_> = helpers.into_iter().map(join).collect::<Result<_, _>>()?;
            for &(place, children) in helpers.iter().flat_map(|helper| &helper.elsewhere) {
                self.settle(Some(place), children);
            }
            for helper in helpers {
                self.count += helper.count;
                self.places.join(helper.places);
            }
            Ok(())
        })
    }

    /// Give away all directories that wait to be laid, in so many portions.
    fn hand_over(&mut self, portions: usize) -> Work<'a> {
        let lays = std::mem::take(&mut self.lays);
        Work {
            portion: lays.len().div_ceil(portions),
            lays,
            sides: std::mem::take(&mut self.sides),
            taken: AtomicUsize::new(0),
        }
    }

    /// Lay directories, and all below them, as long as there are some.
    fn take_part(&mut self, work: &Work<'a>) -> Result<(), TreeError> {
        loop {
            let first = work.taken.fetch_add(work.portion, Ordering::Relaxed);
            let end = work.lays.len().min(first + work.portion);
            if first >= end {
                return Ok(());
            }
            for number in first..end {
                self.take_on(work, number);
            }
            while !self.lays.is_empty() {
                self.lay_next()?;
            }
        }
    }

    fn take_on(&mut self, work: &Work<'a>, number: usize) {
        let mut lay = work.lays[number];
        let next = work.lays.get(number + 1);
        let end = next.map_or(work.sides.len(), |next| next.sides);
        let sides = &work.sides[lay.sides..end];
        lay.sides = self.sides.len();
        self.sides.extend_from_slice(sides);
        self.lays.push(lay);
    }
}
