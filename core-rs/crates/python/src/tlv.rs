//! BER-TLV for Python.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::buffer::Data;
use crate::error;

/// One data object.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Tlv {
    #[pyo3(get)]
    tag: u32,
    #[pyo3(get)]
    constructed: bool,
    #[pyo3(get)]
    value: Py<PyBytes>,
    #[pyo3(get)]
    children: Py<PyTuple>,
}

#[pymethods]
impl Tlv {
    /// The first child with the tag.
    fn find(&self, py: Python<'_>, tag: u32) -> PyResult<Option<Py<Self>>> {
        Ok(self.findall(py, tag)?.into_iter().next())
    }

    /// The children with the tag, in order.
    fn findall(&self, py: Python<'_>, tag: u32) -> PyResult<Vec<Py<Self>>> {
        let mut found = Vec::new();
        for child in self.children.bind(py) {
            let child = child.cast_into::<Self>()?;
            if child.get().tag == tag {
                found.push(child.unbind());
            }
        }
        Ok(found)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let length = self.value.as_bytes(py).len();
        format!("<Tlv {:02X} {length} bytes>", self.tag)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Py<PyAny> {
        let Ok(other) = other.cast::<Self>() else {
            return py.NotImplemented();
        };
        let other = other.get();
        // The value is the children's encoding: comparing it compares them
        let equal = self.tag == other.tag && self.value.as_bytes(py) == other.value.as_bytes(py);
        pyo3::types::PyBool::new(py, equal)
            .to_owned()
            .into_any()
            .unbind()
    }
}

#[pyfunction]
#[pyo3(signature = (data, *, max_depth = 16))]
fn tlv_decode(py: Python<'_>, data: Data<'_>, max_depth: usize) -> PyResult<Vec<Py<Tlv>>> {
    let objects = wire::tlv::decode(data.as_slice(), max_depth).map_err(|e| failure(py, e))?;
    objects.iter().map(|object| build(py, object)).collect()
}

#[pyfunction]
fn tlv_encode<'py>(py: Python<'py>, tag: u32, value: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
    let encoded = wire::tlv::encode(tag, value.as_slice()).map_err(|e| failure(py, e))?;
    Ok(PyBytes::new(py, &encoded))
}

/// Recursion is bounded by the decoder's depth.
fn build(py: Python<'_>, object: &wire::tlv::Tlv<'_>) -> PyResult<Py<Tlv>> {
    let children: Vec<_> = object
        .children
        .iter()
        .map(|child| build(py, child))
        .collect::<PyResult<_>>()?;
    let tlv = Tlv {
        tag: object.tag,
        constructed: object.constructed,
        value: PyBytes::new(py, object.value).unbind(),
        children: PyTuple::new(py, children)?.unbind(),
    };
    Py::new(py, tlv)
}

fn failure(py: Python<'_>, error: wire::TlvError) -> PyErr {
    error::raise_at::<error::TlvError>(
        py,
        error.fault.code(),
        error.to_string(),
        Some(error.offset),
    )
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Tlv>()?;
    module.add_function(wrap_pyfunction!(tlv_decode, module)?)?;
    module.add_function(wrap_pyfunction!(tlv_encode, module)?)
}
