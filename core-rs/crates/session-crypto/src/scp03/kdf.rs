//! The key derivation of Amendment D §4.1.5: SP 800-108 in counter mode over AES-CMAC, with the
//! counter between label and context.

use zeroize::Zeroizing;

use crate::cmac::Cmac;
use crate::error::CryptoError;

/// The derivation constants (Amendment D table 4-1).
#[derive(Clone, Copy)]
pub(super) enum Constant {
    CardCryptogram = 0x00,
    HostCryptogram = 0x01,
    CardChallenge = 0x02,
    SEnc = 0x04,
    SMac = 0x06,
    SRMac = 0x07,
}

/// Fills `derived`, of at most 32 bytes, from a key and a context.
pub(super) fn derive(key: &Cmac, constant: Constant, context: &[u8], derived: &mut [u8]) {
    let bits = u16::try_from(derived.len() * 8).unwrap_or_default();
    let mut input = vec![0; 11];
    input.extend([constant as u8, 0]);
    input.extend(bits.to_be_bytes());
    input.push(0);
    let counter = input.len() - 1;
    input.extend(context);
    for part in derived.chunks_mut(16) {
        input[counter] += 1;
        let block = Zeroizing::new(key.tag(&input));
        part.copy_from_slice(&block[..part.len()]);
    }
}

/// The challenge of a card that draws none at random (Amendment D §6.2.2.1): `length` is 8 or 16, the
/// counter has three bytes, the identifier is that of the application which was asked.
///
/// # Errors
/// A key, length or counter that cannot be.
pub fn card_challenge(
    key_enc: &[u8],
    sequence_counter: &[u8],
    aid: &[u8],
    length: usize,
) -> Result<Vec<u8>, CryptoError> {
    if length != 8 && length != 16 {
        return Err(CryptoError::BadInput {
            field: "length of the challenge",
            reason: "is neither 8 nor 16",
        });
    }
    let counter: [u8; 3] = crate::error::array("sequence counter", sequence_counter)?;
    let key = Cmac::new("K-ENC", key_enc)?;
    let mut challenge = vec![0; length];
    expected_challenge(&key, &counter, aid, &mut challenge);
    Ok(challenge)
}

pub(super) fn expected_challenge(key_enc: &Cmac, counter: &[u8], aid: &[u8], filled: &mut [u8]) {
    derive(
        key_enc,
        Constant::CardChallenge,
        &[counter, aid].concat(),
        filled,
    );
}
