//! DM and HTTP credentials, GBA keys and the push code for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::http_digest::{Qop, Request};
use session_crypto::{CryptoError, dm_auth, gba, push};

use crate::buffer::Data;
use crate::error;
use crate::secret::{Key, Secret};

#[pyfunction]
fn dm_md5(user: &str, password: Key<'_>, nonce: Data<'_>) -> String {
    dm_auth::md5(user, password.as_slice(), nonce.as_slice())
}

#[pyfunction]
fn dm_md5_verify(
    py: Python<'_>,
    user: &str,
    password: Key<'_>,
    nonce: Data<'_>,
    presented: &str,
) -> PyResult<()> {
    dm_auth::verify_md5(user, password.as_slice(), nonce.as_slice(), presented)
        .map_err(|e| failure(py, e))
}

#[pyfunction]
fn dm_hmac(user: &str, password: Key<'_>, nonce: Data<'_>, body: Data<'_>) -> String {
    dm_auth::hmac(user, password.as_slice(), nonce.as_slice(), body.as_slice())
}

#[pyfunction]
fn dm_hmac_verify(
    py: Python<'_>,
    user: &str,
    password: Key<'_>,
    nonce: Data<'_>,
    body: Data<'_>,
    presented: &str,
) -> PyResult<()> {
    let (password, nonce) = (password.as_slice(), nonce.as_slice());
    dm_auth::verify_hmac(user, password, nonce, body.as_slice(), presented)
        .map_err(|e| failure(py, e))
}

#[pyfunction]
fn dm_notification_digest<'py>(
    py: Python<'py>,
    server_id: &str,
    password: Key<'_>,
    nonce: Data<'_>,
    trigger: Data<'_>,
) -> Bound<'py, PyBytes> {
    let (password, nonce) = (password.as_slice(), nonce.as_slice());
    let digest = dm_auth::notification_digest(server_id, password, nonce, trigger.as_slice());
    PyBytes::new(py, &digest)
}

#[pyfunction]
#[pyo3(
    signature = (
        *, username, realm, password, method, uri, nonce, nc = "", cnonce = "", qop = None,
        body = None
    ),
    text_signature = "(*, username, realm, password, method, uri, nonce, nc='', cnonce='', \
                      qop=None, body=b'')"
)]
#[allow(clippy::too_many_arguments)] // the fields of the header, all by keyword
fn http_digest(
    py: Python<'_>,
    username: &str,
    realm: &str,
    password: Key<'_>,
    method: &str,
    uri: &str,
    nonce: &str,
    nc: &str,
    cnonce: &str,
    qop: Option<&str>,
    body: Option<Data<'_>>,
) -> PyResult<String> {
    let qop = Qop::parse(qop).map_err(|e| failure(py, e))?;
    let request = Request {
        username,
        realm,
        password: password.as_slice(),
        method,
        uri,
        nonce,
        nc,
        cnonce,
        qop,
        body: body.as_ref().map(Data::as_slice).unwrap_or_default(),
    };
    session_crypto::http_digest::response(&request).map_err(|e| failure(py, e))
}

#[pyfunction]
fn gba_ks_naf(
    py: Python<'_>,
    ck: Key<'_>,
    ik: Key<'_>,
    rand: Data<'_>,
    impi: &str,
    naf_id: Data<'_>,
) -> PyResult<Secret> {
    let (ck, ik, rand) = (ck.as_slice(), ik.as_slice(), rand.as_slice());
    secret(py, gba::ks_naf(ck, ik, rand, impi, naf_id.as_slice()))
}

#[pyfunction]
fn gba_ks_int_naf(
    py: Python<'_>,
    ck: Key<'_>,
    ik: Key<'_>,
    rand: Data<'_>,
    impi: &str,
    naf_id: Data<'_>,
) -> PyResult<Secret> {
    let (ck, ik, rand) = (ck.as_slice(), ik.as_slice(), rand.as_slice());
    secret(py, gba::ks_int_naf(ck, ik, rand, impi, naf_id.as_slice()))
}

#[pyfunction]
fn naf_id<'py>(
    py: Python<'py>,
    fqdn: &str,
    ua_protocol: Data<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    match gba::naf_id(fqdn, ua_protocol.as_slice()) {
        Ok(id) => Ok(PyBytes::new(py, &id)),
        Err(fault) => Err(failure(py, fault)),
    }
}

#[pyfunction]
fn push_mac(py: Python<'_>, key: Key<'_>, body: Data<'_>) -> PyResult<String> {
    push::mac(key.as_slice(), body.as_slice()).map_err(|e| failure(py, e))
}

#[pyfunction]
fn push_mac_verify(py: Python<'_>, key: Key<'_>, body: Data<'_>, presented: &str) -> PyResult<()> {
    push::verify_mac(key.as_slice(), body.as_slice(), presented).map_err(|e| failure(py, e))
}

#[pyfunction]
#[pyo3(signature = (imsi, pin = None))]
fn push_network_key(py: Python<'_>, imsi: &str, pin: Option<Key<'_>>) -> PyResult<Secret> {
    let key = match &pin {
        None => push::network_key(imsi),
        Some(pin) => push::user_network_key(imsi, pin.as_slice()),
    };
    secret(py, key)
}

fn secret(
    py: Python<'_>,
    derived: Result<session_crypto::Secret, CryptoError>,
) -> PyResult<Secret> {
    match derived {
        Ok(secret) => Ok(secret.into()),
        Err(fault) => Err(failure(py, fault)),
    }
}

pub(crate) fn failure(py: Python<'_>, fault: CryptoError) -> PyErr {
    match fault {
        CryptoError::BadMac => error::raise::<error::BadMac>(py, fault.code(), fault.to_string()),
        _ => error::raise::<error::CryptoError>(py, fault.code(), fault.to_string()),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(dm_md5, module)?)?;
    module.add_function(wrap_pyfunction!(dm_md5_verify, module)?)?;
    module.add_function(wrap_pyfunction!(dm_hmac, module)?)?;
    module.add_function(wrap_pyfunction!(dm_hmac_verify, module)?)?;
    module.add_function(wrap_pyfunction!(dm_notification_digest, module)?)?;
    module.add_function(wrap_pyfunction!(http_digest, module)?)?;
    module.add_function(wrap_pyfunction!(gba_ks_naf, module)?)?;
    module.add_function(wrap_pyfunction!(gba_ks_int_naf, module)?)?;
    module.add_function(wrap_pyfunction!(naf_id, module)?)?;
    module.add_function(wrap_pyfunction!(push_mac, module)?)?;
    module.add_function(wrap_pyfunction!(push_mac_verify, module)?)?;
    module.add_function(wrap_pyfunction!(push_network_key, module)?)
}
