//! The chains over RustCrypto's `aes`: constant in time without AES instructions, and the reference
//! that the fast way is tested against.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

use super::Block;

/// A key for both directions; the `zeroize` feature of `aes` wipes it on drop.
pub(super) enum Schedule {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl Schedule {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::short(key.try_into().ok()?),
            24 => Self::Aes192(Aes192::new_from_slice(key).ok()?),
            32 => Self::Aes256(Aes256::new_from_slice(key).ok()?),
            _ => return None,
        })
    }

    pub(super) fn short(key: &Block) -> Self {
        Self::Aes128(Aes128::new(Array::cast_from_core(key)))
    }

    pub(super) fn encrypt(&self, block: &mut Block) {
        let block = Array::cast_from_core_mut(block);
        match self {
            Self::Aes128(cipher) => cipher.encrypt_block(block),
            Self::Aes192(cipher) => cipher.encrypt_block(block),
            Self::Aes256(cipher) => cipher.encrypt_block(block),
        }
    }

    pub(super) fn cbc_encrypt(&self, iv: &Block, blocks: &mut [Block]) {
        let mut previous = *iv;
        for block in blocks {
            xor(block, &previous);
            self.encrypt(block);
            previous = *block;
        }
    }

    pub(super) fn cbc_decrypt(&self, iv: &Block, blocks: &mut [Block]) {
        let mut previous = *iv;
        for block in blocks {
            let next = *block;
            self.decrypt(block);
            xor(block, &previous);
            previous = next;
        }
    }

    pub(super) fn mac(&self, state: &mut Block, blocks: &[Block]) {
        for block in blocks {
            xor(state, block);
            self.encrypt(state);
        }
    }

    fn decrypt(&self, block: &mut Block) {
        let block = Array::cast_from_core_mut(block);
        match self {
            Self::Aes128(cipher) => cipher.decrypt_block(block),
            Self::Aes192(cipher) => cipher.decrypt_block(block),
            Self::Aes256(cipher) => cipher.decrypt_block(block),
        }
    }
}

fn xor(block: &mut Block, other: &Block) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}
