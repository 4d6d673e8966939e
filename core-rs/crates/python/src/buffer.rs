//! Byte arguments: `bytes` without a copy, any other buffer with one.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

/// Bytes handed in by the caller; a copy is wiped on drop, since it may be a key.
pub(crate) enum Data<'py> {
    Bytes(Bound<'py, PyBytes>),
    Copied(Zeroizing<Vec<u8>>),
}

impl Data<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes(),
            Self::Copied(bytes) => bytes,
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Data<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.to_owned()));
        }
        let buffer = PyBuffer::<u8>::get(&object)?;
        Ok(Self::Copied(Zeroizing::new(buffer.to_vec(object.py())?)))
    }
}
