//! Keys of the generic bootstrapping architecture (TS 33.220 annex B.3).

use zeroize::Zeroizing;

use crate::error::{CryptoError, array, key_array};
use crate::kdf;
use crate::secret::Secret;

/// Ks_NAF of GBA_ME, and Ks_ext_NAF of GBA_U.
///
/// # Errors
/// An input of a wrong length.
pub fn ks_naf(
    ck: &[u8],
    ik: &[u8],
    rand: &[u8],
    impi: &str,
    naf_id: &[u8],
) -> Result<Secret, CryptoError> {
    derive(ck, ik, b"gba-me", rand, impi, naf_id)
}

/// Ks_int_NAF of GBA_U.
///
/// # Errors
/// An input of a wrong length.
pub fn ks_int_naf(
    ck: &[u8],
    ik: &[u8],
    rand: &[u8],
    impi: &str,
    naf_id: &[u8],
) -> Result<Secret, CryptoError> {
    derive(ck, ik, b"gba-u", rand, impi, naf_id)
}

/// NAF_Id: the server's name and the five bytes of the Ua security protocol (TS 33.220 §6.2.1, annex H).
///
/// # Errors
/// An empty name, or a protocol identifier that has not five bytes.
pub fn naf_id(fqdn: &str, ua_protocol: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let protocol: [u8; 5] = array("Ua security protocol", ua_protocol)?;
    if fqdn.is_empty() {
        return Err(CryptoError::BadInput {
            field: "FQDN",
            reason: "is empty",
        });
    }
    Ok([fqdn.as_bytes(), &protocol].concat())
}

fn derive(
    ck: &[u8],
    ik: &[u8],
    label: &[u8],
    rand: &[u8],
    impi: &str,
    naf_id: &[u8],
) -> Result<Secret, CryptoError> {
    let ck: Zeroizing<[u8; 16]> = key_array("CK", ck)?;
    let ik: Zeroizing<[u8; 16]> = key_array("IK", ik)?;
    let rand: [u8; 16] = array("RAND", rand)?;
    let mut ks = Zeroizing::new([0; 32]);
    ks[..16].copy_from_slice(&*ck);
    ks[16..].copy_from_slice(&*ik);
    // Annex B.3: FC = 01
    let parameters = [
        ("label", label),
        ("RAND", rand.as_slice()),
        ("IMPI", impi.as_bytes()),
        ("NAF_Id", naf_id),
    ];
    let derived = kdf::derive(&*ks, 0x01, &parameters)?;
    Ok(Secret::new(&*derived))
}
