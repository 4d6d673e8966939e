//! DES for many keys at once: 64 lanes, each a key and a block, of which every word here holds one bit
//! each. A round is then some five hundred operations on words and serves all lanes; bits change their
//! places for nothing. No table is indexed by a secret, so that this way is constant in time.

use std::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use super::circuits::{s1, s2, s3, s4, s5, s6, s7, s8};
use super::tables::{IP, KEY_BITS, P_INVERSE};
use super::{Block, in_order};
use crate::error::CryptoError;

/// How many lanes there are.
pub const LANES: usize = 64;

/// A bit of each block or key, for all lanes.
type Planes = [u64; 64];
type Half = [u64; 32];

/// The keys of all lanes, wiped on drop. Lanes beyond those that were given have keys of zeros.
pub struct Lanes {
    // Boxed: moving the value leaves no copy of the keys behind
    stages: Box<Zeroizing<[Planes; 3]>>,
    triple: bool,
}

/// A block for each lane, wiped on drop.
pub struct Blocks(Zeroizing<Planes>);

impl Lanes {
    /// From at most 64 keys of one length: 8, 16 or 24 bytes; `field` names them should it be another.
    ///
    /// # Errors
    /// Keys of another length.
    pub fn new<'a>(
        field: &'static str,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, CryptoError> {
        let mut stages = Box::new(Zeroizing::new([[0; 64]; 3]));
        let mut triple = false;
        for (lane, key) in keys.take(LANES).enumerate() {
            triple = key.len() > 8;
            for (stage, key) in stages.iter_mut().zip(in_order(field, key)?) {
                stage[lane] = u64::from_be_bytes(*key);
            }
        }
        for stage in stages.iter_mut() {
            transpose(stage);
        }
        Ok(Self { stages, triple })
    }

    /// CBC-MACs with a vector of zeros over messages of a length, which lie `stride` bytes apart with
    /// zeros up to a block behind each.
    #[must_use]
    pub fn mac(&self, messages: &[u8], (stride, length): (usize, usize)) -> [Block; LANES] {
        let mut chain = Blocks::gather(std::iter::empty());
        for at in (0..length).step_by(8) {
            chain.add(&Blocks::gather(blocks(messages, stride, at)));
            self.encrypt(&mut chain);
        }
        let mut codes = [[0; 8]; LANES];
        chain.scatter(codes.iter_mut());
        codes
    }

    /// Retail MACs (ISO/IEC 9797-1 algorithm 3) under keys of 16 bytes, over messages of `stride` bytes
    /// that are padded to whole blocks: single DES, but triple DES for the last block.
    #[must_use]
    pub fn retail_mac(&self, mut chain: Blocks, messages: &[u8], stride: usize) -> [Block; LANES] {
        for at in (0..stride).step_by(8) {
            chain.add(&Blocks::gather(blocks(messages, stride, at)));
            if at + 8 < stride {
                self.encrypt_singly(&mut chain);
            } else {
                self.encrypt(&mut chain);
            }
        }
        let mut codes = [[0; 8]; LANES];
        chain.scatter(codes.iter_mut());
        codes
    }

    /// Encrypts blocks that have nothing to do with one another, with the key that all lanes have.
    pub fn encrypt_each(&self, blocks: &mut [Block]) {
        for blocks in blocks.chunks_mut(LANES) {
            let mut lanes = Blocks::gather(blocks.iter().copied());
            self.encrypt(&mut lanes);
            lanes.scatter(blocks.iter_mut());
        }
    }

    /// Encrypts in place in CBC mode with a vector of zeros: of messages that lie `stride` bytes apart,
    /// the same region of each, a whole number of blocks.
    pub fn cbc_encrypt(&self, messages: &mut [u8], stride: usize, region: Range<usize>) {
        let mut chain = Blocks::gather(std::iter::empty());
        for at in region.step_by(8) {
            chain.add(&Blocks::gather(blocks(messages, stride, at)));
            self.encrypt(&mut chain);
            chain.scatter(blocks_mut(messages, stride, at));
        }
    }

    /// Decrypts in place in CBC mode with a vector of zeros: of messages that lie `stride` bytes apart,
    /// the same region of each, a whole number of blocks.
    pub fn cbc_decrypt(&self, messages: &mut [u8], stride: usize, region: Range<usize>) {
        let mut previous = Blocks::gather(std::iter::empty());
        for at in region.step_by(8) {
            let sealed = Blocks::gather(blocks(messages, stride, at));
            let mut open = Blocks(sealed.0.clone());
            self.decrypt(&mut open);
            open.add(&previous);
            open.scatter(blocks_mut(messages, stride, at));
            previous = sealed;
        }
    }

    /// Encrypts the block of every lane.
    pub fn encrypt(&self, blocks: &mut Blocks) {
        self.run(blocks, [Direction::Forward, Direction::Backward], [0, 1, 2]);
    }

    /// Encrypts the block of every lane by single DES under the first eight bytes of its key.
    pub fn encrypt_singly(&self, blocks: &mut Blocks) {
        permuted(blocks, |halves| {
            rounds(&self.stages[0], Direction::Forward, halves);
        });
    }

    /// Decrypts the block of every lane.
    pub fn decrypt(&self, blocks: &mut Blocks) {
        self.run(blocks, [Direction::Backward, Direction::Forward], [2, 1, 0]);
    }

    fn run(&self, blocks: &mut Blocks, [outer, inner]: [Direction; 2], order: [usize; 3]) {
        let [first, second, third] = order.map(|stage| &self.stages[stage]);
        permuted(blocks, |halves| {
            rounds(first, outer, halves);
            if self.triple {
                rounds(second, inner, halves);
                rounds(third, outer, halves);
            }
        });
    }
}

