//! Elements, XML and WBXML for Python. A Python element is a reference into a shared tree.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString, PyTuple};
use wire::{Attribute, Content, Limits};

use crate::buffer::Data;
use crate::error;

/// An element of a document.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Element(Arc<wire::Element>);

#[pymethods]
impl Element {
    #[new]
    #[pyo3(
        signature = (name, content = None, *, attributes = None, namespace = ""),
        text_signature = "(name, content=(), *, attributes=(), namespace='')"
    )]
    fn new(
        py: Python<'_>,
        name: String,
        content: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        namespace: &str,
    ) -> PyResult<Self> {
        let mut pieces = Vec::new();
        if let Some(content) = content {
            for piece in content.try_iter()? {
                pieces.push(piece_of(&piece?)?);
            }
        }
        let mut pairs = Vec::new();
        if let Some(attributes) = attributes {
            for pair in attributes.try_iter()? {
                let (name, value): (String, String) = pair?.extract()?;
                pairs.push(Attribute {
                    name: name.into(),
                    value,
                });
            }
        }
        let element =
            wire::Element::new(name, namespace, pairs, pieces).map_err(|e| failure(py, e))?;
        Ok(Self(Arc::new(element)))
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter]
    fn namespace(&self) -> &str {
        self.0.namespace()
    }

    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let pairs = self.0.attributes().iter();
        let pairs: Vec<_> = pairs
            .map(|pair| (pair.name.as_ref(), pair.value.as_str()))
            .collect();
        PyTuple::new(py, pairs)
    }

    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut pieces = Vec::with_capacity(self.0.content().len());
        for piece in self.0.content() {
            pieces.push(match piece {
                Content::Element(child) => Bound::new(py, Self(Arc::clone(child)))?.into_any(),
                Content::Text(text) => PyString::new(py, text).into_any(),
                Content::Data(data) => PyBytes::new(py, data).into_any(),
            });
        }
        PyTuple::new(py, pieces)
    }

    #[getter]
    fn text(&self, py: Python<'_>) -> PyResult<String> {
        self.0.text().map_err(|e| failure(py, e))
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data())
    }

    fn find(&self, name: &str) -> Option<Self> {
        self.0
            .children(name)
            .next()
            .map(|child| Self(Arc::clone(child)))
    }

    fn findall(&self, name: &str) -> Vec<Self> {
        self.0
            .children(name)
            .map(|child| Self(Arc::clone(child)))
            .collect()
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.0.attribute(name)
    }

    // Content may hold passwords: the name and the size must do
    fn __repr__(&self) -> String {
        let pieces = self.0.content().len();
        format!("<Element {} with {pieces} pieces>", self.0.name())
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Py<PyAny> {
        match other.cast::<Self>() {
            Ok(other) => PyBool::new(py, self.0 == other.get().0)
                .to_owned()
                .into_any()
                .unbind(),
            Err(_) => py.NotImplemented(),
        }
    }
}

fn piece_of(piece: &Bound<'_, PyAny>) -> PyResult<Content> {
    if let Ok(element) = piece.cast::<Element>() {
        Ok(Content::Element(Arc::clone(&element.get().0)))
    } else if let Ok(text) = piece.cast::<PyString>() {
        Ok(Content::Text(text.extract()?))
    } else if let Ok(data) = piece.extract::<Data<'_>>() {
        Ok(Content::Data(data.as_slice().to_vec()))
    } else {
        Err(PyTypeError::new_err(
            "content is made of elements, texts and bytes",
        ))
    }
}

#[pyfunction]
#[pyo3(signature = (data, *, max_depth = 64, max_bytes = 1_048_576))]
fn xml_decode(
    py: Python<'_>,
    data: Data<'_>,
    max_depth: usize,
    max_bytes: usize,
) -> PyResult<Element> {
    let limits = Limits {
        max_depth,
        max_bytes,
    };
    decoded(py, wire::xml::decode(data.as_slice(), limits))
}

#[pyfunction]
#[pyo3(signature = (data, *, max_depth = 64, max_bytes = 1_048_576))]
fn wbxml_decode(
    py: Python<'_>,
    data: Data<'_>,
    max_depth: usize,
    max_bytes: usize,
) -> PyResult<Element> {
    let limits = Limits {
        max_depth,
        max_bytes,
    };
    decoded(py, wire::wbxml::decode(data.as_slice(), limits))
}

#[pyfunction]
fn xml_encode<'py>(py: Python<'py>, root: &Element) -> PyResult<Bound<'py, PyBytes>> {
    encoded(py, wire::xml::encode(&root.0))
}

#[pyfunction]
fn wbxml_encode<'py>(py: Python<'py>, root: &Element) -> PyResult<Bound<'py, PyBytes>> {
    encoded(py, wire::wbxml::encode(&root.0))
}

fn decoded(py: Python<'_>, result: Result<wire::Element, wire::CodecError>) -> PyResult<Element> {
    match result {
        Ok(element) => Ok(Element(Arc::new(element))),
        Err(fault) => Err(failure(py, fault)),
    }
}

fn encoded(
    py: Python<'_>,
    result: Result<Vec<u8>, wire::CodecError>,
) -> PyResult<Bound<'_, PyBytes>> {
    match result {
        Ok(bytes) => Ok(PyBytes::new(py, &bytes)),
        Err(fault) => Err(failure(py, fault)),
    }
}

fn failure(py: Python<'_>, error: wire::CodecError) -> PyErr {
    error::raise_at::<error::CodecError>(py, error.fault.code(), error.to_string(), error.offset)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Element>()?;
    module.add_function(wrap_pyfunction!(xml_decode, module)?)?;
    module.add_function(wrap_pyfunction!(xml_encode, module)?)?;
    module.add_function(wrap_pyfunction!(wbxml_decode, module)?)?;
    module.add_function(wrap_pyfunction!(wbxml_encode, module)?)
}
