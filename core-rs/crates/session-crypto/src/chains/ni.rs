//! The chains with the AES instructions of x86-64.
//!
//! Why this is sound. `unsafe` does two things here, and each block says which:
//!
//! 1. It calls a function that is compiled for the features `aes` and `ssse3`, or for `avx2` with
//!    or without `avx512f` and `avx512vl`. A [`Schedule`] and [`Lanes`] exist only if
//!    `is_x86_feature_detected!` has said yes to the former two, [`FourPermutations`] only if it has
//!    to `avx2`, and it is `wide` only if it has to all three: `new` is the only constructor of each,
//!    their fields are private, and every such call is made by a method of theirs or of a [`Pair`].
//! 2. It reads or writes 16 or 32 bytes through a reference to an array of exactly that size, with
//!    the instructions that need no alignment.
//!
//! There is no pointer arithmetic, and no slice is indexed without a check. Nothing branches on or
//! indexes by a secret: the instructions themselves are constant in time.

// The only module of this crate that may: see above.
#![allow(unsafe_code)]

mod keys;
mod permutation;

use std::arch::x86_64::{
    __m128i, _mm_aesdec_si128, _mm_aesdeclast_si128, _mm_aesenc_si128, _mm_aesenclast_si128,
    _mm_cvtsi128_si64, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x, _mm_setzero_si128,
    _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi64, _mm_xor_si128,
};
use std::hint::black_box;

use zeroize::Zeroize;

use super::{Block, LANES};
use keys::{expand, expand_each, invert};
pub(super) use permutation::FourPermutations;

/// Round keys for AES-256, of which shorter keys use the first 11 or 13.
type RoundKeys = [__m128i; 15];

/// The expanded key, for both directions.
pub(super) struct Schedule {
    encryption: RoundKeys,
    decryption: RoundKeys,
    rounds: Rounds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounds {
    Ten,
    Twelve,
    Fourteen,
}

/// Keys of 16 bytes for encryption, one a lane: a round's keys lie side by side.
pub(super) struct Lanes([[__m128i; LANES]; 11]);

/// Two keys of the same length, whose chains advance together.
pub(super) struct Pair<'a> {
    encryption: &'a Schedule,
    authentication: &'a Schedule,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.encryption.zeroize();
        self.decryption.zeroize();
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Calls a kernel compiled for the number of rounds.
macro_rules! for_rounds {
    ($rounds:expr, $kernel:ident($($argument:expr),*)) => {
        match $rounds {
            // SAFETY: reason 1 of this module
            Rounds::Ten => unsafe { $kernel::<10>($($argument),*) },
            // SAFETY: reason 1 of this module
            Rounds::Twelve => unsafe { $kernel::<12>($($argument),*) },
            // SAFETY: reason 1 of this module
            Rounds::Fourteen => unsafe { $kernel::<14>($($argument),*) },
        }
    };
}

impl Schedule {
    /// `None` without AES instructions, and for a length that is none of an AES key.
    pub(super) fn new(key: &[u8]) -> Option<Box<Self>> {
        if !is_possible() {
            return None;
        }
        let rounds = match key.len() {
            16 => Rounds::Ten,
            24 => Rounds::Twelve,
            32 => Rounds::Fourteen,
            _ => return None,
        };
        // Filled in its place on the heap, so that no copy stays on the stack
        let mut schedule = Box::new(Self {
            encryption: zero_keys(),
            decryption: zero_keys(),
            rounds,
        });
        let Self {
            encryption,
            decryption,
            ..
        } = &mut *schedule;
        // SAFETY: reason 1: the features were detected above
        unsafe { expand(key, encryption) };
        for_rounds!(rounds, invert(encryption, decryption));
        Some(schedule)
    }

    pub(super) fn encrypt_number(&self, number: u128) -> u128 {
        for_rounds!(self.rounds, encrypt_number(&self.encryption, number))
    }

    pub(super) fn encrypt(&self, block: &mut Block) {
        for_rounds!(self.rounds, encrypt(&self.encryption, block));
    }

    pub(super) fn cbc_encrypt(&self, iv: &Block, blocks: &mut [Block]) {
        for_rounds!(self.rounds, cbc_encrypt(&self.encryption, iv, blocks));
    }

    pub(super) fn cbc_decrypt(&self, iv: &Block, blocks: &mut [Block]) {
        for_rounds!(self.rounds, cbc_decrypt(&self.decryption, iv, blocks));
    }

    pub(super) fn mac(&self, state: &mut Block, blocks: &[Block]) {
        for_rounds!(self.rounds, mac(&self.encryption, state, blocks));
    }
}

impl Lanes {
    /// `None` without AES instructions. The keys are zero.
    pub(super) fn new() -> Option<Box<Self>> {
        // SAFETY: SSE2, which this needs, is part of x86-64
        let zero = unsafe { _mm_setzero_si128() };
        is_possible().then(|| Box::new(Self([[zero; LANES]; 11])))
    }

    pub(super) fn rekey(&mut self, keys: &[Block; LANES]) {
        // SAFETY: reason 1 of this module
        unsafe { expand_each(keys, &mut self.0) };
    }

