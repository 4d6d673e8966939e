//! The exceptions of the module. Each carries `code`, a name for programs to act on.
//!
//! None carries input bytes: an error may end up in a log, and inputs may be keys.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    cardea_core,
    CoreError,
    PyException,
    "Base of everything this module raises; `code` names the cause."
);
create_exception!(
    cardea_core,
    TlvError,
    CoreError,
    "BER-TLV that cannot be read or written; `offset` is where."
);
create_exception!(
    cardea_core,
    CodecError,
    CoreError,
    "XML or WBXML that cannot be read or written; `offset` is where."
);
create_exception!(
    cardea_core,
    CryptoError,
    CoreError,
    "An input of a wrong shape, or a check that failed."
);
create_exception!(
    cardea_core,
    BadMac,
    CryptoError,
    "A message authentication code or credential that does not fit."
);
create_exception!(
    cardea_core,
    TreeError,
    CoreError,
    "A path or a claim that the management tree does not allow."
);

/// An exception of type `E` with its `code` set.
pub(crate) fn raise<E>(py: Python<'_>, code: &'static str, message: String) -> PyErr
where
    E: pyo3::type_object::PyTypeInfo,
{
    raise_at::<E>(py, code, message, None)
}

/// An exception of type `E` with its `code` and the byte offset of the fault set.
pub(crate) fn raise_at<E>(
    py: Python<'_>,
    code: &'static str,
    message: String,
    offset: Option<usize>,
) -> PyErr
where
    E: pyo3::type_object::PyTypeInfo,
{
    let error = PyErr::from_type(py.get_type::<E>(), message);
    let value = error.value(py);
    let marked = value.setattr("code", code).and_then(|()| match offset {
        Some(offset) => value.setattr("offset", offset),
        None => Ok(()),
    });
    match marked {
        Ok(()) => error,
        Err(failure) => failure,
    }
}

/// Adds the exceptions; `code` and `offset` have class-wide defaults so that they can always be read.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let base = py.get_type::<CoreError>();
    base.setattr("code", "core_error")?;
    module.add("CoreError", base)?;
    for (name, class) in [
        ("TlvError", py.get_type::<TlvError>()),
        ("CodecError", py.get_type::<CodecError>()),
    ] {
        class.setattr("offset", py.None())?;
        module.add(name, class)?;
    }
    module.add("CryptoError", py.get_type::<CryptoError>())?;
    module.add("BadMac", py.get_type::<BadMac>())?;
    module.add("TreeError", py.get_type::<TreeError>())
}
