//! Intern tables: each distinct string once, named by a number.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::cell::Cell;
use crate::error::{TreeError, index};
use crate::pages::{Pages, Range};

/// The bytes of an arena: long names, each once and with its length in front, and values.
pub(crate) type Bytes = Pages<u8, 16>;

/// No slot of the table.
const FREE: u32 = u32::MAX;
/// A name has fewer bytes than this says.
const LENGTH_BYTES: u32 = 1;

/// The long names of an arena, by what they say. Clones share the table until one adds a name.
#[derive(Clone)]
pub(crate) struct Texts {
    /// Addresses of names, at the hash of the name or the next free place after it.
    slots: Arc<Vec<u32>>,
    used: usize,
    hasher: RandomState,
}

impl Texts {
    pub fn new() -> Self {
        Self {
            slots: Arc::new(vec![FREE; 16]),
            used: 0,
            hasher: RandomState::new(),
        }
    }

    /// The address of a name of at most 255 bytes, which is added if it is new.
    pub fn intern(&mut self, bytes: &mut Bytes, name: &[u8]) -> Result<u32, TreeError> {
        let slot = self.slot(bytes, name);
        if self.slots[slot] != FREE {
            return Ok(self.slots[slot]);
        }
        let mut record = [0; 256];
        let record = &mut record[..=name.len()];
        record[0] = name.len() as u8;
        record[1..].copy_from_slice(name);
        let address = bytes.append(record)?;
        Arc::make_mut(&mut self.slots)[slot] = address;
        self.used += 1;
        if self.used * 4 > self.slots.len() * 3 {
            self.grow(bytes);
        }
        Ok(address)
    }

    /// The name at an address.
    pub fn text(bytes: &Bytes, address: u32) -> &[u8] {
        let count = u32::from(*bytes.get(address));
        let first = address + LENGTH_BYTES;
        bytes.slice(Range { first, count })
    }

    /// Where the name is, or where it would be.
    fn slot(&self, bytes: &Bytes, name: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(name) as usize & mask;
        while self.slots[slot] != FREE && Self::text(bytes, self.slots[slot]) != name {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self, bytes: &Bytes) {
        let old = std::mem::replace(&mut self.slots, Arc::new(Vec::new()));
        let mut slots = vec![FREE; old.len() * 2];
        let mask = slots.len() - 1;
        for &address in old.iter().filter(|&&address| address != FREE) {
            let mut slot = self.hasher.hash_one(Self::text(bytes, address)) as usize & mask;
            while slots[slot] != FREE {
                slot = (slot + 1) & mask;
            }
            slots[slot] = address;
        }
        self.slots = Arc::new(slots);
    }
}

/// Pairs of format and MIME type, by number. There are few.
#[derive(Clone, Default)]
pub(crate) struct Labels {
    pairs: Vec<Label>,
    numbers: HashMap<Label, u32>,
}

/// Format and MIME type.
pub(crate) type Label = (Arc<str>, Arc<str>);

impl Labels {
    /// The number of a label, which is added if it is new.
    pub fn intern(
        this: &mut Arc<Self>,
        format: &Arc<str>,
        mime: &Arc<str>,
    ) -> Result<u32, TreeError> {
        let label = (Arc::clone(format), Arc::clone(mime));
        if let Some(&number) = this.numbers.get(&label) {
            return Ok(number);
        }
        let number = index(this.pairs.len(), Cell::LABELS)?;
        let this = Arc::make_mut(this);
        this.pairs.push(label.clone());
        this.numbers.insert(label, number);
        Ok(number)
    }

    pub fn count(&self) -> usize {
        self.pairs.len()
    }

    pub fn get(&self, number: u32) -> &Label {
        &self.pairs[number as usize]
    }
}
