//! AES-CMAC (RFC 4493, SP 800-38B), with access to the state of its chain.

use zeroize::Zeroizing;

use crate::chains::{Aes, Block};
use crate::error::CryptoError;

/// A key with its two subkeys, which depend on nothing else and are made once.
pub struct Cmac {
    cipher: Aes,
    subkeys: Box<Zeroizing<[Block; 2]>>,
}

impl Cmac {
    /// From a key of 16, 24 or 32 bytes; `field` names it should its length be wrong.
    ///
    /// # Errors
    /// A key of another length.
    pub fn new(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        let cipher = Aes::new(field, key)?;
        let mut subkeys = Box::new(Zeroizing::new([[0; 16]; 2]));
        let [whole, padded] = &mut **subkeys;
        cipher.encrypt(whole);
        double(whole);
        *padded = *whole;
        double(padded);
        Ok(Self { cipher, subkeys })
    }

    /// The code over a message.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> Block {
        self.continue_from([0; 16], message)
    }

    /// The cipher under the code, for callers that drive the chain themselves.
    #[must_use]
    pub(crate) const fn cipher(&self) -> &Aes {
        &self.cipher
    }

    /// The code over blocks that have led to `state`, followed by `rest`.
    ///
    /// `rest` may be empty only if the whole message is.
    #[must_use]
    pub(crate) fn continue_from(&self, mut state: Block, rest: &[u8]) -> Block {
        // The last block is treated apart even if it is whole
        let before = rest.len().saturating_sub(1) / 16 * 16;
        let (whole, last) = rest.split_at(before);
        self.cipher.mac(&mut state, whole.as_chunks().0);
        let [for_whole, for_padded] = &**self.subkeys;
        let mut block = [0; 16];
        let subkey = if last.len() == 16 {
            for_whole
        } else {
            block[last.len()] = 0x80;
            for_padded
        };
        block[..last.len()].copy_from_slice(last);
        for (byte, key) in block.iter_mut().zip(subkey) {
            *byte ^= key;
        }
        self.cipher.mac(&mut state, &[block]);
        state
    }
}

/// Multiplication by x in GF(2^128), without a branch on the bit that falls out.
fn double(block: &mut Block) {
    let value = u128::from_be_bytes(*block);
    let carry = value >> 127;
    *block = ((value << 1) ^ (carry * 0x87)).to_be_bytes();
}
