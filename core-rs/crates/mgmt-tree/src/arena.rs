//! Where a layer keeps its claims: cells, names and values in pages that versions share.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cell::{Cell, Kept, Name, Shape};
use crate::error::{TreeError, index};
use crate::layer::Entry;
use crate::pages::{Pages, Range};
use crate::path::TreePath;
use crate::run::Run;
use crate::source::{Content, Stance};
use crate::texts::{Bytes, Labels, Texts};

/// Cells of siblings stand side by side, in the order of their names.
pub(crate) type Cells = Pages<Cell, 11>;

/// The claims of a layer as a tree of cells. What was written once stays as it is: a change
/// writes the directories on its way anew, and the version before it keeps its own.
#[derive(Clone)]
pub(crate) struct Arena {
    pub cells: Cells,
    pub bytes: Bytes,
    pub texts: Texts,
    pub labels: Arc<Labels>,
    pub root: Range,
    /// How many claims there are.
    pub claims: usize,
    /// Cells and bytes of values that this version no longer uses.
    pub dead_cells: usize,
    pub dead_bytes: usize,
}

impl Arena {
    pub fn new() -> Self {
        Self {
            cells: Cells::default(),
            bytes: Bytes::default(),
            texts: Texts::new(),
            labels: Arc::default(),
            root: Range::default(),
            claims: 0,
            dead_cells: 0,
            dead_bytes: 0,
        }
    }

    /// Whether cells of `older` mean the same here.
    pub fn extends(&self, older: &Self) -> bool {
        self.cells.extends(&older.cells)
    }

    #[inline]
    pub fn name<'a>(&'a self, cell: &'a Cell) -> &'a [u8] {
        match cell.name() {
            Kept::Short(name) => name,
            Kept::Long(address) => Texts::text(&self.bytes, address),
        }
    }

    /// The name as text. Only texts are interned, so nothing is ever replaced.
    pub fn name_text(&self, cell: &Cell) -> String {
        String::from_utf8_lossy(self.name(cell)).into_owned()
    }

