//! Secured packets in short messages for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::sms::{Kind, Segment, assemble, cut};

use crate::buffer::Data;
use crate::crypto::failure;

/// The user data of one message.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct SmsSegment(Segment);

#[pymethods]
impl SmsSegment {
    #[new]
    #[pyo3(signature = (user_data, /))]
    fn new(py: Python<'_>, user_data: Data<'_>) -> PyResult<Self> {
        Segment::read(user_data.as_slice())
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[getter]
    fn kind(&self) -> Option<&'static str> {
        self.0.kind.map(name)
    }

    #[getter]
    const fn reference(&self) -> Option<u16> {
        self.0.reference
    }

    #[getter]
    const fn total(&self) -> u8 {
        self.0.total
    }

    #[getter]
    const fn index(&self) -> u8 {
        self.0.index
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    fn __repr__(&self) -> String {
        format!("<SmsSegment {} of {}>", self.0.index, self.0.total)
    }
}

#[pyfunction]
#[pyo3(signature = (packet, *, kind, reference))]
fn sms_cut<'py>(
    py: Python<'py>,
    packet: Data<'_>,
    kind: &str,
    reference: u8,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let kind = match kind {
        "command" => Kind::Command,
        "response" => Kind::Response,
        _ => {
            let (field, reason) = ("kind", "is neither command nor response");
            return Err(failure(py, CryptoError::BadInput { field, reason }));
        }
    };
    let messages = cut(kind, packet.as_slice(), reference).map_err(|e| failure(py, e))?;
    Ok(messages
        .iter()
        .map(|message| PyBytes::new(py, message))
        .collect())
}

#[pyfunction]
fn sms_assemble<'py>(
    py: Python<'py>,
    messages: Vec<Data<'py>>,
) -> PyResult<(&'static str, Bound<'py, PyBytes>)> {
    let (kind, packet) =
        assemble(messages.iter().map(Data::as_slice)).map_err(|e| failure(py, e))?;
    Ok((name(kind), PyBytes::new(py, &packet)))
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Command => "command",
        Kind::Response => "response",
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SmsSegment>()?;
    module.add_function(wrap_pyfunction!(sms_cut, module)?)?;
    module.add_function(wrap_pyfunction!(sms_assemble, module)?)
}
