//! Keys and responses of 5G AKA, and sequence numbers, for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::five_g;
use session_crypto::sqn::{Clock, INDICES, MOST_SEQ, Sqn, Window};

use crate::buffer::Data;
use crate::crypto::failure;
use crate::milenage::array;
use crate::secret::{Key, Secret};

/// What a card has seen of sequence numbers.
#[pyclass(module = "cardea_core", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct SqnWindow(Window);

#[pyfunction]
fn res_star(
    py: Python<'_>,
    ck: Key<'_>,
    ik: Key<'_>,
    network: &str,
    rand: Data<'_>,
    res: Key<'_>,
) -> PyResult<Secret> {
    let (ck, ik, res) = (ck.as_slice(), ik.as_slice(), res.as_slice());
    five_g::res_star(ck, ik, network, rand.as_slice(), res)
        .map(Secret::from)
        .map_err(|e| failure(py, e))
}

#[pyfunction]
fn hres_star<'py>(
    py: Python<'py>,
    rand: Data<'_>,
    res_star: Key<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    match five_g::hres_star(rand.as_slice(), res_star.as_slice()) {
        Ok(hashed) => Ok(PyBytes::new(py, &hashed)),
        Err(fault) => Err(failure(py, fault)),
    }
}

#[pyfunction]
fn k_ausf(
    py: Python<'_>,
    ck: Key<'_>,
    ik: Key<'_>,
    network: &str,
    concealed_sqn: Data<'_>,
) -> PyResult<Secret> {
    let (ck, ik) = (ck.as_slice(), ik.as_slice());
    five_g::k_ausf(ck, ik, network, concealed_sqn.as_slice())
        .map(Secret::from)
        .map_err(|e| failure(py, e))
}

#[pyfunction]
fn k_seaf(py: Python<'_>, k_ausf: Key<'_>, network: &str) -> PyResult<Secret> {
    five_g::k_seaf(k_ausf.as_slice(), network)
        .map(Secret::from)
        .map_err(|e| failure(py, e))
}

#[pyfunction]
#[pyo3(
    signature = (last, *, clock = None, clock_bits = None, most_ahead = None),
    text_signature = "(last, *, clock=None, clock_bits=24, most_ahead=65536)"
)]
fn sqn_next<'py>(
    py: Python<'py>,
    last: Data<'_>,
    clock: Option<u64>,
    clock_bits: Option<u32>,
    most_ahead: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let clock = clock.map(|now| {
        let usual = Clock::new(now);
        Clock {
            bits: clock_bits.unwrap_or(usual.bits),
            most_ahead: most_ahead.unwrap_or(usual.most_ahead),
            ..usual
        }
    });
    match sqn(py, &last)?.next(clock) {
        Ok(next) => Ok(PyBytes::new(py, &next.to_bytes())),
        Err(fault) => Err(failure(py, fault)),
    }
}

#[pyfunction]
fn sqn_after_resynchronisation<'py>(
    py: Python<'py>,
    network: Data<'_>,
    card: Data<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let agreed = sqn(py, &network)?.after_resynchronisation(sqn(py, &card)?);
    Ok(PyBytes::new(py, &agreed.to_bytes()))
}

#[pymethods]
impl SqnWindow {
    #[new]
    fn new(py: Python<'_>, sqn: Data<'_>) -> PyResult<Self> {
        Ok(Self(Window::new(self::sqn(py, &sqn)?)))
    }

    #[staticmethod]
    fn from_seen(py: Python<'_>, seen: Vec<u64>) -> PyResult<Self> {
        let reason = "is not 32 numbers of 43 bits";
        let fault = CryptoError::BadInput {
            field: "seen",
            reason,
        };
        match <[u64; INDICES]>::try_from(seen) {
            Ok(seen) if seen.iter().all(|seq| *seq <= MOST_SEQ) => {
                Ok(Self(Window::from_seen(seen)))
            }
            _ => Err(failure(py, fault)),
        }
    }

    #[getter]
    fn seen(&self) -> Vec<u64> {
        self.0.seen().to_vec()
    }

    #[getter]
    fn highest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.highest().to_bytes())
    }

    #[pyo3(signature = (sqn, *, age_limit = None))]
    fn accept(&self, py: Python<'_>, sqn: Data<'_>, age_limit: Option<u64>) -> PyResult<Self> {
        let sqn = self::sqn(py, &sqn)?;
        self.0
            .accept(sqn, age_limit)
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    fn __repr__(&self) -> String {
        format!("<SqnWindow highest={}>", self.0.highest().seq)
    }
}

fn sqn(py: Python<'_>, data: &Data<'_>) -> PyResult<Sqn> {
    Ok(Sqn::from(array::<6>(py, "SQN", data)?))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SqnWindow>()?;
    module.add_function(wrap_pyfunction!(res_star, module)?)?;
    module.add_function(wrap_pyfunction!(hres_star, module)?)?;
    module.add_function(wrap_pyfunction!(k_ausf, module)?)?;
    module.add_function(wrap_pyfunction!(k_seaf, module)?)?;
    module.add_function(wrap_pyfunction!(sqn_next, module)?)?;
    module.add_function(wrap_pyfunction!(sqn_after_resynchronisation, module)?)
}
