//! Arguments that say something of many things: one value for all of them, or a list.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::{TreeError, raise};

/// One thing for all claims, or one for each.
#[derive(FromPyObject)]
pub(crate) enum Column<T> {
    All(T),
    Each(Vec<T>),
}

/// The formats or types of many claims, each distinct one held once.
pub(crate) struct Labels {
    texts: Vec<Arc<str>>,
    /// By row; empty: the first text is for all.
    rows: Vec<u32>,
    is_default: bool,
}

impl Labels {
    pub fn new(
        py: Python<'_>,
        column: Option<Column<String>>,
        default: &str,
        count: usize,
    ) -> PyResult<Self> {
        let is_default = column.is_none();
        let each = match column {
            None => return Ok(Self::all(default, is_default)),
            Some(Column::All(text)) => return Ok(Self::all(&text, is_default)),
            Some(Column::Each(each)) => each,
        };
        same_length(py, each.len(), count)?;
        let mut numbers = HashMap::new();
        let mut texts: Vec<Arc<str>> = Vec::new();
        let mut rows = Vec::with_capacity(count);
        for text in &each {
            rows.push(*numbers.entry(text.as_str()).or_insert_with(|| {
                texts.push(text.as_str().into());
                texts.len() as u32 - 1
            }));
        }
        Ok(Self {
            texts,
            rows,
            is_default,
        })
    }

    fn all(text: &str, is_default: bool) -> Self {
        Self {
            texts: vec![text.into()],
            rows: Vec::new(),
            is_default,
        }
    }

    pub fn get(&self, row: usize) -> &Arc<str> {
        let number = self.rows.get(row).copied().unwrap_or_default();
        &self.texts[number as usize]
    }

    /// As `get`, if a type was given at all.
    pub fn given(&self, row: usize) -> Option<&Arc<str>> {
        (!self.is_default).then(|| self.get(row))
    }
}

/// The times of many claims.
pub(crate) struct Numbers(Column<i64>);

impl Numbers {
    pub fn new(py: Python<'_>, column: Column<i64>, count: usize) -> PyResult<Self> {
        if let Column::Each(each) = &column {
            same_length(py, each.len(), count)?;
        }
        Ok(Self(column))
    }

    pub fn get(&self, row: usize) -> i64 {
        match &self.0 {
            Column::All(number) => *number,
            Column::Each(numbers) => numbers[row],
        }
    }
}

pub(crate) fn same_length(py: Python<'_>, length: usize, count: usize) -> PyResult<()> {
    if length == count {
        return Ok(());
    }
    let message = format!("a column of {length} for {count} paths");
    Err(raise::<TreeError>(py, "column_length", message))
}
