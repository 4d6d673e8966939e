//! The code over a provisioning push, and its keys (WAP-184-PROVBOOT §5.2; OMA-TS-DM_Bootstrap-V1_2).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::error::CryptoError;
use crate::hash::{UPPER_HEX, hex};
use crate::secret::{Secret, equal};

/// The `MAC` parameter of a push: HMAC-SHA1 over the body in upper-case hexadecimal digits.
///
/// # Errors
/// None in practice: HMAC takes keys of any length.
pub fn mac(key: &[u8], body: &[u8]) -> Result<String, CryptoError> {
    Ok(hex(&code(key, body)?, UPPER_HEX))
}

/// Checks the `MAC` parameter of a push; the case of its digits does not matter.
///
/// # Errors
/// A code that does not fit.
pub fn verify_mac(key: &[u8], body: &[u8], presented: &str) -> Result<(), CryptoError> {
    let presented = presented.trim().to_ascii_uppercase();
    if equal(mac(key, body)?.as_bytes(), presented.as_bytes()) {
        Ok(())
    } else {
        Err(CryptoError::BadMac)
    }
}

/// The key of method NETWPIN: the IMSI in semi-octets as the card stores it (TS 31.102 §4.2.2).
///
/// # Errors
/// An IMSI that is not 6 to 15 digits.
pub fn network_key(imsi: &str) -> Result<Secret, CryptoError> {
    let digits: Option<Vec<u8>> = imsi
        .bytes()
        .map(|byte| byte.is_ascii_digit().then(|| byte - b'0'))
        .collect();
    let digits = digits
        .filter(|digits| (6..=15).contains(&digits.len()))
        .ok_or(CryptoError::BadInput {
            field: "IMSI",
            reason: "is not 6 to 15 digits",
        })?;
    // First half-byte: bit 4 says that the number of digits is odd, the low bits are the type 1
    let odd = u8::from(digits.len() % 2 == 1);
    let mut bytes = vec![digits[0] << 4 | odd << 3 | 1];
    for pair in digits[1..].chunks(2) {
        let high = pair.get(1).copied().unwrap_or(0x0F);
        bytes.push(high << 4 | pair[0]);
    }
    Ok(Secret::new(&bytes))
}

/// The key of method USERNETWPIN: the network key followed by the user's PIN.
///
/// # Errors
/// An IMSI that is not 6 to 15 digits.
pub fn user_network_key(imsi: &str, pin: &[u8]) -> Result<Secret, CryptoError> {
    let network = network_key(imsi)?;
    let joined = zeroize::Zeroizing::new([network.expose(), pin].concat());
    Ok(Secret::new(&joined))
}

/// The digits that method USERPINMAC hands to the user beside the key: one for every byte asked for.
///
/// # Errors
/// More digits than the code has bytes.
pub fn pin_digits(key: &[u8], body: &[u8], digits: usize) -> Result<String, CryptoError> {
    let code = code(key, body)?;
    let used = code.get(..digits).ok_or(CryptoError::BadInput {
        field: "digits",
        reason: "are more than 20",
    })?;
    Ok(used
        .iter()
        .map(|byte| char::from(b'0' + byte % 10))
        .collect())
}

fn code(key: &[u8], body: &[u8]) -> Result<[u8; 20], CryptoError> {
    let mac = Hmac::<Sha1>::new_from_slice(key).map_err(|_| CryptoError::BadInput {
        field: "key",
        reason: "is not a key",
    })?;
    Ok(mac.chain_update(body).finalize().into_bytes().into())
}
