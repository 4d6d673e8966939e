//! Key schedules with the AES instructions. No `unsafe` is needed here.

use std::arch::x86_64::{
    __m128i, _mm_aesenclast_si128, _mm_aesimc_si128, _mm_cvtsi32_si128, _mm_cvtsi128_si32,
    _mm_set1_epi32, _mm_setzero_si128, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_slli_si128,
    _mm_xor_si128,
};

use zeroize::Zeroizing;

use super::super::Block;
use super::{RoundKeys, load};

/// The key expansion (FIPS 197 §5.2), word by word but for short keys; the last words of long schedules
/// stay unused.
#[target_feature(enable = "aes,ssse3")]
pub(super) fn expand(key: &[u8], keys: &mut RoundKeys) {
    if let Ok(key) = key.try_into()
        && let Some(keys) = keys.as_chunks_mut().0.first_chunk_mut()
    {
        expand_each::<1>(&[key], keys);
        return;
    }
    let length = key.len() / 4;
    let mut words = Zeroizing::new([0_u32; 60]);
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut constant = 1_u32;
    for at in length..60 {
        let mut word = words[at - 1];
        if at % length == 0 {
            // Words are little-endian here: RotWord turns right
            word = substitute(word).rotate_right(8) ^ constant;
            constant = (constant << 1) ^ (0x11B * (constant >> 7));
        } else if length > 6 && at % length == 4 {
            word = substitute(word);
        }
        words[at] = words[at - length] ^ word;
    }
    for (key, words) in keys.iter_mut().zip(words.as_chunks::<4>().0) {
        let mut block = Zeroizing::new([0; 16]);
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        *key = load(&block);
    }
}

/// The key expansion for many keys of 16 bytes: each step waits for the one before it, so that many go
/// side by side.
#[target_feature(enable = "aes,ssse3")]
pub(super) fn expand_each<const N: usize>(keys: &[Block; N], round_keys: &mut [[__m128i; N]; 11]) {
    // RotWord of the last column, in all columns
    let last_column = _mm_set1_epi32(0x0C0F_0E0D);
    let mut lanes: [__m128i; N] = std::array::from_fn(|lane| load(&keys[lane]));
    let mut constant = 1_i32;
    round_keys[0] = lanes;
    for round_keys in &mut round_keys[1..] {
        for lane in &mut lanes {
            // SubWord as in `substitute`; the round adds the constant itself
            let rotated = _mm_shuffle_epi8(*lane, last_column);
            let added = _mm_aesenclast_si128(rotated, _mm_set1_epi32(constant));
            *lane = _mm_xor_si128(*lane, _mm_slli_si128::<4>(*lane));
            *lane = _mm_xor_si128(*lane, _mm_slli_si128::<8>(*lane));
            *lane = _mm_xor_si128(*lane, added);
        }
        *round_keys = lanes;
        constant = (constant << 1) ^ (0x11B * (constant >> 7));
    }
}

/// SubWord. Four equal columns come out of ShiftRows as they went in, so that the last round with a
/// zero key is SubBytes alone.
#[target_feature(enable = "aes,ssse3")]
fn substitute(word: u32) -> u32 {
    let columns = _mm_shuffle_epi32::<0>(_mm_cvtsi32_si128(word.cast_signed()));
    _mm_cvtsi128_si32(_mm_aesenclast_si128(columns, _mm_setzero_si128())).cast_unsigned()
}

/// The keys of the equivalent inverse cipher (FIPS 197 §5.3.5), in the order they are used.
#[target_feature(enable = "aes,ssse3")]
pub(super) fn invert<const ROUNDS: usize>(encryption: &RoundKeys, decryption: &mut RoundKeys) {
    decryption[0] = encryption[ROUNDS];
    for round in 1..ROUNDS {
        decryption[round] = _mm_aesimc_si128(encryption[ROUNDS - round]);
    }
    decryption[ROUNDS] = encryption[0];
}