    pub fn children(&self, range: Range) -> Run<'_, Cell, 11> {
        self.cells.run(range)
    }

    /// Where the children of a cell stand.
    pub fn below_cell(&self, cell: &Cell) -> Range {
        match cell.shape() {
            Shape::Leaf if cell.is_split() => self.split(cell).0,
            Shape::Leaf => Range::default(),
            _ => cell.range,
        }
    }

    /// The value of a leaf.
    pub fn value(&self, cell: &Cell) -> &[u8] {
        match cell.is_split() {
            true => self.split(cell).1,
            false => self.bytes.slice(cell.range),
        }
    }

    /// The children of a split leaf, and its value.
    fn split(&self, cell: &Cell) -> (Range, &[u8]) {
        let record = self.bytes.slice(cell.range);
        let (Some((first, rest)), true) = (record.split_first_chunk(), cell.is_split()) else {
            return (Range::default(), record);
        };
        let Some((count, value)) = rest.split_first_chunk() else {
            return (Range::default(), rest);
        };
        let first = u32::from_le_bytes(*first);
        let count = u32::from_le_bytes(*count);
        (Range { first, count }, value)
    }

    /// Tell a cell where its children stand.
    pub fn set_below(&mut self, cell: &mut Cell, children: Range) -> Result<(), TreeError> {
        if cell.shape() != Shape::Leaf {
            cell.range = children;
        } else if cell.is_split() || children.count > 0 {
            let mut record = Vec::new();
            if children.count > 0 {
                record.extend(children.first.to_le_bytes());
                record.extend(children.count.to_le_bytes());
            }
            record.extend(self.value(cell));
            self.dead_bytes += cell.range.count as usize;
            cell.range = self.keep(&record)?;
            cell.split(children.count > 0);
        }
        Ok(())
    }

    fn keep(&mut self, value: &[u8]) -> Result<Range, TreeError> {
        let count = index(value.len(), u32::MAX as usize)?;
        let first = match count {
            0 => 0,
            _ => self.bytes.append(value)?,
        };
        Ok(Range { first, count })
    }

    /// The name with its key.
    #[inline]
    pub fn whole_name<'a>(&'a self, cell: &'a Cell) -> Name<'a> {
        Name {
            key: cell.key(),
            text: self.name(cell),
        }
    }

    /// Where the name of a cell stands beside another one.
    #[inline]
    pub fn order(&self, cell: &Cell, name: Name<'_>) -> Ordering {
        cell.key().order(name.key, || self.name(cell), || name.text)
    }

    /// The address of a name among siblings.
    pub fn find_in(&self, siblings: Range, name: Name<'_>) -> Option<u32> {
        let (mut from, mut to) = (siblings.first, siblings.first + siblings.count);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.order(self.cells.get(middle), name) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// The cell of a child.
    pub fn child(&self, siblings: Range, name: &[u8]) -> Option<&Cell> {
        let address = self.find_in(siblings, Name::of(name))?;
        Some(self.cells.get(address))
    }

    pub fn find(&self, path: &TreePath) -> Option<Cell> {
        let mut siblings = self.root;
        let mut found = None;
        for name in path.segments() {
            let cell = self.child(siblings, name.as_bytes())?;
            siblings = self.below_cell(cell);
            found = Some(*cell);
        }
        found
    }

    /// A cell for a node of that name.
    pub fn new_cell(&mut self, name: &[u8]) -> Result<Cell, TreeError> {
        let address = match name.len() {
            0..=Cell::SHORT => 0,
            _ => self.texts.intern(&mut self.bytes, name)?,
        };
        Ok(Cell::silent(name, address))
    }

    /// Let a cell below which nothing stands claim a leaf.
    pub fn say_leaf(
        &mut self,
        cell: &mut Cell,
        value: &[u8],
        label: u32,
        at_ms: i64,
    ) -> Result<(), TreeError> {
        let range = self.keep(value)?;
        self.say(cell, Shape::Leaf, label, at_ms);
        cell.range = range;
        Ok(())
    }

    /// Let a cell claim something else than a leaf; its children stay.
    pub fn say(&mut self, cell: &mut Cell, shape: Shape, label: u32, at_ms: i64) {
        if cell.shape() == Shape::Leaf {
            self.dead_bytes += cell.range.count as usize;
            cell.range = self.below_cell(cell);
        }
        self.claims -= usize::from(cell.speaks());
        cell.say(shape, label, at_ms);
        self.claims += usize::from(cell.speaks());
    }

    /// Write siblings down. They are in the order of their names.
    pub fn write(&mut self, siblings: &[Cell]) -> Result<Range, TreeError> {
        let first = self.cells.begin_run(siblings.len())?;
        self.cells.push_all(siblings)?;
        // As many addresses have just been given out.
        let count = siblings.len() as u32;
        Ok(if count == 0 {
            Range::default()
        } else {
            Range { first, count }
        })
    }

    pub fn seal(&mut self) {
        self.cells.seal();
        self.bytes.seal();
    }

    /// What a cell claims, if it claims anything.
    pub fn stance(&self, cell: &Cell) -> Option<Stance> {
        let (format, mime) = match cell.shape() {
            Shape::Silent => return None,
            Shape::Absent => return Some(Stance::Absent),
            Shape::Interior | Shape::Leaf => self.labels.get(cell.label()).clone(),
        };
        Some(Stance::Present(match cell.shape() {
            Shape::Leaf => Content::Leaf {
                value: self.value(cell).into(),
                format,
                mime,
            },
            _ => Content::Interior { mime },
        }))
    }

    pub fn entry(&self, cell: &Cell, path: TreePath) -> Option<Entry> {
        Some(Entry {
            path,
            stance: self.stance(cell)?,
            at_ms: cell.at_ms,
        })
    }

    /// The claims of a cell and all below it.
    pub fn entries_of(&self, cell: &Cell, path: TreePath, entries: &mut Vec<Entry>) {
        entries.extend(self.entry(cell, path.clone()));
        self.entries(self.below_cell(cell), path, entries);
    }

    /// All claims at and below some siblings: parents before children, siblings by name.
    pub fn entries(&self, siblings: Range, parent: TreePath, entries: &mut Vec<Entry>) {
        let mut open = vec![(parent, self.children(siblings))];
        while let Some((parent, siblings)) = open.last_mut() {
            let Some(cell) = siblings.next() else {
                open.pop();
                continue;
            };
            let path = parent.join(&self.name_text(cell));
            entries.extend(self.entry(cell, path.clone()));
            open.push((path, self.children(self.below_cell(cell))));
        }
    }

    /// The cells below some siblings and they themselves, in no order.
    pub fn below(&self, siblings: Range) -> impl Iterator<Item = &Cell> {
        let mut open = vec![self.children(siblings)];
        std::iter::from_fn(move || {
            loop {
                let run = open.last_mut()?;
                if let Some(cell) = run.next() {
                    open.push(self.children(self.below_cell(cell)));
                    return Some(cell);
                }
                open.pop();
            }
        })
    }

    /// The latest claim at or below a cell that something exists there.
    pub fn latest_presence(&self, cell: &Cell) -> Option<i64> {
        std::iter::once(cell)
            .chain(self.below(self.below_cell(cell)))
            .filter(|cell| matches!(cell.shape(), Shape::Interior | Shape::Leaf))
            .map(|cell| cell.at_ms)
            .max()
    }
}
