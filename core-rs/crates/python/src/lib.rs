//! The Python door: PyO3 classes and functions over the pure crates, and nothing else.
//!
//! One file per subject; each has a `register` that puts its names into the module.

mod error;
mod tree;

use pyo3::prelude::*;

/// The compiled half of `cardea_core`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    error::register(module)?;
    tree::register(module)?;
    Ok(())
}
