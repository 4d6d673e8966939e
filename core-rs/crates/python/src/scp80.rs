//! Secured packets for Python. Keys go in and never come out.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::scp80::{
    Check, Command, CounterMode, Header, KeySet, Receipt, Response, Spi, Status, advance,
};

use crate::buffer::Data;
use crate::crypto::failure;
use crate::milenage::array;
use crate::secret::Key;

/// The security parameter indicator.
#[pyclass(module = "cardea_core", name = "Scp80Spi", frozen, eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct Scp80Spi(pub(crate) Spi);

/// The keys of one card.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp80Keys(KeySet);

/// A command packet: its clear part, or all of it.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp80Command {
    header: Header,
    opened: Option<Command>,
}

/// A response packet.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Scp80Response(Response);

const CHECKS: [(&str, Check); 4] = [
    ("none", Check::None),
    ("rc", Check::Redundancy),
    ("cc", Check::Cryptographic),
    ("ds", Check::Signature),
];
const COUNTERS: [(&str, CounterMode); 4] = [
    ("none", CounterMode::None),
    ("unchecked", CounterMode::Unchecked),
    ("higher", CounterMode::Higher),
    ("next", CounterMode::Next),
];
const RECEIPTS: [(&str, Receipt); 3] = [
    ("never", Receipt::Never),
    ("always", Receipt::Always),
    ("on_error", Receipt::OnError),
];

#[pymethods]
impl Scp80Spi {
    #[new]
    #[pyo3(
        signature = (
            *, check = "none", ciphered = false, counter = "none", receipt = "never",
            receipt_check = "none", receipt_ciphered = false, receipt_by_submit = false
        ),
        text_signature = "(*, check='none', ciphered=False, counter='none', receipt='never', \
                          receipt_check='none', receipt_ciphered=False, receipt_by_submit=False)"
    )]
    #[allow(clippy::too_many_arguments)] // the fields of the indicator, all by keyword
    fn new(
        py: Python<'_>,
        check: &str,
        ciphered: bool,
        counter: &str,
        receipt: &str,
        receipt_check: &str,
        receipt_ciphered: bool,
        receipt_by_submit: bool,
    ) -> PyResult<Self> {
        Ok(Self(Spi {
            check: named(py, "check", &CHECKS, check)?,
            ciphered,
            counter: named(py, "counter", &COUNTERS, counter)?,
            receipt: named(py, "receipt", &RECEIPTS, receipt)?,
            receipt_check: named(py, "receipt_check", &CHECKS, receipt_check)?,
            receipt_ciphered,
            receipt_by_submit,
        }))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: Data<'_>) -> PyResult<Self> {
        let bytes: [u8; 2] = array(py, "SPI", &data)?;
        Spi::try_from(bytes).map(Self).map_err(|e| failure(py, e))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    #[getter]
    fn check(&self) -> &'static str {
        name(&CHECKS, self.0.check)
    }

    #[getter]
    const fn ciphered(&self) -> bool {
        self.0.ciphered
    }

    #[getter]
    fn counter(&self) -> &'static str {
        name(&COUNTERS, self.0.counter)
    }

    #[getter]
    fn receipt(&self) -> &'static str {
        name(&RECEIPTS, self.0.receipt)
    }

    #[getter]
    fn receipt_check(&self) -> &'static str {
        name(&CHECKS, self.0.receipt_check)
    }

    #[getter]
    const fn receipt_ciphered(&self) -> bool {
        self.0.receipt_ciphered
    }

    #[getter]
    const fn receipt_by_submit(&self) -> bool {
        self.0.receipt_by_submit
    }

    fn advance(&self, py: Python<'_>, stored: u64, received: u64) -> PyResult<u64> {
        advance(self.0.counter, stored, received).map_err(|e| failure(py, e))
    }

    fn __hash__(&self) -> u64 {
        let [command, receipt] = self.0.to_bytes();
        u64::from(command) << 8 | u64::from(receipt)
    }

    fn __repr__(&self) -> String {
        let [command, receipt] = self.0.to_bytes();
        format!("<Scp80Spi {command:02x}{receipt:02x}>")
    }
}

