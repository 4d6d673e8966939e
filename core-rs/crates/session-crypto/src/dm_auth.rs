//! OMA DM credentials (OMA-TS-DM_Security-V1_2 §5.3, §5.4; OMA-TS-DM_Notification-V1_2 §6.2).

use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::hash::{base64, from_base64, md5_of};
use crate::secret::equal;

/// The data of a `syncml:auth-md5` credential: B64(H(B64(H(user:password)):nonce)).
#[must_use]
pub fn md5(user: &str, password: &[u8], nonce: &[u8]) -> String {
    base64(&*md5_digest(user, password, nonce)).to_string()
}

/// Checks the data of a `syncml:auth-md5` credential.
///
/// # Errors
/// A credential that does not fit.
pub fn verify_md5(
    user: &str,
    password: &[u8],
    nonce: &[u8],
    presented: &str,
) -> Result<(), CryptoError> {
    check(&*md5_digest(user, password, nonce), presented)
}

/// The `mac` of the header `x-syncml-hmac`: B64(H(B64(H(user:password)):nonce:B64(H(body)))).
#[must_use]
pub fn hmac(user: &str, password: &[u8], nonce: &[u8], body: &[u8]) -> String {
    base64(&*hmac_digest(user, password, nonce, body)).to_string()
}

/// Checks the `mac` of the header `x-syncml-hmac`.
///
/// # Errors
/// A code that does not fit.
pub fn verify_hmac(
    user: &str,
    password: &[u8],
    nonce: &[u8],
    body: &[u8],
    presented: &str,
) -> Result<(), CryptoError> {
    check(&*hmac_digest(user, password, nonce, body), presented)
}

/// The digest of a notification: H(B64(H(server:password)):nonce:B64(H(trigger))), raw.
#[must_use]
pub fn notification_digest(
    server_id: &str,
    password: &[u8],
    nonce: &[u8],
    trigger: &[u8],
) -> [u8; 16] {
    // The same formula as the message code, over the trigger in place of the body
    *hmac_digest(server_id, password, nonce, trigger)
}

fn md5_digest(user: &str, password: &[u8], nonce: &[u8]) -> Zeroizing<[u8; 16]> {
    md5_of(&[account(user, password).as_bytes(), nonce])
}

fn hmac_digest(user: &str, password: &[u8], nonce: &[u8], body: &[u8]) -> Zeroizing<[u8; 16]> {
    let body = base64(&*md5_of(&[body]));
    md5_of(&[account(user, password).as_bytes(), nonce, body.as_bytes()])
}

/// B64(H(user:password)): as good as the password, hence wiped.
fn account(user: &str, password: &[u8]) -> Zeroizing<String> {
    base64(&*md5_of(&[user.as_bytes(), password]))
}

fn check(expected: &[u8], presented: &str) -> Result<(), CryptoError> {
    match from_base64(presented) {
        Some(presented) if equal(expected, &presented) => Ok(()),
        _ => Err(CryptoError::BadMac),
    }
}
