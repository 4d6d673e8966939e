//! SCP03 for Python: the three steps of the host, each a class. Keys go in and never come out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::scp03::{DataLessCounter, Host, Level, Opening, Parameters, Session};

use crate::buffer::Data;
use crate::crypto::failure;
use crate::secret::Key;

/// A host before the card has answered.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp03Host(Mutex<Option<Host>>);

/// A card that has proved itself.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp03Opening(Mutex<Option<Opening>>);

/// An open channel. It is not frozen: a mutable borrow, which nothing can meet because no method
/// lets go of the interpreter, costs half of what a mutex would, and a mutex is a tenth of a command.
#[pyclass(module = "cardea_core")]
pub(crate) struct Scp03Session(Session);

#[pymethods]
impl Scp03Host {
    #[new]
    #[pyo3(
        signature = (
            enc, mac, *, challenge, level = 0x33, key_version = 0, key_id = 0, aid = None,
            counts_data_less = true
        ),
        text_signature = "(enc, mac, *, challenge, level=51, key_version=0, key_id=0, aid=None, \
                          counts_data_less=True)"
    )]
    #[allow(clippy::too_many_arguments)] // the choices of a session, all by keyword
    fn new(
        py: Python<'_>,
        enc: Key<'_>,
        mac: Key<'_>,
        challenge: Data<'_>,
        level: u8,
        key_version: u8,
        key_id: u8,
        aid: Option<Data<'_>>,
        counts_data_less: bool,
    ) -> PyResult<Self> {
        let level = Level::try_from(level).map_err(|e| failure(py, e))?;
        let parameters = Parameters {
            key_version,
            key_id,
            data_less_counter: if counts_data_less {
                DataLessCounter::Advances
            } else {
                DataLessCounter::Stands
            },
            aid: aid.map(|aid| aid.as_slice().to_vec()),
            ..Parameters::new(level)
        };
        let (enc, mac, challenge) = (enc.as_slice(), mac.as_slice(), challenge.as_slice());
        let host = Host::new(enc, mac, challenge, parameters).map_err(|e| failure(py, e))?;
        Ok(Self(Mutex::new(Some(host))))
    }

    fn initialize_update<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match lock(&self.0).as_ref() {
            Some(host) => Ok(PyBytes::new(py, &host.initialize_update())),
            None => Err(spent(py, "initialize_update")),
        }
    }

    fn receive(&self, py: Python<'_>, response: Data<'_>) -> PyResult<Scp03Opening> {
        let host = lock(&self.0).take().ok_or_else(|| spent(py, "receive"))?;
        match host.receive(response.as_slice()) {
            Ok(opening) => Ok(Scp03Opening(Mutex::new(Some(opening)))),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp03Host"))
    }

    fn __repr__(&self) -> &'static str {
        "<Scp03Host>"
    }
}

#[pymethods]
impl Scp03Opening {
    #[getter]
    fn external_authenticate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.look(py, |opening| {
            PyBytes::new(py, opening.external_authenticate())
        })
    }

    #[getter]
    fn diversification<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.look(py, |opening| PyBytes::new(py, opening.diversification()))
    }

    #[getter]
    fn key_version(&self, py: Python<'_>) -> PyResult<u8> {
        self.look(py, Opening::key_version)
    }

    #[getter]
    fn parameter(&self, py: Python<'_>) -> PyResult<u8> {
        self.look(py, Opening::parameter)
    }

    #[getter]
    fn sequence_counter<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.look(py, |opening| {
            let counter = opening.sequence_counter();
            counter.map(|counter| PyBytes::new(py, counter))
        })
    }

    fn confirm(&self, py: Python<'_>, response: Data<'_>) -> PyResult<Scp03Session> {
        let opening = lock(&self.0).take().ok_or_else(|| spent(py, "confirm"))?;
        match opening.confirm(response.as_slice()) {
            Ok(session) => Ok(Scp03Session(session)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp03Opening"))
    }

    fn __repr__(&self) -> &'static str {
        "<Scp03Opening>"
    }
}

impl Scp03Opening {
    fn look<T>(&self, py: Python<'_>, read: impl FnOnce(&Opening) -> T) -> PyResult<T> {
        match lock(&self.0).as_ref() {
            Some(opening) => Ok(read(opening)),
            None => Err(spent(py, "reading")),
        }
    }
}

#[pymethods]
impl Scp03Session {
    #[getter]
    fn level(&self) -> u8 {
        self.0.level() as u8
    }

    #[getter]
    fn counter(&self) -> u128 {
        self.0.counter()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    #[pyo3(signature = (command, /))]
    fn wrap<'py>(&mut self, py: Python<'py>, command: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
        match self.0.wrap(command.as_slice()) {
            Ok(wrapped) => Ok(PyBytes::new(py, wrapped)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[pyo3(signature = (response, /))]
    fn unwrap<'py>(
        &mut self,
        py: Python<'py>,
        response: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self.0.unwrap(response.as_slice()) {
            Ok(opened) => Ok(PyBytes::new(py, opened)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp03Session"))
    }

    fn __repr__(&self) -> String {
        let session = &self.0;
        let (level, counter) = (session.level() as u8, session.counter());
        let closed = if session.is_closed() { " closed" } else { "" };
        format!("<Scp03Session level={level:#04x} counter={counter}{closed}>")
    }
}

#[pyfunction]
fn scp03_card_challenge<'py>(
    py: Python<'py>,
    enc: Key<'_>,
    sequence_counter: Data<'_>,
    aid: Data<'_>,
    length: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let (counter, aid) = (sequence_counter.as_slice(), aid.as_slice());
    match session_crypto::scp03::card_challenge(enc.as_slice(), counter, aid, length) {
        Ok(challenge) => Ok(PyBytes::new(py, &challenge)),
        Err(fault) => Err(failure(py, fault)),
    }
}

/// Nothing panics while it holds a lock; should it, what it held is still whole enough to refuse.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spent(py: Python<'_>, step: &'static str) -> PyErr {
    let reason = "this step has been taken";
    failure(py, CryptoError::WrongState { step, reason })
}

fn kept(name: &str) -> PyErr {
    PyTypeError::new_err(format!("a {name} cannot be pickled or copied"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Scp03Host>()?;
    module.add_class::<Scp03Opening>()?;
    module.add_class::<Scp03Session>()?;
    module.add_function(wrap_pyfunction!(scp03_card_challenge, module)?)
}
