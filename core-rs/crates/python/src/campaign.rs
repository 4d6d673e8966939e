//! Work for many cards for Python: flat buffers in and out, the interpreter free meanwhile.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use session_crypto::campaign::{self, Cards, Packets};
use session_crypto::tuak::Parameters;
use zeroize::Zeroizing;

use crate::buffer::{Data, Key};
use crate::crypto::failure;
use crate::scp80::Scp80Spi;

#[pyfunction]
#[pyo3(signature = (
    subscribers, rands, sqns, amf, vectors, /, *, key_length = 16, mac_length = 8, res_length = 8,
    ck_length = 16, ik_length = 16, iterations = 1
))]
#[allow(clippy::too_many_arguments)] // five buffers, and the operator's choices by keyword
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
    if vectors.readonly() {
        return Err(PyBufferError::new_err(
            "vectors: a writable buffer is needed",
        ));
    }
    let parameters = Parameters {
        mac_length,
        res_length,
        ck_length,
        ik_length,
        iterations,
    };
    let subscribers = owned(subscribers.as_slice());
    let (rands, sqns) = (owned(rands.as_slice()), owned(sqns.as_slice()));
    let amf = owned(amf.as_slice());
    let mut made = Zeroizing::new(vec![0; vectors.item_count()]);
    py.detach(|| {
        let inputs: [&[u8]; 3] = [&rands, &sqns, &amf];
        campaign::tuak_vectors(key_length, &subscribers, inputs, parameters, &mut made)
    })
    .map_err(|e| failure(py, e))?;
    vectors.copy_from_slice(py, &made)
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
    let (cipher_keys, checksum_keys) = (
        owned(cipher_keys.as_slice()),
        owned(checksum_keys.as_slice()),
    );
    let (counters, data) = (owned(counters.as_slice()), owned(data.as_slice()));
    let tar = owned(tar.as_slice());
    let spi = spi.0;
    let built = py
        .detach(|| {
            let packets = Packets {
                kic,
                kid,
                code_length,
                spi,
                tar: &tar,
            };
            let cards = Cards {
                cipher_keys: &cipher_keys,
                checksum_keys: &checksum_keys,
                counters: &counters,
            };
            campaign::command_packets(packets, cards, &data, own_data)
        })
        .map_err(|e| failure(py, e))?;
    Ok(PyByteArray::new(py, &built))
}

/// A copy, wiped after use: while the interpreter is free anybody may write to a buffer.
fn owned(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(tuak_vectors, module)?)?;
    module.add_function(wrap_pyfunction!(scp80_commands, module)?)
}