    pub(super) fn encrypt(&self, blocks: &mut [Block; LANES]) {
        // SAFETY: reason 1 of this module
        unsafe { encrypt_each(&self.0, blocks) };
    }
}

impl<'a> Pair<'a> {
    /// `None` for keys of different lengths.
    pub(super) fn new(encryption: &'a Schedule, authentication: &'a Schedule) -> Option<Self> {
        (encryption.rounds == authentication.rounds).then_some(Self {
            encryption,
            authentication,
        })
    }

    pub(super) fn run(
        &self,
        iv: &Block,
        state: &mut Block,
        message: &mut [u8],
        clear: usize,
        ending: &Block,
    ) {
        let keys = (&self.encryption.encryption, &self.authentication.encryption);
        for_rounds!(
            self.encryption.rounds,
            encrypt_and_mac(keys, (iv, state), message, clear, ending)
        );
    }
}

/// Whether the processor has what the kernels are compiled for.
fn is_possible() -> bool {
    is_x86_feature_detected!("aes") && is_x86_feature_detected!("ssse3")
}

fn zero_keys() -> RoundKeys {
    // SAFETY: SSE2, which this needs, is part of x86-64
    [unsafe { _mm_setzero_si128() }; 15]
}

fn load(block: &Block) -> __m128i {
    // SAFETY: reason 2
    unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
}

fn store(block: &mut Block, value: __m128i) {
    // SAFETY: reason 2
    unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "aes,ssse3")]
fn encrypt<const ROUNDS: usize>(keys: &RoundKeys, block: &mut Block) {
    store(
        block,
        rounds::<ROUNDS>(keys, _mm_xor_si128(load(block), keys[0])),
    );
}

/// A number as a big-endian block. It goes through registers: two halves stored apart would have to
/// arrive before they could be read as one.
#[target_feature(enable = "aes,ssse3")]
fn encrypt_number<const ROUNDS: usize>(keys: &RoundKeys, number: u128) -> u128 {
    let (low, high) = ((number as u64).swap_bytes(), (number >> 64) as u64);
    let block = _mm_set_epi64x(low.cast_signed(), high.swap_bytes().cast_signed());
    let block = rounds::<ROUNDS>(keys, _mm_xor_si128(block, keys[0]));
    let high = _mm_cvtsi128_si64(block).cast_unsigned().swap_bytes();
    let low = _mm_cvtsi128_si64(_mm_unpackhi_epi64(block, block));
    u128::from(high) << 64 | u128::from(low.cast_unsigned().swap_bytes())
}

/// A block under each key.
#[target_feature(enable = "aes,ssse3")]
fn encrypt_each(keys: &[[__m128i; LANES]; 11], blocks: &mut [Block; LANES]) {
    let [first, middle @ .., last] = keys;
    let mut lanes: [__m128i; LANES] =
        std::array::from_fn(|lane| _mm_xor_si128(load(&blocks[lane]), first[lane]));
    for keys in middle {
        for (lane, key) in lanes.iter_mut().zip(keys) {
            *lane = _mm_aesenc_si128(*lane, *key);
        }
    }
    for ((block, lane), key) in blocks.iter_mut().zip(lanes).zip(last) {
        store(block, _mm_aesenclast_si128(lane, *key));
    }
}

#[target_feature(enable = "aes,ssse3")]
fn cbc_encrypt<const ROUNDS: usize>(keys: &RoundKeys, iv: &Block, blocks: &mut [Block]) {
    let mut chain = load(iv);
    for block in blocks {
        // First what does not wait for the chain
        let whitened = _mm_xor_si128(load(block), keys[0]);
        chain = rounds::<ROUNDS>(keys, _mm_xor_si128(chain, whitened));
        store(block, chain);
    }
}

#[target_feature(enable = "aes,ssse3")]
fn mac<const ROUNDS: usize>(keys: &RoundKeys, state: &mut Block, blocks: &[Block]) {
    let mut chain = load(state);
    for block in blocks {
        let whitened = _mm_xor_si128(load(block), keys[0]);
        chain = rounds::<ROUNDS>(keys, _mm_xor_si128(chain, whitened));
    }
    store(state, chain);
}

#[target_feature(enable = "aes,ssse3")]
fn cbc_decrypt<const ROUNDS: usize>(keys: &RoundKeys, iv: &Block, blocks: &mut [Block]) {
    let mut previous = load(iv);
    let (groups, rest) = blocks.as_chunks_mut::<LANES>();
    for group in groups {
        let sealed: [__m128i; LANES] = std::array::from_fn(|lane| load(&group[lane]));
        let mut open = sealed;
        for lane in &mut open {
            *lane = _mm_xor_si128(*lane, keys[0]);
        }
        for key in &keys[1..ROUNDS] {
            for lane in &mut open {
                *lane = _mm_aesdec_si128(*lane, *key);
            }
        }
        for (lane, block) in group.iter_mut().enumerate() {
            let last = _mm_aesdeclast_si128(open[lane], keys[ROUNDS]);
            store(block, _mm_xor_si128(last, previous));
            previous = sealed[lane];
        }
    }
    for block in rest {
        let sealed = load(block);
        let mut open = _mm_xor_si128(sealed, keys[0]);
        for key in &keys[1..ROUNDS] {
            open = _mm_aesdec_si128(open, *key);
        }
        let last = _mm_aesdeclast_si128(open, keys[ROUNDS]);
        store(block, _mm_xor_si128(last, previous));
        previous = sealed;
    }
}

