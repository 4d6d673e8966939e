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
    pub(crate) fn continue_from(&self, state: Block, rest: &[u8]) -> Block {
        self.finish(state, &[], rest)
    }

    /// As [`Cmac::continue_from`], with whole blocks before the rest.
    #[must_use]
    pub(crate) fn finish(&self, mut state: Block, blocks: &[Block], rest: &[u8]) -> Block {
        // The last block is treated apart even if it is whole, and made before the chain runs: what
        // has just been put together byte by byte cannot be read as a block at once
        let before = rest.len().saturating_sub(1) / 16 * 16;
        let (whole, last) = rest.split_at(before);
        let last = self.last_block(last);
        self.cipher.mac(&mut state, blocks);
        self.cipher.mac(&mut state, whole.as_chunks().0);
        self.cipher.mac(&mut state, &[last]);
        state
    }

    /// What a rest of at most 16 bytes is to be added to: the subkey, and the padding it will need.
    #[must_use]
    pub(crate) fn ending(&self, length: usize) -> Block {
        let [for_whole, for_padded] = &**self.subkeys;
        match length {
            16 => *for_whole,
            _ => {
                let mut ending = *for_padded;
                ending[length] ^= 0x80;
                ending
            }
        }
    }

    fn last_block(&self, last: &[u8]) -> Block {
        let mut block = self.ending(last.len());
        for (byte, other) in block.iter_mut().zip(last) {
            *byte ^= other;
        }
        block
    }
}

/// Multiplication by x in GF(2^128), without a branch on the bit that falls out.
fn double(block: &mut Block) {
    let value = u128::from_be_bytes(*block);
    let carry = value >> 127;
    *block = ((value << 1) ^ (carry * 0x87)).to_be_bytes();
}
