//! Many claims at once, in the order of the tree: directories are written as they are left.

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::edit::Saying;
use crate::error::TreeError;
use crate::texts::Labels;

/// Builds an arena from claims that come with parents before children and siblings by name.
pub(crate) struct Builder {
    arena: Arena,
    /// The siblings so far in each directory that is open, from the root downwards; the last cell
    /// of one is the parent of the next.
    open: Vec<Vec<Cell>>,
    /// Directories that were open, for the next ones to be.
    spare: Vec<Vec<Cell>>,
    /// The last cell of so many open directories is known to claim an interior node.
    interior: usize,
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
            spare: Vec::new(),
            interior: 0,
            way,
        }
    }

    pub fn arena(&mut self) -> &mut Arena {
        &mut self.arena
    }

    /// Make the next claim. It is on the node of that many names of the claim before, and the
    /// names that follow.
    ///
    /// A claim that is out of order may have brought its parents; whoever goes on from there
    /// makes it again and needs them, too.
    pub fn say<'n>(
        &mut self,
        names: impl Iterator<Item = &'n [u8]>,
        shared: usize,
        saying: Saying<'_>,
        at_ms: i64,
    ) -> Result<Result<(), OutOfOrder>, TreeError> {
        let mut names = names.peekable();
        let mut depth = shared;
        if names.peek().is_none() {
            if shared == 0 || !matches!(saying, Saying::Interior(_)) {
                // It would forget what stands below: no matter for a builder.
                return Ok(Err(OutOfOrder));
            }
            depth -= 1;
        }
        let interior = self.interior.min(depth);
        for depth in interior..depth {
            if !self.pass(depth, saying, at_ms) {
                return Ok(Err(OutOfOrder));
            }
        }
        while let Some(name) = names.next() {
            if depth == shared && !self.is_next(depth, name) {
                return Ok(Err(OutOfOrder));
            }
            self.add(depth, name)?;
            if names.peek().is_some() {
                self.pass(depth, saying, at_ms);
                depth += 1;
            }
        }
        self.interior = match saying {
            Saying::Absent => interior,
            Saying::Leaf(..) => depth,
            Saying::Interior(_) => depth + 1,
        };
        self.claim(depth, saying, at_ms).map(Ok)
    }

    /// The arena with all claims written.
    pub fn finish(mut self) -> Result<Arena, TreeError> {
        self.close(1)?;
        let root = self.open.pop().unwrap_or_default();
        self.arena.root = self.arena.write(&root)?;
        Ok(self.arena)
    }

    /// Whether a name comes after all that are open at its depth.
    fn is_next(&self, depth: usize, name: &[u8]) -> bool {
        let last = self.open.get(depth).and_then(|siblings| siblings.last());
        last.is_none_or(|last| self.arena.name(last) < name)
    }

    /// Open a node after all others at its depth.
    fn add(&mut self, depth: usize, name: &[u8]) -> Result<(), TreeError> {
        self.close(depth + 1)?;
        if self.open.len() == depth {
            self.open.push(self.spare.pop().unwrap_or_default());
        }
        let cell = self.arena.new_cell(name)?;
        self.open[depth].push(cell);
        Ok(())
    }

    /// Go through the last node at a depth to a claim below it; false: the claim changes nothing,
    /// for the node is a leaf that has no children to bury.
    fn pass(&mut self, depth: usize, saying: Saying<'_>, at_ms: i64) -> bool {
        let Some(cell) = self.open[depth].last_mut() else {
            return true;
        };
        match (saying, cell.shape()) {
            (Saying::Absent, Shape::Leaf) => return false,
            (Saying::Absent, _) | (_, Shape::Interior) => (),
            _ => self.arena.say(cell, Shape::Interior, self.way, at_ms),
        }
        true
    }

    /// Let the last node at a depth claim something.
    fn claim(&mut self, depth: usize, saying: Saying<'_>, at_ms: i64) -> Result<(), TreeError> {
        let Some(cell) = self.open[depth].last_mut() else {
            return Ok(());
        };
        match saying {
            Saying::Leaf(label, value) => self.arena.say_leaf(cell, value, label, at_ms)?,
            Saying::Interior(label) => self.arena.say(cell, Shape::Interior, label, at_ms),
            Saying::Absent => self.arena.say(cell, Shape::Absent, 0, at_ms),
        }
        Ok(())
    }

    /// Write the directories from a depth downwards.
    fn close(&mut self, depth: usize) -> Result<(), TreeError> {
        while self.open.len() > depth {
            let mut siblings = self.open.pop().unwrap_or_default();
            let range = self.arena.write(&siblings)?;
            if let Some(parent) = self.open.last_mut().and_then(|open| open.last_mut()) {
                self.arena.set_below(parent, range)?;
            }
            siblings.clear();
            self.spare.push(siblings);
        }
        Ok(())
    }
}

/// The same claims in an arena without anything that is no longer used.
pub(crate) fn compacted(arena: &Arena) -> Result<Arena, TreeError> {
    let mut builder = Builder::new(Arena::new(), 0);
    let mut labels = vec![None; arena.labels.count()];
    let mut open = vec![arena.children(arena.root)];
    while let Some(siblings) = open.last_mut() {
        let Some(cell) = siblings.next() else {
            open.pop();
            continue;
        };
        builder.copy(arena, &mut labels, cell, open.len() - 1)?;
        open.push(arena.children(arena.below_cell(cell)));
    }
    builder.finish()
}

impl Builder {
    /// Take a cell over from another arena, of whose labels these are the numbers here.
    fn copy(
        &mut self,
        from: &Arena,
        labels: &mut [Option<u32>],
        cell: &Cell,
        depth: usize,
    ) -> Result<(), TreeError> {
        let label = match cell.shape() {
            Shape::Silent | Shape::Absent => 0,
            Shape::Interior | Shape::Leaf => match labels[cell.label() as usize] {
                Some(label) => label,
                None => {
                    let (format, mime) = from.labels.get(cell.label());
                    let label = Labels::intern(&mut self.arena.labels, format, mime)?;
                    *labels[cell.label() as usize].insert(label)
                }
            },
        };
        self.add(depth, from.name(cell))?;
        let saying = match cell.shape() {
            Shape::Silent => return Ok(()),
            Shape::Absent => Saying::Absent,
            Shape::Interior => Saying::Interior(label),
            Shape::Leaf => Saying::Leaf(label, from.value(cell)),
        };
        self.claim(depth, saying, cell.at_ms)
    }
}
