//! The key derivation function that 3GPP shares between its systems (TS 33.220 annex B.2).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::CryptoError;

/// HMAC-SHA-256 over FC and every parameter followed by its length in two bytes. A parameter that is
/// longer is an error by its name.
pub(crate) fn derive(
    key: &[u8],
    function: u8,
    parameters: &[(&'static str, &[u8])],
) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let mut kdf = Hmac::<Sha256>::new_from_slice(key).map_err(|_| CryptoError::BadInput {
        field: "key",
        reason: "is not one",
    })?;
    kdf.update(&[function]);
    for (field, parameter) in parameters {
        let length = u16::try_from(parameter.len()).map_err(|_| CryptoError::BadInput {
            field,
            reason: "is longer than 65535 bytes",
        })?;
        kdf.update(parameter);
        kdf.update(&length.to_be_bytes());
    }
    Ok(Zeroizing::new(kdf.finalize().into_bytes().into()))
}
