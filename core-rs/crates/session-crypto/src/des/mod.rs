//! DES and triple DES (FIPS 46-3, SP 800-67), which cards still speak, in the chains that they want.
//!
//! S-boxes and P are one table each, made by the compiler. A table is indexed by key and data: on a
//! processor that is shared with an attacker this is not constant in time, as with every DES in
//! software that works on one block. Let cards speak AES.

mod tables;

use zeroize::Zeroizing;

use crate::error::CryptoError;
use tables::{CD_TO_ROUND, KEY_TO_CD, SHIFTS, SP};

/// A block.
pub type Block = [u8; 8];

/// The part of a round key that goes to S-boxes 1, 3, 5, 7, and the part for 2, 4, 6, 8.
type RoundKey = [u32; 2];
type RoundKeys = [RoundKey; 16];

/// Single DES, or triple DES with two or three keys, its schedule made once and wiped on drop.
pub struct Des {
    // Boxed: moving the value leaves no copy of the schedule behind
    stages: Box<Zeroizing<[RoundKeys; 3]>>,
    triple: bool,
}

impl Des {
    /// From a key of 8, 16 or 24 bytes; `field` names it should its length be wrong. Parity bits do
    /// not count.
    ///
    /// # Errors
    /// A key of another length.
    pub fn new(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        let (keys, rest) = key.as_chunks::<8>();
        let order = match (keys, rest) {
            ([only], []) => [only, only, only],
            ([first, second], []) => [first, second, first],
            ([first, second, third], []) => [first, second, third],
            _ => {
                return Err(CryptoError::WrongLength {
                    field,
                    expected: (key.len() / 8).clamp(1, 3) * 8,
                    actual: key.len(),
                });
            }
        };
        let mut stages = Box::new(Zeroizing::new([[[0; 2]; 16]; 3]));
        for (stage, key) in stages.iter_mut().zip(order) {
            expand(key, stage);
        }
        // The middle one decrypts
        stages[1].reverse();
        Ok(Self {
            stages,
            triple: keys.len() > 1,
        })
    }

    /// Encrypts one block.
    pub fn encrypt(&self, block: &mut Block) {
        *block = store(self.forward(load(block)));
    }

    /// Decrypts one block.
    pub fn decrypt(&self, block: &mut Block) {
        *block = store(self.backward(load(block)));
    }

    /// Encrypts in place in CBC mode.
    pub fn cbc_encrypt(&self, iv: &Block, blocks: &mut [Block]) {
        // The initial permutation and its inverse are linear, and cancel between two blocks
        let mut chain = load(iv);
        for block in blocks {
            chain = self.forward(xor(chain, load(block)));
            *block = store(chain);
        }
    }

    /// Decrypts in place in CBC mode.
    pub fn cbc_decrypt(&self, iv: &Block, blocks: &mut [Block]) {
        let mut previous = load(iv);
        for block in blocks {
            let sealed = load(block);
            *block = store(xor(self.backward(sealed), previous));
            previous = sealed;
        }
    }

    /// Takes blocks into a CBC-MAC state: `state = E(state xor block)` for each.
    pub fn mac(&self, state: &mut Block, blocks: &[Block]) {
        let mut chain = load(state);
        for block in blocks {
            chain = self.forward(xor(chain, load(block)));
        }
        *state = store(chain);
    }

    fn forward(&self, mut halves: Halves) -> Halves {
        let count = if self.triple { 3 } else { 1 };
        for keys in &self.stages[..count] {
            halves = rounds(keys.iter(), halves);
        }
        halves
    }

    fn backward(&self, mut halves: Halves) -> Halves {
        let count = if self.triple { 3 } else { 1 };
        for keys in self.stages[..count].iter().rev() {
            halves = rounds(keys.iter().rev(), halves);
        }
        halves
    }
}

/// A retail MAC (ISO/IEC 9797-1 algorithm 3): single DES, but triple DES for the last block.
pub struct RetailMac {
    single: Des,
    triple: Des,
}

impl RetailMac {
    /// From a key of 16 bytes; `field` names it should its length be wrong.
    ///
    /// # Errors
    /// A key of another length.
    pub fn new(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        let Some((left, right)) = key.split_first_chunk::<8>() else {
            return Err(wrong_retail_key(field, key));
        };
        if right.len() != 8 {
            return Err(wrong_retail_key(field, key));
        }
        Ok(Self {
            single: Des::new(field, left)?,
            triple: Des::new(field, key)?,
        })
    }

