//! Work for many cards for Python: flat buffers in and out, the interpreter free meanwhile.

use std::hint::black_box;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use session_crypto::CryptoError;
use session_crypto::batch::{self, Cards, Packets};
use session_crypto::scp02::Session;
use session_crypto::tuak::Parameters;

use crate::buffer::Data;
use crate::crypto::failure;
use crate::milenage;
use crate::scp02::Scp02Session;
use crate::scp80::Scp80Spi;
use crate::secret::Key;

#[pyfunction]
#[pyo3(signature = (
    subscribers, rands, sqns, amf, vectors, /, *, rotations = None, constants = None
))]
#[allow(clippy::too_many_arguments)] // five buffers, and the operator's choices by keyword
fn milenage_vectors(
    py: Python<'_>,
    subscribers: Key<'_>,
    rands: Data<'_>,
    sqns: Data<'_>,
    amf: Data<'_>,
    vectors: PyBuffer<u8>,
    rotations: Option<[u8; 5]>,
    constants: Option<Data<'_>>,
) -> PyResult<()> {
    let chosen = milenage::chosen(rotations, constants).map_err(|e| failure(py, e))?;
    let subscribers = subscribers.as_slice();
    let inputs = [rands.as_slice(), sqns.as_slice(), amf.as_slice()];
    fill(py, "vectors", &vectors, |vectors| {
        batch::milenage_vectors(subscribers, inputs, chosen, vectors)
    })
}

#[pyfunction]
#[pyo3(signature = (
    subscribers, rands, sqns, amf, vectors, /, *, key_length = 16, mac_length = 8, res_length = 8,
    ck_length = 16, ik_length = 16, iterations = 1
))]
#[allow(clippy::too_many_arguments)] // as above
fn tuak_vectors(
    py: Python<'_>,
    subscribers: Key<'_>,
    rands: Data<'_>,
    sqns: Data<'_>,
    amf: Data<'_>,
    vectors: PyBuffer<u8>,
    key_length: usize,
    mac_length: usize,
    res_length: usize,
    ck_length: usize,
    ik_length: usize,
    iterations: u32,
) -> PyResult<()> {
    let parameters = Parameters {
        mac_length,
        res_length,
        ck_length,
        ik_length,
        iterations,
    };
    let subscribers = subscribers.as_slice();
    let inputs = [rands.as_slice(), sqns.as_slice(), amf.as_slice()];
    fill(py, "vectors", &vectors, |vectors| {
        batch::tuak_vectors(key_length, subscribers, inputs, parameters, vectors)
    })
}

#[pyfunction]
#[pyo3(signature = (master, data, keys, /))]
fn diversified_keys_des(
    py: Python<'_>,
    master: Key<'_>,
    data: Data<'_>,
    keys: PyBuffer<u8>,
) -> PyResult<()> {
    let (master, data) = (master.as_slice(), data.as_slice());
    fill(py, "keys", &keys, |keys| {
        batch::diversified_keys_des(master, data, keys)
    })
}

#[pyfunction]
#[pyo3(signature = (master, data, keys, /))]
fn diversified_keys_aes(
    py: Python<'_>,
    master: Key<'_>,
    data: Data<'_>,
    keys: PyBuffer<u8>,
) -> PyResult<()> {
    let (master, data) = (master.as_slice(), data.as_slice());
    fill(py, "keys", &keys, |keys| {
        batch::diversified_keys_aes(master, data, keys)
    })
}

#[pyfunction]
#[pyo3(signature = (
    kic, cipher_keys, kid, checksum_keys, *, counters, data, spi, tar, own_data = false,
    code_length = 8
))]
#[allow(clippy::too_many_arguments)] // the keys, and by keyword what a packet is made of
fn scp80_commands<'py>(
    py: Python<'py>,
    kic: u8,
    cipher_keys: Key<'_>,
    kid: u8,
    checksum_keys: Key<'_>,
    counters: Data<'_>,
    data: Data<'_>,
    spi: &Scp80Spi,
    tar: Data<'_>,
    own_data: bool,
    code_length: usize,
) -> PyResult<Bound<'py, PyByteArray>> {
    let packets = Packets {
        kic,
        kid,
        code_length,
        spi: spi.0,
        tar: tar.as_slice(),
    };
    let cards = Cards {
        cipher_keys: cipher_keys.as_slice(),
        checksum_keys: checksum_keys.as_slice(),
        counters: counters.as_slice(),
    };
    let data = data.as_slice();
    py.detach(|| batch::command_packets(packets, cards, data, own_data))
        .map(|built| PyByteArray::new(py, &built))
        .map_err(|e| failure(py, e))
}

