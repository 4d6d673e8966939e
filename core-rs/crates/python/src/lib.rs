//! The Python door: PyO3 classes and functions over the pure crates, and nothing else.
//!
//! One file per subject; each has a `register` that puts its names into the module.

mod acceptor;
mod batch;
mod buffer;
mod columns;
mod crypto;
mod element;
mod error;
mod five_g;
mod milenage;
mod scp02;
mod scp03;
mod scp80;
mod secret;
mod sms;
mod snapshot;
mod tlv;
mod tree;
mod tuak;
mod values;

use pyo3::prelude::*;

/// The compiled half of `cardea_core`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    error::register(module)?;
    secret::register(module)?;
    tlv::register(module)?;
    element::register(module)?;
    milenage::register(module)?;
    batch::register(module)?;
    tuak::register(module)?;
    five_g::register(module)?;
    crypto::register(module)?;
    scp02::register(module)?;
    scp03::register(module)?;
    scp80::register(module)?;
    sms::register(module)?;
    acceptor::register(module)?;
    tree::register(module)?;
    snapshot::register(module)?;
    Ok(())
}
