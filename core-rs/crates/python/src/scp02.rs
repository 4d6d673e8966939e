//! SCP02 for Python: the three steps of the host, each a class. Keys go in and never come out.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::scp02::{Host, Level, Opening, Parameters, Session};

use crate::buffer::Data;
use crate::crypto::failure;
use crate::secret::Key;

/// A host before the card has answered.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp02Host(Mutex<Option<Host>>);

/// A card that has proved itself.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp02Opening(Mutex<Option<Opening>>);

/// An open channel.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp02Session(Mutex<Session>);

#[pymethods]
impl Scp02Host {
    #[new]
    #[pyo3(
        signature = (enc, mac, *, challenge, level = 0x13, key_version = 0, aid = None),
        text_signature = "(enc, mac, *, challenge, level=19, key_version=0, aid=None)"
    )]
    fn new(
        py: Python<'_>,
        enc: Key<'_>,
        mac: Key<'_>,
        challenge: Data<'_>,
        level: u8,
        key_version: u8,
        aid: Option<Data<'_>>,
    ) -> PyResult<Self> {
        let level = Level::try_from(level).map_err(|e| failure(py, e))?;
        let parameters = Parameters {
            key_version,
            aid: aid.map(|aid| aid.as_slice().to_vec()),
            ..Parameters::new(level)
        };
        let (enc, mac, challenge) = (enc.as_slice(), mac.as_slice(), challenge.as_slice());
        let host = Host::new(enc, mac, challenge, parameters).map_err(|e| failure(py, e))?;
        Ok(Self(Mutex::new(Some(host))))
    }

    fn initialize_update<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match lock(py, &self.0).as_ref() {
            Some(host) => Ok(PyBytes::new(py, &host.initialize_update())),
            None => Err(spent(py, "initialize_update")),
        }
    }

    fn receive(&self, py: Python<'_>, response: Data<'_>) -> PyResult<Scp02Opening> {
        let host = lock(py, &self.0)
            .take()
            .ok_or_else(|| spent(py, "receive"))?;
        match host.receive(response.as_slice()) {
            Ok(opening) => Ok(Scp02Opening(Mutex::new(Some(opening)))),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp02Host"))
    }

    fn __repr__(&self) -> &'static str {
        "<Scp02Host>"
    }
}

#[pymethods]
impl Scp02Opening {
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
    fn sequence_counter(&self, py: Python<'_>) -> PyResult<u16> {
        self.look(py, Opening::sequence_counter)
    }

    fn confirm(&self, py: Python<'_>, response: Data<'_>) -> PyResult<Scp02Session> {
        let opening = lock(py, &self.0)
            .take()
            .ok_or_else(|| spent(py, "confirm"))?;
        match opening.confirm(response.as_slice()) {
            Ok(session) => Ok(Scp02Session(Mutex::new(session))),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp02Opening"))
    }

    fn __repr__(&self) -> &'static str {
        "<Scp02Opening>"
    }
}

impl Scp02Opening {
    fn look<T>(&self, py: Python<'_>, read: impl FnOnce(&Opening) -> T) -> PyResult<T> {
        match lock(py, &self.0).as_ref() {
            Some(opening) => Ok(read(opening)),
            None => Err(spent(py, "reading")),
        }
    }
}

#[pymethods]
impl Scp02Session {
    #[getter]
    fn level(&self, py: Python<'_>) -> u8 {
        lock(py, &self.0).level() as u8
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        lock(py, &self.0).is_closed()
    }

    #[pyo3(signature = (command, /))]
    fn wrap<'py>(&self, py: Python<'py>, command: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
        match lock(py, &self.0).wrap(command.as_slice()) {
            Ok(wrapped) => Ok(PyBytes::new(py, wrapped)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[pyo3(signature = (response, /))]
    fn unwrap<'py>(&self, py: Python<'py>, response: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
        match lock(py, &self.0).unwrap(response.as_slice()) {
            Ok((data, status)) => PyBytes::new_with(py, data.len() + 2, |opened| {
                let (body, end) = opened.split_at_mut(data.len());
                body.copy_from_slice(data);
                end.copy_from_slice(&status);
                Ok(())
            }),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(kept("Scp02Session"))
    }

    fn __repr__(&self) -> String {
        let Some(session) = self.try_lock() else {
            return "<Scp02Session in use>".into();
        };
        let closed = if session.is_closed() { " closed" } else { "" };
        format!(
            "<Scp02Session level={:#04x}{closed}>",
            session.level() as u8
        )
    }
}

impl Scp02Session {
    /// The session, unless somebody else uses it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Session>> {
        match self.0.try_lock() {
            Ok(session) => Some(session),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A batch may have what is asked for, and for long: whoever waits for it leaves the interpreter to
/// others. Nothing panics while it holds a lock; should it, what it held is still whole enough to refuse.
fn lock<'a, T>(py: Python<'_>, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
    mutex
        .lock_py_attached(py)
        .unwrap_or_else(PoisonError::into_inner)
}

fn spent(py: Python<'_>, step: &'static str) -> PyErr {
    let reason = "this step has been taken";
    failure(py, CryptoError::WrongState { step, reason })
}

fn kept(name: &str) -> PyErr {
    PyTypeError::new_err(format!("a {name} cannot be pickled or copied"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Scp02Host>()?;
    module.add_class::<Scp02Opening>()?;
    module.add_class::<Scp02Session>()
}
