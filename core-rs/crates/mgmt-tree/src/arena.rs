//! Where a layer keeps its claims: a tree of slots with interned names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{TreeError, index};
use crate::layer::Entry;
use crate::names::Names;
use crate::path::TreePath;
use crate::source::{Content, Stance};

/// The end of a list of siblings.
const NONE: u32 = u32::MAX;
/// The slot of the root, in every arena.
pub(crate) const ROOT: u32 = 0;
/// Below this many forgotten claims an arena is not worth rebuilding.
const COMPACT_FROM: usize = 1024;

/// The nodes of a layer. It only grows: a forgotten claim leaves a silent slot, which the next
/// claim at that place uses again, until so many are silent that the arena is rebuilt.
///
/// The slot of a parent is always smaller than those of its children.
#[derive(Clone)]
pub(crate) struct Arena {
    names: Names,
    labels: Names,
    slots: Vec<Slot>,
    children: HashMap<(u32, u32), u32>,
    claims: usize,
    forgotten: usize,
}

#[derive(Clone)]
struct Slot {
    name: u32,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    at_ms: i64,
    claim: Claim,
}

/// What a slot says; formats and MIME types are interned.
#[derive(Clone)]
enum Claim {
    Silent,
    Absent,
    Interior {
        mime: u32,
    },
    Leaf {
        value: Arc<[u8]>,
        format: u32,
        mime: u32,
    },
}

/// The shape of a claim, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Silent,
    Absent,
    Interior,
    Leaf,
}

impl Arena {
    pub fn new() -> Self {
        let root = Slot::silent(NONE, NONE);
        Self {
            names: Names::default(),
            labels: Names::default(),
            slots: vec![root],
            children: HashMap::new(),
            claims: 0,
            forgotten: 0,
        }
    }

