//! Many claims at once, in the order of the tree: directories are written as they are left.

use std::cmp::Ordering;

use crate::arena::Arena;
use crate::cell::{Cell, Key, Shape};
use crate::edit::Saying;
use crate::error::TreeError;
use crate::texts::Labels;

/// Builds an arena from claims that come with parents before children and siblings by name.
pub(crate) struct Builder {
    arena: Arena,
    /// The siblings so far in each directory that is open, from the root downwards; the last cell
    /// of one is the parent of the next.
    open: Vec<Vec<Cell>>,
    way: u32,
}

/// A claim does not follow the one before it in the order of the tree.
pub(crate) struct OutOfOrder;

impl Builder {
    /// `arena` is empty; missing parents get the label `way`.
    pub fn new(arena: Arena, way: u32) -> Self {
        Self {
            arena,
            open: vec![Vec::new()],
            way,
        }
    }

    pub fn arena(&mut self) -> &mut Arena {
        &mut self.arena
    }

    /// Make the next claim. `shared` names in front are those of the claim before.
    pub fn say<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str>,
        shared: usize,
        saying: Saying<'_>,
        at_ms: i64,
    ) -> Result<Result<(), OutOfOrder>, TreeError> {
        let mut names = names.enumerate().peekable();
        while let Some((depth, name)) = names.next() {
            let is_new = match self.place(depth, name, shared)? {
                Ok(is_new) => is_new,
                Err(out_of_order) => return Ok(Err(out_of_order)),
            };
            let is_last = names.peek().is_none();
            if !is_last && matches!(saying, Saying::Absent) && self.is_leaf(depth) {
                // A tombstone below a leaf leaves it what it is.
                return Ok(Err(OutOfOrder));
            }
            if is_last && matches!(saying, Saying::Leaf(..) | Saying::Absent) && !is_new {
                // It would forget what stands below: no matter for a builder.
                return Ok(Err(OutOfOrder));
            }
            self.state(depth, is_last, saying, at_ms)?;
        }
        Ok(Ok(()))
    }

    /// The arena with all claims written.
    pub fn finish(mut self) -> Result<Arena, TreeError> {
        self.close(1)?;
        let root = self.open.pop().unwrap_or_default();
        self.arena.root = self.arena.write(&root)?;
        Ok(self.arena)
    }

    /// Make a name the last one at its depth; says whether it was not.
    fn place(
        &mut self,
        depth: usize,
        name: &str,
        shared: usize,
    ) -> Result<Result<bool, OutOfOrder>, TreeError> {
        if self.open.len() <= depth {
            self.open.push(Vec::new());
        } else if let Some(last) = self.open[depth].last() {
            let order = if depth < shared {
                Ordering::Equal
            } else {
                let key = Key::of(name.as_bytes());
                let arena = &self.arena;
                last.key.order(key, || arena.name(last), || name.as_bytes())
            };
            match order {
                Ordering::Equal => return Ok(Ok(false)),
                Ordering::Greater => return Ok(Err(OutOfOrder)),
                Ordering::Less => self.close(depth + 1)?,
            }
        }
        let cell = self.arena.new_cell(name)?;
        self.open[depth].push(cell);
        Ok(Ok(true))
    }

    fn is_leaf(&self, depth: usize) -> bool {
        let last = self.open[depth].last();
        last.is_some_and(|cell| cell.shape() == Shape::Leaf)
    }

    fn state(
        &mut self,
        depth: usize,
        is_last: bool,
        saying: Saying<'_>,
        at_ms: i64,
    ) -> Result<(), TreeError> {
        let Self { arena, open, way } = self;
        let Some(cell) = open[depth].last_mut() else {
            return Ok(());
        };
        match saying {
            Saying::Leaf(label, value) if is_last => arena.say_leaf(cell, value, label, at_ms)?,
            Saying::Interior(label) if is_last => arena.say(cell, Shape::Interior, label, at_ms),
            Saying::Absent if is_last => arena.say(cell, Shape::Absent, 0, at_ms),
            Saying::Absent => (),
            _ if cell.shape() == Shape::Interior => (),
            _ => arena.say(cell, Shape::Interior, *way, at_ms),
        }
        Ok(())
    }

    /// Write the directories from a depth downwards.
    fn close(&mut self, depth: usize) -> Result<(), TreeError> {
        while self.open.len() > depth {
            let siblings = self.open.pop().unwrap_or_default();
            let range = self.arena.write(&siblings)?;
            if let Some(parent) = self.open.last_mut().and_then(|open| open.last_mut()) {
                self.arena.set_below(parent, range)?;
            }
        }
        Ok(())
    }
}

/// The same claims in an arena without anything that is no longer used.
pub(crate) fn compacted(arena: &Arena) -> Result<Arena, TreeError> {
    let mut builder = Builder::new(Arena::new(), 0);
    let mut open = vec![arena.children(arena.root)];
    while let Some(siblings) = open.last_mut() {
        let Some(cell) = siblings.next() else {
            open.pop();
            continue;
        };
        builder.copy(arena, cell, open.len() - 1)?;
        open.push(arena.children(arena.below_cell(cell)));
    }
    builder.finish()
}

impl Builder {
    /// Take a cell over from another arena.
    fn copy(&mut self, from: &Arena, cell: &Cell, depth: usize) -> Result<(), TreeError> {
        self.close(depth + 1)?;
        if self.open.len() <= depth {
            self.open.push(Vec::new());
        }
        let arena = &mut self.arena;
        let mut copy = arena.new_cell(&from.name_text(cell))?;
        let label = match cell.shape() {
            Shape::Silent | Shape::Absent => 0,
            Shape::Interior | Shape::Leaf => {
                let (format, mime) = from.labels.get(cell.label());
                Labels::intern(&mut arena.labels, format, mime)?
            }
        };
        match cell.shape() {
            Shape::Leaf => {
                arena.say_leaf(&mut copy, from.value(cell), label, cell.at_ms)?;
            }
            shape => arena.say(&mut copy, shape, label, cell.at_ms),
        }
        self.open[depth].push(copy);
        Ok(())
    }
}