/// CBC over the message behind `clear` bytes, and CBC-MAC over all of it, the last bytes of which are
/// added to `ending`; `super::encrypt_and_mac` has seen to the lengths. A block goes into the code one
/// step after it was encrypted.
///
/// The blocks of the code straddle those of the cipher by the clear bytes. They are put together in
/// registers: a load that straddles two stores under way would stop both chains.
#[target_feature(enable = "aes,ssse3")]
fn encrypt_and_mac<const ROUNDS: usize>(
    (encryption, authentication): (&RoundKeys, &RoundKeys),
    (iv, state): (&Block, &mut Block),
    message: &mut [u8],
    clear: usize,
    ending: &Block,
) {
    let (Some(head), Some(straddle)) = (message.first_chunk(), Straddle::new(clear)) else {
        return;
    };
    let mut before = _mm_shuffle_epi8(load(head), straddle.to_end);
    let ([first, blocks @ ..], _) = message[clear..].as_chunks_mut() else {
        return;
    };
    let ending = _mm_xor_si128(load(ending), authentication[0]);
    let whitened = _mm_xor_si128(load(first), encryption[0]);
    let mut chain = rounds::<ROUNDS>(encryption, _mm_xor_si128(load(iv), whitened));
    let mut code = load(state);
    store(first, chain);
    for block in blocks {
        // Keys are read where they lie: else the compiler copies them all to the stack first, where
        // nothing would wipe them
        let (encryption, authentication) = black_box((encryption, authentication));
        let whitened = _mm_xor_si128(load(block), encryption[0]);
        let ready = _mm_xor_si128(straddle.join(before, chain), authentication[0]);
        before = chain;
        (chain, code) = pair_of_rounds::<ROUNDS>(
            (encryption, _mm_xor_si128(chain, whitened)),
            (authentication, _mm_xor_si128(code, ready)),
        );
        store(block, chain);
    }
    let ready = _mm_xor_si128(straddle.join(before, chain), authentication[0]);
    code = rounds::<ROUNDS>(authentication, _mm_xor_si128(code, ready));
    let rest = _mm_shuffle_epi8(chain, straddle.from_before);
    let ready = _mm_xor_si128(rest, ending);
    code = rounds::<ROUNDS>(authentication, _mm_xor_si128(code, ready));
    store(state, code);
}

/// Blocks of the code from blocks of the cipher: the last bytes of one and the first of the next.
struct Straddle {
    from_before: __m128i,
    from_after: __m128i,
    to_end: __m128i,
}

/// A window of 16 bytes on this selects bytes for a shuffle; 80 selects a zero.
static SELECTORS: [u8; 48] = {
    let mut selectors = [0x80; 48];
    let mut at = 0;
    while at < 16 {
        selectors[16 + at as usize] = at;
        at += 1;
    }
    selectors
};

impl Straddle {
    /// `None` for more than 16 clear bytes.
    fn new(clear: usize) -> Option<Self> {
        let window = |at: usize| SELECTORS.get(at..)?.first_chunk().map(load);
        Some(Self {
            from_before: window(32_usize.checked_sub(clear)?)?,
            from_after: window(16_usize.checked_sub(clear)?)?,
            to_end: window(clear)?,
        })
    }

    #[target_feature(enable = "aes,ssse3")]
    #[inline]
    fn join(&self, before: __m128i, after: __m128i) -> __m128i {
        _mm_or_si128(
            _mm_shuffle_epi8(before, self.from_before),
            _mm_shuffle_epi8(after, self.from_after),
        )
    }
}

/// The rounds after the first key has been added.
#[target_feature(enable = "aes,ssse3")]
#[inline]
fn rounds<const ROUNDS: usize>(keys: &RoundKeys, whitened: __m128i) -> __m128i {
    let mut block = whitened;
    for key in &keys[1..ROUNDS] {
        block = _mm_aesenc_si128(block, *key);
    }
    _mm_aesenclast_si128(block, keys[ROUNDS])
}

#[target_feature(enable = "aes,ssse3")]
#[inline]
fn pair_of_rounds<const ROUNDS: usize>(
    (left_keys, mut left): (&RoundKeys, __m128i),
    (right_keys, mut right): (&RoundKeys, __m128i),
) -> (__m128i, __m128i) {
    for (left_key, right_key) in left_keys[1..ROUNDS].iter().zip(&right_keys[1..ROUNDS]) {
        left = _mm_aesenc_si128(left, *left_key);
        right = _mm_aesenc_si128(right, *right_key);
    }
    (
        _mm_aesenclast_si128(left, left_keys[ROUNDS]),
        _mm_aesenclast_si128(right, right_keys[ROUNDS]),
    )
}