    /// The code over a message that is padded here with 80 and zeros (method 2).
    #[must_use]
    pub fn tag(&self, iv: &Block, message: &[u8]) -> Block {
        let (blocks, rest) = message.as_chunks();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = 0x80;
        let mut state = *iv;
        self.single.mac(&mut state, blocks);
        self.triple.mac(&mut state, &[last]);
        state
    }

    /// Single DES under the left half of the key.
    #[must_use]
    pub(crate) const fn single(&self) -> &Des {
        &self.single
    }
}

const fn wrong_retail_key(field: &'static str, key: &[u8]) -> CryptoError {
    CryptoError::WrongLength {
        field,
        expected: 16,
        actual: key.len(),
    }
}

/// L and R after the initial permutation, both turned left by three: so each S-box's input lies at the
/// upper end of a byte, in R for one half of the boxes and in R turned by four for the other.
type Halves = (u32, u32);

fn xor(one: Halves, other: Halves) -> Halves {
    (one.0 ^ other.0, one.1 ^ other.1)
}

/// Sixteen rounds, and the exchange of the halves that follows the last.
fn rounds<'a>(mut keys: impl Iterator<Item = &'a RoundKey>, halves: Halves) -> Halves {
    let (mut left, mut right) = halves;
    while let (Some(first), Some(second)) = (keys.next(), keys.next()) {
        left ^= function(right, first);
        right ^= function(left, second);
    }
    (right, left)
}

#[inline(always)]
fn function(half: u32, key: &RoundKey) -> u32 {
    let odd = half.rotate_right(4) ^ key[0];
    let even = half ^ key[1];
    let at = |word: u32, shift: u32| (word >> shift & 0x3F) as usize;
    (SP[0][at(odd, 26)] ^ SP[2][at(odd, 18)])
        ^ (SP[4][at(odd, 10)] ^ SP[6][at(odd, 2)])
        ^ (SP[1][at(even, 26)] ^ SP[3][at(even, 18)])
        ^ (SP[5][at(even, 10)] ^ SP[7][at(even, 2)])
}

fn expand(key: &Block, keys: &mut RoundKeys) {
    let mut cd = Zeroizing::new(0);
    for (table, byte) in KEY_TO_CD.iter().zip(key) {
        *cd |= table[usize::from(byte >> 1)];
    }
    for (round, shift) in keys.iter_mut().zip(SHIFTS) {
        *cd = turn(*cd >> 28, shift) << 28 | turn(*cd & HALF, shift);
        let mut both = 0;
        for (group, table) in CD_TO_ROUND.iter().enumerate() {
            both |= table[(*cd >> (49 - 7 * group) & 0x7F) as usize];
        }
        *round = [(both >> 32) as u32, both as u32];
    }
}

const HALF: u64 = (1 << 28) - 1;

const fn turn(half: u64, by: u32) -> u64 {
    (half << by | half >> (28 - by)) & HALF
}

/// The initial permutation, by exchanges of bit groups between the halves.
fn load(block: &Block) -> Halves {
    let [a, b, c, d, e, f, g, h] = *block;
    let mut left = u32::from_be_bytes([a, b, c, d]);
    let mut right = u32::from_be_bytes([e, f, g, h]);
    exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
    exchange(&mut left, &mut right, 16, 0x0000_FFFF);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut right, &mut left, 8, 0x00FF_00FF);
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    (left.rotate_left(3), right.rotate_left(3))
}

/// The inverse permutation.
fn store(halves: Halves) -> Block {
    let (mut left, mut right) = (halves.0.rotate_right(3), halves.1.rotate_right(3));
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    exchange(&mut right, &mut left, 8, 0x00FF_00FF);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut left, &mut right, 16, 0x0000_FFFF);
    exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
    let ([a, b, c, d], [e, f, g, h]) = (left.to_be_bytes(), right.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

/// Exchanges the masked bits of `low` with those of `high` that stand `by` places higher.
fn exchange(high: &mut u32, low: &mut u32, by: u32, mask: u32) {
    let difference = (*high >> by ^ *low) & mask;
    *low ^= difference;
    *high ^= difference << by;
}
