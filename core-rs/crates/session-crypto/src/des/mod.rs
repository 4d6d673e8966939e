//! DES and triple DES (FIPS 46-3, SP 800-67), which cards still speak, in the chains that they want.
//!
//! S-boxes and P are one table each, made by the compiler. A table is indexed by key and data: on a
//! processor that is shared with an attacker this is not constant in time, as with every DES in
//! software that works on one block. Let cards speak AES.

mod circuits;
mod lanes;
mod tables;

use zeroize::Zeroizing;

use crate::error::CryptoError;
pub use lanes::{Blocks, LANES, Lanes};
use tables::{CD_TO_ROUND, KEY_TO_CD, SHIFTS, SP};

/// A block.
pub type Block = [u8; 8];

/// Of each S-box six bits, in a byte of its own: as [`Halves`] are.
type RoundKey = u64;
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
        let order = in_order(field, key)?;
        let mut stages = Box::new(Zeroizing::new([[0; 16]; 3]));
        for (stage, key) in stages.iter_mut().zip(order) {
            expand(choose(key), stage);
        }
        // The middle one decrypts
        stages[1].reverse();
        Ok(Self {
            stages,
            triple: key.len() > 8,
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
        let mut state = *iv;
        self.single.mac(&mut state, blocks);
        self.triple.mac(&mut state, &[padded(rest)]);
        state
    }

    /// As [`RetailMac::tag`], while other blocks are encrypted in place in CBC mode with a vector of zeros. The
    /// chains do not wait for each other: three blocks of the code, which are single DES, go with one block
    /// of the cipher, which is triple.
    #[must_use]
    pub fn tag_beside(
        &self,
        (iv, message): (&Block, &[u8]),
        (cipher, blocks): (&Des, &mut [Block]),
    ) -> Block {
        let (whole, rest) = message.as_chunks();
        let count = match cipher.triple {
            true => blocks.len().min(whole.len() / 3),
            false => 0,
        };
        let (beside, whole) = whole.split_at(3 * count);
        let (mut code, mut chain) = (load(iv), load(&[0; 8]));
        for (block, three) in blocks.iter_mut().zip(beside.as_chunks::<3>().0) {
            chain = xor(chain, load(block));
            for (keys, covered) in cipher.stages.iter().zip(three) {
                code = xor(code, load(covered));
                (code, chain) = pair_of_rounds((&self.single.stages[0], code), (keys, chain));
            }
            *block = store(chain);
        }
        cipher.cbc_encrypt(&store(chain), &mut blocks[count..]);
        let mut state = store(code);
        self.single.mac(&mut state, whole);
        self.triple.mac(&mut state, &[padded(rest)]);
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

/// The last block of a message: what is left of it, 80, and zeros.
fn padded(rest: &[u8]) -> Block {
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    last
}

/// L and R after the initial permutation and the expansion E: a byte for each S-box, its six bits of
/// input in the lower ones. E is linear, so that halves which stay expanded can be added as they are, and
/// a round is left with eight look-ups.
type Halves = (u64, u64);

fn xor(one: Halves, other: Halves) -> Halves {
    (one.0 ^ other.0, one.1 ^ other.1)
}

/// Sixteen rounds, and the exchange of the halves that follows the last.
fn rounds<'a>(mut keys: impl Iterator<Item = &'a RoundKey>, halves: Halves) -> Halves {
    let (mut left, mut right) = halves;
    while let (Some(first), Some(second)) = (keys.next(), keys.next()) {
        left ^= function(right ^ first);
        right ^= function(left ^ second);
    }
    (right, left)
}

/// As [`rounds`], of two chains.
fn pair_of_rounds(
    (one_keys, one): (&RoundKeys, Halves),
    (other_keys, other): (&RoundKeys, Halves),
) -> (Halves, Halves) {
    let ((mut left, mut right), (mut other_left, mut other_right)) = (one, other);
    let keys = one_keys
        .as_chunks::<2>()
        .0
        .iter()
        .zip(other_keys.as_chunks::<2>().0);
    for ([first, second], [other_first, other_second]) in keys {
        left ^= function(right ^ first);
        other_left ^= function(other_right ^ other_first);
        right ^= function(left ^ second);
        other_right ^= function(other_left ^ other_second);
    }
    ((right, left), (other_right, other_left))
}

#[inline(always)]
fn function(input: u64) -> u64 {
    let found = |table: usize| SP[table][(input >> (56 - 8 * table) & 0x3F) as usize];
    ((found(0) ^ found(1)) ^ (found(2) ^ found(3)))
        ^ ((found(4) ^ found(5)) ^ (found(6) ^ found(7)))
}

/// The keys of three stages, from a key of 8, 16 or 24 bytes.
fn in_order<'a>(field: &'static str, key: &'a [u8]) -> Result<[&'a Block; 3], CryptoError> {
    match key.as_chunks() {
        ([only], []) => Ok([only, only, only]),
        ([first, second], []) => Ok([first, second, first]),
        ([first, second, third], []) => Ok([first, second, third]),
        _ => Err(CryptoError::WrongLength {
            field,
            expected: (key.len() / 8).clamp(1, 3) * 8,
            actual: key.len(),
        }),
    }
}

