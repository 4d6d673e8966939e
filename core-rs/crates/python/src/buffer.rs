//! Byte arguments: `bytes` without a copy, any other buffer with one.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::secret::Secret;

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

/// Key bytes: a `Secret`, or a buffer for callers that hold the key in the open anyway.
pub(crate) enum Key<'py> {
    Secret(Bound<'py, Secret>),
    Data(Data<'py>),
}

impl Key<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Secret(secret) => secret.get().bytes(),
            Self::Data(data) => data.as_slice(),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Key<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<Secret>() {
            Ok(secret) => Ok(Self::Secret(secret.to_owned())),
            Err(_) => Data::extract(object).map(Self::Data),
        }
    }
}
