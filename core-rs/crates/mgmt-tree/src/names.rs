//! An intern table: each distinct string once, named by a number.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{TreeError, index};

/// Strings by number and numbers by string.
#[derive(Clone, Default)]
pub(crate) struct Names {
    texts: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
}

impl Names {
    /// The number of `text`, which is added if it is new.
    pub fn intern(&mut self, text: &str) -> Result<u32, TreeError> {
        if let Some(&id) = self.ids.get(text) {
            return Ok(id);
        }
        let id = index(self.texts.len())?;
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        Ok(id)
    }

    /// The number of `text`, if it was ever added.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The string of a number this table gave out.
    pub fn text(&self, id: u32) -> &Arc<str> {
        &self.texts[id as usize]
    }

    /// All strings, in the order of their numbers.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}