#[pymethods]
impl Scp80Keys {
    #[new]
    #[pyo3(signature = (kic, cipher_key, kid, checksum_key, *, code_length = 8))]
    fn new(
        py: Python<'_>,
        kic: u8,
        cipher_key: Key<'_>,
        kid: u8,
        checksum_key: Key<'_>,
        code_length: usize,
    ) -> PyResult<Self> {
        let (cipher_key, checksum_key) = (cipher_key.as_slice(), checksum_key.as_slice());
        KeySet::new(kic, cipher_key, kid, checksum_key, code_length)
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[getter]
    const fn kic(&self) -> u8 {
        self.0.kic()
    }

    #[getter]
    const fn kid(&self) -> u8 {
        self.0.kid()
    }

    #[pyo3(signature = (data, *, spi, tar, counter = 0))]
    fn build_command<'py>(
        &self,
        py: Python<'py>,
        data: Data<'_>,
        spi: &Scp80Spi,
        tar: Data<'_>,
        counter: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (tar, data) = (tar.as_slice(), data.as_slice());
        match self.0.build_command(spi.0, tar, counter, data) {
            Ok(packet) => Ok(PyBytes::new(py, &packet)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[pyo3(signature = (packet, *, least))]
    fn open_command(
        &self,
        py: Python<'_>,
        packet: Data<'_>,
        least: &Scp80Spi,
    ) -> PyResult<Scp80Command> {
        match self.0.open_command(least.0, packet.as_slice()) {
            Ok(command) => Ok(Scp80Command {
                header: command.header,
                opened: Some(command),
            }),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[pyo3(signature = (data, *, spi, tar, status, counter = 0))]
    fn build_response<'py>(
        &self,
        py: Python<'py>,
        data: Data<'_>,
        spi: &Scp80Spi,
        tar: Data<'_>,
        status: u8,
        counter: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (tar, data) = (tar.as_slice(), data.as_slice());
        match self
            .0
            .build_response(spi.0, tar, counter, Status(status), data)
        {
            Ok(packet) => Ok(PyBytes::new(py, &packet)),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[pyo3(signature = (packet, *, spi))]
    fn open_response(
        &self,
        py: Python<'_>,
        packet: Data<'_>,
        spi: &Scp80Spi,
    ) -> PyResult<Scp80Response> {
        self.0
            .open_response(spi.0, packet.as_slice())
            .map(Scp80Response)
            .map_err(|e| failure(py, e))
    }

    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "Scp80Keys cannot be pickled or copied",
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "<Scp80Keys kic={:02x} kid={:02x}>",
            self.0.kic(),
            self.0.kid()
        )
    }
}

#[pymethods]
impl Scp80Command {
    #[staticmethod]
    fn peek(py: Python<'_>, packet: Data<'_>) -> PyResult<Self> {
        match Header::read(packet.as_slice()) {
            Ok(header) => Ok(Self {
                header,
                opened: None,
            }),
            Err(fault) => Err(failure(py, fault)),
        }
    }

    #[getter]
    const fn spi(&self) -> Scp80Spi {
        Scp80Spi(self.header.spi)
    }

    #[getter]
    const fn kic(&self) -> u8 {
        self.header.kic
    }

    #[getter]
    const fn kid(&self) -> u8 {
        self.header.kid
    }

    #[getter]
    fn tar<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.header.tar)
    }

    #[getter]
    fn counter(&self) -> Option<u64> {
        self.opened.as_ref().map(|command| command.counter)
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let command = self.opened.as_ref()?;
        Some(PyBytes::new(py, &command.data))
    }

    fn __repr__(&self) -> String {
        let [a, b, c] = self.header.tar;
        format!("<Scp80Command tar={a:02x}{b:02x}{c:02x}>")
    }
}

#[pymethods]
impl Scp80Response {
    #[getter]
    fn tar<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.tar)
    }

    #[getter]
    const fn counter(&self) -> u64 {
        self.0.counter
    }

    #[getter]
    const fn status(&self) -> u8 {
        self.0.status.0
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    fn __repr__(&self) -> String {
        format!("<Scp80Response status={:02x}>", self.0.status.0)
    }
}

fn named<T: Copy>(
    py: Python<'_>,
    field: &'static str,
    names: &[(&str, T)],
    word: &str,
) -> PyResult<T> {
    match names.iter().find(|(name, _)| *name == word) {
        Some((_, value)) => Ok(*value),
        None => {
            let reason = "is none of its words";
            Err(failure(py, CryptoError::BadInput { field, reason }))
        }
    }
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    let found = names.iter().find(|(_, named)| *named == value);
    found.map_or("", |(name, _)| name)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Scp80Spi>()?;
    module.add_class::<Scp80Keys>()?;
    module.add_class::<Scp80Command>()?;
    module.add_class::<Scp80Response>()
}
