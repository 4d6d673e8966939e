//! Batches for Python: flat buffers in, a writable buffer out, the interpreter free meanwhile.

use std::hint::black_box;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use session_crypto::batch;

use crate::buffer::{Data, Key};
use crate::crypto::failure;

#[pyfunction]
#[pyo3(signature = (subscribers, rands, sqns, amf, vectors, /))]
fn milenage_vectors(
    py: Python<'_>,
    subscribers: Key<'_>,
    rands: Data<'_>,
    sqns: Data<'_>,
    amf: Data<'_>,
    vectors: PyBuffer<u8>,
) -> PyResult<()> {
    if vectors.readonly() {
        return Err(PyBufferError::new_err(
            "vectors: a writable buffer is needed",
        ));
    }
    let (subscribers, rands) = (subscribers.as_slice(), rands.as_slice());
    let (sqns, amf) = (sqns.as_slice(), amf.as_slice());
    // Beside the buffer: while the interpreter is free anybody may look into it or shrink it
    let mut results = Wiped(vec![0; vectors.item_count()]);
    py.detach(|| batch::milenage_vectors(subscribers, rands, sqns, amf, &mut results.0))
        .map_err(|e| failure(py, e))?;
    vectors.copy_from_slice(py, &results.0)
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
    module.add_function(wrap_pyfunction!(milenage_vectors, module)?)
}