#[pyfunction]
#[pyo3(signature = (
    kic, cipher_keys, kid, checksum_keys, *, counters, packets, spi, code_length = 8
))]
#[allow(clippy::too_many_arguments)] // as above
fn scp80_receipts<'py>(
    py: Python<'py>,
    kic: u8,
    cipher_keys: Key<'_>,
    kid: u8,
    checksum_keys: Key<'_>,
    counters: Data<'_>,
    packets: Data<'_>,
    spi: &Scp80Spi,
    code_length: usize,
) -> PyResult<Bound<'py, PyByteArray>> {
    let (responses, tar) = (packets.as_slice(), &[]);
    let packets = Packets {
        kic,
        kid,
        code_length,
        spi: spi.0,
        tar,
    };
    let cards = Cards {
        cipher_keys: cipher_keys.as_slice(),
        checksum_keys: checksum_keys.as_slice(),
        counters: counters.as_slice(),
    };
    py.detach(|| batch::receipts(packets, cards, responses))
        .map(|records| PyByteArray::new(py, &records))
        .map_err(|e| failure(py, e))
}

#[pyfunction]
#[pyo3(signature = (sessions, commands, /, *, own_commands = false))]
fn scp02_wrap_many<'py>(
    py: Python<'py>,
    sessions: Vec<Py<Scp02Session>>,
    commands: Data<'_>,
    own_commands: bool,
) -> PyResult<Bound<'py, PyByteArray>> {
    let commands = commands.as_slice();
    with_all(py, "wrap", &sessions, |sessions| {
        batch::scp02_wrap(sessions, commands, own_commands)
    })
}

#[pyfunction]
#[pyo3(signature = (sessions, responses, /))]
fn scp02_unwrap_many<'py>(
    py: Python<'py>,
    sessions: Vec<Py<Scp02Session>>,
    responses: Data<'_>,
) -> PyResult<Bound<'py, PyByteArray>> {
    let responses = responses.as_slice();
    with_all(py, "unwrap", &sessions, |sessions| {
        batch::scp02_unwrap(sessions, responses)
    })
}

/// Works on sessions that nobody else uses meanwhile. Their locks are tried and not waited for, or two
/// batches could wait for each other; and they are given back before the interpreter is waited for.
fn with_all<'py>(
    py: Python<'py>,
    step: &'static str,
    sessions: &[Py<Scp02Session>],
    work: impl FnOnce(&mut [&mut Session]) -> Result<Vec<u8>, CryptoError> + Send,
) -> PyResult<Bound<'py, PyByteArray>> {
    let results = py.detach(|| {
        let reason = "a session is in use, or has been named twice";
        let taken = sessions.iter().map(|session| session.get().try_lock());
        let mut taken: Vec<_> = taken
            .collect::<Option<_>>()
            .ok_or(CryptoError::WrongState { step, reason })?;
        work(
            &mut taken
                .iter_mut()
                .map(|session| &mut **session)
                .collect::<Vec<_>>(),
        )
    });
    results
        .map(|results| PyByteArray::new(py, &results))
        .map_err(|e| failure(py, e))
}

/// Fills a writable buffer of the caller's. The work is done beside it: while the interpreter is free
/// anybody may look into it or shrink it.
fn fill(
    py: Python<'_>,
    name: &str,
    buffer: &PyBuffer<u8>,
    work: impl FnOnce(&mut [u8]) -> Result<(), CryptoError> + Send,
) -> PyResult<()> {
    if buffer.readonly() {
        let reason = format!("{name}: a writable buffer is needed");
        return Err(PyBufferError::new_err(reason));
    }
    let mut results = Wiped(vec![0; buffer.item_count()]);
    py.detach(|| work(&mut results.0))
        .map_err(|e| failure(py, e))?;
    buffer.copy_from_slice(py, &results.0)
}

/// Many bytes that are wiped at the speed of memory: `zeroize` takes longer for a vector than AES.
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // As if it were looked at, so that the zeros have to be there
        black_box(&self.0);
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(milenage_vectors, module)?)?;
    module.add_function(wrap_pyfunction!(tuak_vectors, module)?)?;
    module.add_function(wrap_pyfunction!(diversified_keys_des, module)?)?;
    module.add_function(wrap_pyfunction!(diversified_keys_aes, module)?)?;
    module.add_function(wrap_pyfunction!(scp02_wrap_many, module)?)?;
    module.add_function(wrap_pyfunction!(scp02_unwrap_many, module)?)?;
    module.add_function(wrap_pyfunction!(scp80_commands, module)?)?;
    module.add_function(wrap_pyfunction!(scp80_receipts, module)?)
}
