//! Changes to a layer: directories are opened on the way to a claim, and written down together.

use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::error::TreeError;
use crate::layer::Entry;
use crate::pages::Range;
use crate::path::TreePath;

/// A directory that is being changed: its children by name.
#[derive(Clone, Default)]
pub(crate) struct Open {
    children: BTreeMap<Box<str>, Child>,
}

#[derive(Clone)]
struct Child {
    cell: Cell,
    /// Its children, once they are open; before that the cell says where they stand.
    below: Option<Box<Open>>,
}

/// A claim to be made. The label is interned, the value is not yet written.
#[derive(Clone, Copy)]
pub(crate) enum Saying<'a> {
    Absent,
    Interior(u32),
    Leaf(u32, &'a [u8]),
}

impl Open {
    /// The siblings at a range, which are written anew from here on.
    pub fn of(arena: &mut Arena, siblings: Range) -> Self {
        arena.dead_cells += siblings.count as usize;
        let children = arena.children(siblings).map(|&cell| {
            let name = arena.name_text(&cell).into_boxed_str();
            (name, Child { cell, below: None })
        });
        Self {
            children: children.collect(),
        }
    }

    /// Make a claim. Missing parents are claimed with the label `way` if the node shall exist.
    pub fn say(
        &mut self,
        arena: &mut Arena,
        path: &TreePath,
        saying: Saying<'_>,
        way: u32,
        at_ms: i64,
    ) -> Result<(), TreeError> {
        let mut here = self;
        let mut names = path.segments().peekable();
        while let Some(name) = names.next() {
            let child = here.child(arena, name)?;
            if names.peek().is_some() {
                let is_interior = child.cell.shape() == Shape::Interior;
                if !is_interior && !matches!(saying, Saying::Absent) {
                    arena.say(&mut child.cell, Shape::Interior, way, at_ms);
                }
                here = child.open(arena);
                continue;
            }
            match saying {
                Saying::Interior(label) => {
                    arena.say(&mut child.cell, Shape::Interior, label, at_ms);
                }
                Saying::Absent => {
                    child.forget_below(arena)?;
                    arena.say(&mut child.cell, Shape::Absent, 0, at_ms);
                }
                Saying::Leaf(label, value) => {
                    child.forget_below(arena)?;
                    arena.say_leaf(&mut child.cell, value, label, at_ms)?;
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// Forget the claims at and below a node that exists here; says whether there were any.
    pub fn remove(&mut self, arena: &mut Arena, path: &TreePath) -> Result<bool, TreeError> {
        let mut here = self;
        let mut names = path.segments().peekable();
        while let Some(name) = names.next() {
            let Some(child) = here.children.get_mut(name) else {
                return Ok(false);
            };
            if names.peek().is_some() {
                here = child.open(arena);
                continue;
            }
            let before = arena.claims;
            child.forget_below(arena)?;
            arena.say(&mut child.cell, Shape::Silent, 0, 0);
            return Ok(arena.claims < before);
        }
        Ok(false)
    }

    /// The cell of a node.
    pub fn find(&self, arena: &Arena, path: &TreePath) -> Option<Cell> {
        let mut here = Some(self);
        let mut found: Option<Cell> = None;
        for name in path.segments() {
            let (cell, below) = match here {
                Some(open) => {
                    let child = open.children.get(name)?;
                    (child.cell, child.below.as_deref())
                }
                None => {
                    let siblings = found
                        .map(|cell| arena.below_cell(&cell))
                        .unwrap_or_default();
                    (*arena.child(siblings, name.as_bytes())?, None)
                }
            };
            found = Some(cell);
            here = below;
        }
        found
    }

    /// All claims here and below, in the order of the tree. The depth of a path bounds the
    /// recursion.
    pub fn entries(&self, arena: &Arena, parent: &TreePath, entries: &mut Vec<Entry>) {
        for (name, child) in &self.children {
            let path = parent.join(name);
            entries.extend(arena.entry(&child.cell, path.clone()));
            match &child.below {
                Some(open) => open.entries(arena, &path, entries),
                None => arena.entries(arena.below_cell(&child.cell), path, entries),
            }
        }
    }

    /// Write this and all that is open below it. The depth of a path bounds the recursion.
    pub fn write(self, arena: &mut Arena) -> Result<Range, TreeError> {
        let mut cells = Vec::with_capacity(self.children.len());
        for mut child in self.children.into_values() {
            if let Some(below) = child.below {
                let children = below.write(arena)?;
                arena.set_below(&mut child.cell, children)?;
            }
            // What leads nowhere is no longer needed.
            if child.cell.speaks() || child.cell.range.count > 0 {
                cells.push(child.cell);
            }
        }
        arena.write(&cells)
    }

    fn child(&mut self, arena: &mut Arena, name: &str) -> Result<&mut Child, TreeError> {
        if !self.children.contains_key(name) {
            let cell = arena.new_cell(name.as_bytes())?;
            let child = Child { cell, below: None };
            self.children.insert(name.into(), child);
        }
        // It was there or has just been put there.
        self.children.get_mut(name).ok_or(TreeError::PathEmpty)
    }

    /// Take the claims here and below out of the count.
    fn forget(self, arena: &mut Arena) -> Result<(), TreeError> {
        for mut child in self.children.into_values() {
            child.forget_below(arena)?;
            arena.say(&mut child.cell, Shape::Silent, 0, 0);
        }
        Ok(())
    }
}

impl Child {
    fn open(&mut self, arena: &mut Arena) -> &mut Open {
        let Self { cell, below } = self;
        below.get_or_insert_with(|| {
            let children = arena.below_cell(cell);
            Box::new(Open::of(arena, children))
        })
    }

    fn forget_below(&mut self, arena: &mut Arena) -> Result<(), TreeError> {
        if let Some(below) = self.below.take() {
            below.forget(arena)?;
        } else {
            let (mut cells, mut claims, mut bytes) = (0, 0, 0);
            for cell in arena.below(arena.below_cell(&self.cell)) {
                cells += 1;
                claims += usize::from(cell.speaks());
                if cell.shape() == Shape::Leaf {
                    bytes += cell.range.count as usize;
                }
            }
            arena.dead_cells += cells;
            arena.dead_bytes += bytes;
            arena.claims -= claims;
        }
        arena.set_below(&mut self.cell, Range::default())
    }
}
