//! Keys and responses of 5G AKA (TS 33.501 annex A) from those of any authentication vector.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{CryptoError, array, key_array};
use crate::kdf::derive;
use crate::secret::Secret;

// TS 33.501 annexes A.2, A.4, A.6
const K_AUSF: u8 = 0x6A;
const RES_STAR: u8 = 0x6B;
const K_SEAF: u8 = 0x6C;

/// RES*, which is XRES* in the network (A.4): bound to the serving network, 16 bytes.
///
/// # Errors
/// An input of a wrong length.
pub fn res_star(
    ck: &[u8],
    ik: &[u8],
    network: &str,
    rand: &[u8],
    res: &[u8],
) -> Result<Secret, CryptoError> {
    let rand: [u8; 16] = array("RAND", rand)?;
    if !(4..=32).contains(&res.len()) {
        return Err(CryptoError::BadInput {
            field: "RES",
            reason: "has not 4 to 32 bytes",
        });
    }
    let name = ("serving network name", network.as_bytes());
    let parameters = [name, ("RAND", rand.as_slice()), ("RES", res)];
    let derived = derive(&*both(ck, ik)?, RES_STAR, &parameters)?;
    Ok(Secret::new(&derived[16..]))
}

/// HRES*, which is HXRES* in the network (A.5): what the serving network compares, 16 bytes.
///
/// # Errors
/// An input of a wrong length.
pub fn hres_star(rand: &[u8], res_star: &[u8]) -> Result<[u8; 16], CryptoError> {
    let rand: [u8; 16] = array("RAND", rand)?;
    let res_star: Zeroizing<[u8; 16]> = key_array("RES*", res_star)?;
    let digest = Sha256::new().chain_update(rand).chain_update(*res_star);
    array("digest", &digest.finalize()[16..])
}

/// K_AUSF (A.2) from the first six bytes of AUTN, SQN xor AK; 32 bytes.
///
/// # Errors
/// An input of a wrong length.
pub fn k_ausf(
    ck: &[u8],
    ik: &[u8],
    network: &str,
    concealed_sqn: &[u8],
) -> Result<Secret, CryptoError> {
    let concealed: [u8; 6] = array("SQN xor AK", concealed_sqn)?;
    let name = ("serving network name", network.as_bytes());
    let parameters = [name, ("SQN xor AK", concealed.as_slice())];
    Ok(Secret::new(&*derive(&*both(ck, ik)?, K_AUSF, &parameters)?))
}

/// K_SEAF (A.6), the anchor key of the serving network; 32 bytes.
///
/// # Errors
/// A key of a wrong length.
pub fn k_seaf(k_ausf: &[u8], network: &str) -> Result<Secret, CryptoError> {
    let key: Zeroizing<[u8; 32]> = key_array("K_AUSF", k_ausf)?;
    let parameters = [("serving network name", network.as_bytes())];
    Ok(Secret::new(&*derive(&*key, K_SEAF, &parameters)?))
}

/// CK ‖ IK.
fn both(ck: &[u8], ik: &[u8]) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let ck: Zeroizing<[u8; 16]> = key_array("CK", ck)?;
    let ik: Zeroizing<[u8; 16]> = key_array("IK", ik)?;
    let mut key = Zeroizing::new([0; 32]);
    key[..16].copy_from_slice(&*ck);
    key[16..].copy_from_slice(&*ik);
    Ok(key)
}