    /// How many claims there are.
    pub fn len(&self) -> usize {
        self.claims
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    pub fn shape(&self, slot: u32) -> (Shape, i64) {
        let slot = &self.slots[slot as usize];
        let shape = match slot.claim {
            Claim::Silent => Shape::Silent,
            Claim::Absent => Shape::Absent,
            Claim::Interior { .. } => Shape::Interior,
            Claim::Leaf { .. } => Shape::Leaf,
        };
        (shape, slot.at_ms)
    }

    /// The children of a slot as (name, slot), in no order; silent ones included.
    pub fn children(&self, slot: u32) -> impl Iterator<Item = (u32, u32)> {
        let listed = |slot: u32| Some(slot).filter(|&slot| slot != NONE);
        let first = listed(self.slots[slot as usize].first_child);
        std::iter::successors(first, move |&child| {
            listed(self.slots[child as usize].next_sibling)
        })
        .map(|child| (self.slots[child as usize].name, child))
    }

    pub fn child(&self, slot: u32, name: &str) -> Option<u32> {
        let name = self.names.find(name)?;
        self.children.get(&(slot, name)).copied()
    }

    /// What the claim of a slot says, if it says anything.
    pub fn stance(&self, slot: u32) -> Option<Stance> {
        match &self.slots[slot as usize].claim {
            Claim::Silent => None,
            Claim::Absent => Some(Stance::Absent),
            Claim::Interior { mime } => Some(Stance::Present(Content::Interior {
                mime: Arc::clone(self.labels.text(*mime)),
            })),
            Claim::Leaf {
                value,
                format,
                mime,
            } => Some(Stance::Present(Content::Leaf {
                value: Arc::clone(value),
                format: Arc::clone(self.labels.text(*format)),
                mime: Arc::clone(self.labels.text(*mime)),
            })),
        }
    }

    /// For each slot the time of the latest claim at or below it that something exists there.
    pub fn latest_presence(&self) -> Vec<Option<i64>> {
        let mut latest: Vec<Option<i64>> = vec![None; self.slots.len()];
        // Children come after their parents, so backwards each slot is complete when read.
        for (index, slot) in self.slots.iter().enumerate().rev() {
            if matches!(slot.claim, Claim::Interior { .. } | Claim::Leaf { .. }) {
                latest[index] = latest[index].max(Some(slot.at_ms));
            }
            let below = latest[index];
            if let Some(parent) = latest.get_mut(slot.parent as usize) {
                *parent = (*parent).max(below);
            }
        }
        latest
    }

    pub fn find(&self, path: &TreePath) -> Option<u32> {
        path.segments()
            .try_fold(ROOT, |slot, name| self.child(slot, name))
    }

    pub fn entry(&self, slot: u32, path: TreePath) -> Option<Entry> {
        Some(Entry {
            path,
            stance: self.stance(slot)?,
            at_ms: self.slots[slot as usize].at_ms,
        })
    }

    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.claims);
        let mut open = vec![(ROOT, TreePath::root())];
        while let Some((slot, path)) = open.pop() {
            let mut children: Vec<_> = self
                .children(slot)
                .map(|(name, child)| (self.names.text(name), child))
                .collect();
            // The last one pushed is the next one read.
            children.sort_unstable_by(|left, right| right.cmp(left));
            for (name, child) in children {
                open.push((child, path.join(name)));
            }
            entries.extend(self.entry(slot, path));
        }
        entries
    }

    pub fn put(&mut self, path: &TreePath, content: Content, at_ms: i64) -> Result<(), TreeError> {
        let is_leaf = !content.is_interior();
        let claim = self.claim(content)?;
        let no_mime = self.labels.intern("")?;
        let slot = self.reach(path, |arena, parent| {
            if !matches!(arena.slots[parent as usize].claim, Claim::Interior { .. }) {
                arena.say(parent, Claim::Interior { mime: no_mime }, at_ms);
            }
        })?;
        if is_leaf {
            self.forget(slot);
        }
        self.say(slot, claim, at_ms);
        Ok(())
    }

    pub fn bury(&mut self, path: &TreePath, at_ms: i64) -> Result<(), TreeError> {
        let slot = self.reach(path, |_, _| ())?;
        self.forget(slot);
        self.say(slot, Claim::Absent, at_ms);
        Ok(())
    }

    /// The slot of a path, made where it is missing; `visit` sees every slot between it and the
    /// root.
    fn reach(
        &mut self,
        path: &TreePath,
        mut visit: impl FnMut(&mut Self, u32),
    ) -> Result<u32, TreeError> {
        self.compact()?;
        let mut slot = ROOT;
        for segment in path.segments() {
            if slot != ROOT {
                visit(self, slot);
            }
            let name = self.names.intern(segment)?;
            slot = match self.children.get(&(slot, name)) {
                Some(&child) => child,
                None => self.grow(slot, name)?,
            };
        }
        Ok(slot)
    }

    fn grow(&mut self, parent: u32, name: u32) -> Result<u32, TreeError> {
        let child = index(self.slots.len())?;
        let mut slot = Slot::silent(name, parent);
        slot.next_sibling = self.slots[parent as usize].first_child;
        self.slots.push(slot);
        self.slots[parent as usize].first_child = child;
        self.children.insert((parent, name), child);
        Ok(child)
    }

    fn say(&mut self, slot: u32, claim: Claim, at_ms: i64) {
        let slot = &mut self.slots[slot as usize];
        self.claims -= usize::from(slot.speaks());
        slot.claim = claim;
        slot.at_ms = at_ms;
        self.claims += usize::from(slot.speaks());
    }

    fn claim(&mut self, content: Content) -> Result<Claim, TreeError> {
        Ok(match content {
            Content::Interior { mime } => Claim::Interior {
                mime: self.labels.intern(&mime)?,
            },
            Content::Leaf {
                value,
                format,
                mime,
            } => Claim::Leaf {
                value,
                format: self.labels.intern(&format)?,
                mime: self.labels.intern(&mime)?,
            },
        })
    }

    /// The slots at and below one.
    fn below(&self, slot: u32) -> Vec<u32> {
        let mut all = vec![slot];
        let mut next = 0;
        while let Some(&slot) = all.get(next) {
            all.extend(self.children(slot).map(|(_, child)| child));
            next += 1;
        }
        all
    }

    pub fn claims_below(&self, slot: u32) -> usize {
        self.below(slot)
            .into_iter()
            .filter(|&slot| self.slots[slot as usize].speaks())
            .count()
    }

    pub fn forget(&mut self, slot: u32) {
        for slot in self.below(slot) {
            if self.slots[slot as usize].speaks() {
                self.say(slot, Claim::Silent, 0);
                self.forgotten += 1;
            }
        }
    }

    /// Rebuild when more has been forgotten than is claimed: the cost is spread over the claims
    /// that were forgotten, and a long life leaves no garbage.
    fn compact(&mut self) -> Result<(), TreeError> {
        if self.forgotten < COMPACT_FROM || self.forgotten <= self.claims {
            return Ok(());
        }
        let mut fresh = Self::new();
        for entry in self.entries() {
            match entry.stance {
                Stance::Present(content) => fresh.put(&entry.path, content, entry.at_ms)?,
                Stance::Absent => fresh.bury(&entry.path, entry.at_ms)?,
            }
        }
        *self = fresh;
        Ok(())
    }
}

impl Slot {
    fn silent(name: u32, parent: u32) -> Self {
        Self {
            name,
            parent,
            first_child: NONE,
            next_sibling: NONE,
            at_ms: 0,
            claim: Claim::Silent,
        }
    }

    fn speaks(&self) -> bool {
        !matches!(self.claim, Claim::Silent)
    }
}
