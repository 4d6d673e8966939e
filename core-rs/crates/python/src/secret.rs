//! `Secret`: key material that Python can hand around but not print, pickle, copy or hash; and
//! `Key`: how a function takes one.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Data;

/// Key material, wiped when the last reference goes.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Secret(session_crypto::Secret);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

impl From<session_crypto::Secret> for Secret {
    fn from(secret: session_crypto::Secret) -> Self {
        Self(secret)
    }
}

#[pymethods]
impl Secret {
    #[new]
    #[pyo3(signature = (data, /))]
    fn new(data: Key<'_>) -> Self {
        Self(session_crypto::Secret::new(data.as_slice()))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<Secret {} bytes>", self.0.len())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        match other.cast::<Self>() {
            Ok(other) => {
                let equal = session_crypto::equal(self.bytes(), other.get().bytes());
                Ok(equal.into_pyobject(py)?.to_owned().into_any().unbind())
            }
            Err(_) => Ok(py.NotImplemented()),
        }
    }

    fn expose<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.bytes())
    }

    // pickle, copy.copy and copy.deepcopy all come through here
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err("a Secret cannot be pickled or copied"))
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

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Secret>()
}
