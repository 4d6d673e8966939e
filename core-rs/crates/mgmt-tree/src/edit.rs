//! Changes to a layer: directories are opened on the way to a claim, and written down together.

use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::cell::{Cell, Name, Shape};
use crate::error::TreeError;
use crate::layer::Entry;
use crate::pages::Range;
use crate::path::TreePath;

/// A directory that is being changed: what it was, and the children that are new or may be
/// different, by name. So to open it costs nothing, however many children it has.
#[derive(Clone, Default)]
pub(crate) struct Open {
    was: Range,
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
        Self {
            was: siblings,
            children: BTreeMap::new(),
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
            let Some(child) = here.known(arena, name) else {
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

    /// The cell of a node, and its children if they are open.
    pub fn find(&self, arena: &Arena, path: &TreePath) -> Option<(Cell, Option<&Self>)> {
        let mut here = Some(self);
        let mut found: Option<Cell> = None;
        for name in path.segments() {
            let changed = here.and_then(|open| open.children.get(name));
            let (cell, below) = match changed {
                Some(child) => (child.cell, child.below.as_deref()),
                None => {
                    let below = |cell: Cell| arena.below_cell(&cell);
                    let was = here.map(|open| open.was).or(found.map(below));
                    (*arena.child(was?, name.as_bytes())?, None)
                }
            };
            found = Some(cell);
            here = below;
        }
        Some((found?, here))
    }

    /// All claims here and below, in the order of the tree. The depth of a path bounds the
    /// recursion.
    pub fn entries(&self, arena: &Arena, parent: &TreePath, entries: &mut Vec<Entry>) {
        let mut was = arena.children(self.was);
        for (name, child) in &self.children {
            let path = parent.join(name);
            let name = Name::of(name.as_bytes());
            while let Some(cell) = was.next_if(|cell| arena.order(cell, name).is_lt()) {
                arena.entries_of(cell, parent.join(&arena.name_text(cell)), entries);
            }
            was.next_if(|cell| arena.order(cell, name).is_eq());
            match &child.below {
                Some(open) => {
                    entries.extend(arena.entry(&child.cell, path.clone()));
                    open.entries(arena, &path, entries);
                }
                None => arena.entries_of(&child.cell, path, entries),
            }
        }
        for cell in was {
            arena.entries_of(cell, parent.join(&arena.name_text(cell)), entries);
        }
    }

    /// Write this and all that is open below it. The depth of a path bounds the recursion.
    pub fn write(self, arena: &mut Arena) -> Result<Range, TreeError> {
        let Self { was, children } = self;
        let mut changed = Vec::with_capacity(children.len());
        for (name, mut child) in children {
            if let Some(below) = child.below {
                let children = below.write(arena)?;
                arena.set_below(&mut child.cell, children)?;
            }
            changed.push((name, child.cell));
        }
        let mut cells = Vec::with_capacity(was.count as usize + changed.len());
        let mut was = arena.children(was);
        for (name, cell) in changed {
            let name = Name::of(name.as_bytes());
            was.copy_while(&mut cells, |cell| arena.order(cell, name).is_lt());
            was.next_if(|cell| arena.order(cell, name).is_eq());
            // What leads nowhere is no longer needed.
            if cell.speaks() || cell.range.count > 0 {
                cells.push(cell);
            }
        }
        was.copy_while(&mut cells, |_| true);
        arena.write(&cells)
    }

    fn child(&mut self, arena: &mut Arena, name: &str) -> Result<&mut Child, TreeError> {
        if self.known(arena, name).is_none() {
            let cell = arena.new_cell(name.as_bytes())?;
            let child = Child { cell, below: None };
            self.children.insert(name.into(), child);
        }
        // It was there or has just been put there.
        self.children.get_mut(name).ok_or(TreeError::PathEmpty)
    }

    /// A child that is there, to be changed.
    fn known(&mut self, arena: &Arena, name: &str) -> Option<&mut Child> {
        if !self.children.contains_key(name) {
            let cell = *arena.child(self.was, name.as_bytes())?;
            self.children
                .insert(name.into(), Child { cell, below: None });
        }
        self.children.get_mut(name)
    }

    /// Take the claims here and below out of the count.
    fn forget(self, arena: &mut Arena) -> Result<(), TreeError> {
        let Self { was, children } = self;
        let is_as_it_was = |cell: &&Cell| !children.contains_key(&*arena.name_text(cell));
        let child = |&cell: &Cell| Child { cell, below: None };
        let mut all: Vec<_> = arena
            .children(was)
            .filter(is_as_it_was)
            .map(child)
            .collect();
        all.extend(children.into_values());
        for mut child in all {
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