impl Blocks {
    /// A block for each lane in order; lanes beyond are zero.
    pub fn gather(blocks: impl Iterator<Item = Block>) -> Self {
        let mut planes = Zeroizing::new([0; 64]);
        for (plane, block) in planes.iter_mut().zip(blocks) {
            *plane = u64::from_be_bytes(block);
        }
        transpose(&mut planes);
        Self(planes)
    }

    /// The blocks of the lanes in order.
    pub fn scatter<'a>(&self, blocks: impl Iterator<Item = &'a mut Block>) {
        let mut lanes = self.0.clone();
        transpose(&mut lanes);
        for (block, lane) in blocks.zip(lanes.iter()) {
            *block = lane.to_be_bytes();
        }
    }

    /// Adds another block to that of every lane.
    pub fn add(&mut self, other: &Self) {
        for (plane, other) in self.0.iter_mut().zip(other.0.iter()) {
            *plane ^= other;
        }
    }
}

/// The block at one place of each message.
fn blocks(messages: &[u8], stride: usize, at: usize) -> impl Iterator<Item = Block> {
    let messages = messages.chunks_exact(stride);
    messages.filter_map(move |message| message.get(at..)?.first_chunk().copied())
}

fn blocks_mut(messages: &mut [u8], stride: usize, at: usize) -> impl Iterator<Item = &mut Block> {
    let messages = messages.chunks_exact_mut(stride);
    messages.filter_map(move |message| message.get_mut(at..)?.first_chunk_mut())
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// Works on the halves between the initial permutation and its inverse.
fn permuted(blocks: &mut Blocks, work: impl FnOnce(&mut (Half, Half))) {
    let at = |bit: usize| blocks.0[usize::from(IP[bit])];
    let (left, right) = (
        std::array::from_fn(at),
        std::array::from_fn(|bit| at(32 + bit)),
    );
    let mut halves = (left, right);
    work(&mut halves);
    for (half, part) in [&halves.0, &halves.1].into_iter().zip(IP.chunks_exact(32)) {
        for (word, bit) in half.iter().zip(part) {
            blocks.0[usize::from(*bit)] = *word;
        }
    }
    halves.0.zeroize();
    halves.1.zeroize();
}

/// Sixteen rounds, and the exchange of the halves that follows the last.
fn rounds(keys: &Planes, direction: Direction, (left, right): &mut (Half, Half)) {
    for pair in 0..8 {
        let [first, second] = match direction {
            Direction::Forward => [2 * pair, 2 * pair + 1],
            Direction::Backward => [15 - 2 * pair, 14 - 2 * pair],
        };
        round(keys, &KEY_BITS[first], right, left);
        round(keys, &KEY_BITS[second], left, right);
    }
    std::mem::swap(left, right);
}

#[inline(always)]
fn round(keys: &Planes, bits: &[u8; 48], from: &Half, onto: &mut Half) {
    let (bits, _) = bits.as_chunks::<6>();
    substitute(0, s1, keys, &bits[0], from, onto);
    substitute(1, s2, keys, &bits[1], from, onto);
    substitute(2, s3, keys, &bits[2], from, onto);
    substitute(3, s4, keys, &bits[3], from, onto);
    substitute(4, s5, keys, &bits[4], from, onto);
    substitute(5, s6, keys, &bits[5], from, onto);
    substitute(6, s7, keys, &bits[6], from, onto);
    substitute(7, s8, keys, &bits[7], from, onto);
}

/// One S-box: its input chosen as E does, its output put where P does.
#[inline(always)]
fn substitute(
    number: usize,
    circuit: impl Fn([u64; 6]) -> [u64; 4],
    keys: &Planes,
    bits: &[u8; 6],
    from: &Half,
    onto: &mut Half,
) {
    let input = std::array::from_fn(|at| {
        from[(4 * number + at + 31) % 32] ^ keys[usize::from(bits[at] & 63)]
    });
    let output = circuit(input);
    for (bit, place) in output.into_iter().zip(&P_INVERSE[4 * number..]) {
        onto[usize::from(*place)] ^= bit;
    }
}

/// Rows to columns: ever smaller squares are exchanged across the diagonal.
fn transpose(rows: &mut Planes) {
    let (mut size, mut mask) = (32, 0xFFFF_FFFF_u64);
    while size > 0 {
        for pair in rows.chunks_exact_mut(2 * size) {
            let (upper, lower) = pair.split_at_mut(size);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let difference = (*lower >> size ^ *upper) & mask;
                *upper ^= difference;
                *lower ^= difference << size;
            }
        }
        size /= 2;
        mask ^= mask << size;
    }
}