/// PC-1: C and D in the lower 56 bits.
fn choose(key: &Block) -> Zeroizing<u64> {
    let mut cd = Zeroizing::new(0);
    for (table, byte) in KEY_TO_CD.iter().zip(key) {
        *cd |= table[usize::from(byte >> 1)];
    }
    cd
}

fn expand(mut cd: Zeroizing<u64>, keys: &mut RoundKeys) {
    for (round, shift) in keys.iter_mut().zip(SHIFTS) {
        *cd = turn(*cd >> 28, shift) << 28 | turn(*cd & HALF, shift);
        *round = 0;
        for (group, table) in CD_TO_ROUND.iter().enumerate() {
            *round |= table[(*cd >> (49 - 7 * group) & 0x7F) as usize];
        }
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
    (expanded(left), expanded(right))
}

/// The inverse permutation.
fn store(halves: Halves) -> Block {
    let (mut left, mut right) = (contracted(halves.0), contracted(halves.1));
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    exchange(&mut right, &mut left, 8, 0x00FF_00FF);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut left, &mut right, 16, 0x0000_FFFF);
    exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
    let ([a, b, c, d], [e, f, g, h]) = (left.to_be_bytes(), right.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

/// E: four bits to a byte, and around them the last bit of the four before and the first of those after.
const fn expanded(half: u32) -> u64 {
    let mut fours = half as u64;
    fours = (fours | fours << 16) & 0x0000_FFFF_0000_FFFF;
    fours = (fours | fours << 8) & 0x00FF_00FF_00FF_00FF;
    fours = (fours | fours << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    let before = fours.rotate_right(8) & 0x0101_0101_0101_0101;
    let after = fours.rotate_left(8) & 0x0808_0808_0808_0808;
    before << 5 | fours << 1 | after >> 3
}

/// What [`expanded`] was given.
const fn contracted(half: u64) -> u32 {
    let mut fours = half >> 1 & 0x0F0F_0F0F_0F0F_0F0F;
    fours = (fours | fours >> 4) & 0x00FF_00FF_00FF_00FF;
    fours = (fours | fours >> 8) & 0x0000_FFFF_0000_FFFF;
    (fours | fours >> 16) as u32
}

/// Exchanges the masked bits of `low` with those of `high` that stand `by` places higher.
fn exchange(high: &mut u32, low: &mut u32, by: u32, mask: u32) {
    let difference = (*high >> by ^ *low) & mask;
    *low ^= difference;
    *high ^= difference << by;
}

#[cfg(test)]
mod tests {
    use super::circuits::{s1, s2, s3, s4, s5, s6, s7, s8};
    use super::tables::S;

    #[test]
    fn every_circuit_is_its_s_box() {
        // Every input in a lane of its own: words of which bit n is that of the number n
        let input = std::array::from_fn(|bit| {
            (0..64).fold(0, |word, number| word | (number >> (5 - bit) & 1) << number)
        });
        let outputs = [s1, s2, s3, s4, s5, s6, s7, s8].map(|circuit| circuit(input));
        for (table, output) in S.iter().zip(outputs) {
            for number in 0..64 {
                let found = output
                    .iter()
                    .fold(0, |sum, word| sum << 1 | (word >> number & 1) as u8);
                let (row, column) = (number >> 4 & 2 | number & 1, number >> 1 & 15);
                assert_eq!(found, table[16 * row + column]);
            }
        }
    }
}
