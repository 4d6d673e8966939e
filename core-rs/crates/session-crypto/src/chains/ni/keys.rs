//! Key schedules with the AES instructions. No `unsafe` is needed here.

use std::arch::x86_64::{
    _mm_aesenclast_si128, _mm_aesimc_si128, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_set1_epi32,
    _mm_setzero_si128, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_slli_si128, _mm_xor_si128,
};

use zeroize::Zeroizing;

use super::super::Block;
use super::{RoundKeys, load};

/// The key expansion (FIPS 197 §5.2), word by word; the last words of long schedules stay unused.
#[target_feature(enable = "aes,ssse3")]
pub(super) fn expand(key: &[u8], keys: &mut RoundKeys) {
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

/// The key expansion for 16 bytes, a round key at a time and in registers.
#[target_feature(enable = "aes,ssse3")]
pub(super) fn expand_short(key: &Block, keys: &mut RoundKeys) {
    // RotWord of the last column, in all columns
    let last_column = _mm_set1_epi32(0x0C0F_0E0D);
    let mut round_key = load(key);
    let mut constant = 1_i32;
    keys[0] = round_key;
    for key in &mut keys[1..11] {
        // SubWord as in `substitute`; the round adds the constant itself
        let rotated = _mm_shuffle_epi8(round_key, last_column);
        let added = _mm_aesenclast_si128(rotated, _mm_set1_epi32(constant));
        round_key = _mm_xor_si128(round_key, _mm_slli_si128::<4>(round_key));
        round_key = _mm_xor_si128(round_key, _mm_slli_si128::<8>(round_key));
        round_key = _mm_xor_si128(round_key, added);
        *key = round_key;
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
