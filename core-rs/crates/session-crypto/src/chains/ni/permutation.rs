//! Keccak-f\[1600\] (FIPS 202 §3.3) on four states, word by word side by side in registers of AVX2.

use std::arch::x86_64::{
    __m256i, _mm256_andnot_si256, _mm256_or_si256, _mm256_rol_epi64, _mm256_set_epi64x,
    _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256,
    _mm256_ternarylogic_epi64, _mm256_xor_si256,
};

use zeroize::{Zeroize, Zeroizing};

use crate::chains::FOUR;

/// A processor with AVX2; and perhaps with the half of AVX-512 that does the same in fewer steps.
#[derive(Clone, Copy)]
pub(in crate::chains) struct FourPermutations {
    wide: bool,
}

impl FourPermutations {
    /// `None` without AVX2.
    pub(in crate::chains) fn new() -> Option<Self> {
        let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
        is_x86_feature_detected!("avx2").then_some(Self { wide })
    }

    /// Keccak-f\[1600\] on at most four states.
    pub(in crate::chains) fn run(self, states: &mut [Zeroizing<[u64; 25]>], times: u32) {
        if self.wide {
            // SAFETY: reason 1 of the module above
            unsafe { permute_wide(states, times) };
        } else {
            // SAFETY: reason 1 of the module above
            unsafe { permute(states, times) };
        }
    }
}

/// A word of each state.
type Words = __m256i;

/// The constants of ι: bits from a shift register, at the places one less than a power of two.
const CONSTANTS: [u64; 24] = {
    let mut constants = [0; 24];
    let (mut round, mut register) = (0, 1_u32);
    while round < 24 {
        let mut bit = 0;
        while bit < 7 {
            constants[round] ^= ((register & 1) as u64) << ((1 << bit) - 1);
            register = (register << 1) ^ (0x171 * (register >> 7 & 1));
            bit += 1;
        }
        round += 1;
    }
    constants
};

/// The permutation, compiled for a processor: the steps that its instructions do are arguments.
macro_rules! permutation {
    ($name:ident, $round:ident, $features:literal, $add_three:ident, $turn:ident, $choose:ident) => {
        #[target_feature(enable = $features)]
        fn $name(states: &mut [Zeroizing<[u64; 25]>], times: u32) {
            let word = |state: usize, at: usize| {
                states.get(state).map_or(0, |state| state[at].cast_signed())
            };
            let mut lanes: [Words; 25] = std::array::from_fn(|at| {
                _mm256_set_epi64x(word(3, at), word(2, at), word(1, at), word(0, at))
            });
            for _ in 0..times {
                for constant in CONSTANTS {
                    $round(&mut lanes, constant);
                }
            }
            for (at, lane) in lanes.iter_mut().enumerate() {
                let mut words = [0_u64; FOUR];
                // SAFETY: reason 2 of the module above
                unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), *lane) };
                for (state, word) in states.iter_mut().zip(words) {
                    state[at] = word;
                }
                words.zeroize();
            }
            lanes.zeroize();
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn $round(a: &mut [Words; 25], constant: u64) {
            // θ
            let columns: [Words; 5] = std::array::from_fn(|x| {
                $add_three($add_three(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20])
            });
            let turned: [Words; 5] = std::array::from_fn(|x| $turn::<1, 63>(columns[x]));
            let e = |at: usize| $add_three(a[at], columns[(at + 4) % 5], turned[(at + 1) % 5]);
            // ρ and π: each row of what comes out, from the words that go there
            let rows = [
                [
                    e(0),
                    $turn::<44, 20>(e(6)),
                    $turn::<43, 21>(e(12)),
                    $turn::<21, 43>(e(18)),
                    $turn::<14, 50>(e(24)),
                ],
                [
                    $turn::<28, 36>(e(3)),
                    $turn::<20, 44>(e(9)),
                    $turn::<3, 61>(e(10)),
                    $turn::<45, 19>(e(16)),
                    $turn::<61, 3>(e(22)),
                ],
                [
                    $turn::<1, 63>(e(1)),
                    $turn::<6, 58>(e(7)),
                    $turn::<25, 39>(e(13)),
                    $turn::<8, 56>(e(19)),
                    $turn::<18, 46>(e(20)),
                ],
                [
                    $turn::<27, 37>(e(4)),
                    $turn::<36, 28>(e(5)),
                    $turn::<10, 54>(e(11)),
                    $turn::<15, 49>(e(17)),
                    $turn::<56, 8>(e(23)),
                ],
                [
                    $turn::<62, 2>(e(2)),
                    $turn::<55, 9>(e(8)),
                    $turn::<39, 25>(e(14)),
                    $turn::<41, 23>(e(15)),
                    $turn::<2, 62>(e(21)),
                ],
            ];
            // χ
            for (y, row) in rows.iter().enumerate() {
                for x in 0..5 {
                    a[5 * y + x] = $choose(row[x], row[(x + 1) % 5], row[(x + 2) % 5]);
                }
            }
            // ι
            a[0] = _mm256_xor_si256(a[0], _mm256_set1_epi64x(constant.cast_signed()));
        }
    };
}

permutation!(permute, round, "avx2", add_three, turn, choose);
permutation!(
    permute_wide,
    round_wide,
    "avx2,avx512f,avx512vl",
    add_three_wide,
    turn_wide,
    choose_wide
);

#[target_feature(enable = "avx2")]
#[inline]
fn add_three(one: Words, two: Words, three: Words) -> Words {
    _mm256_xor_si256(_mm256_xor_si256(one, two), three)
}

#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn add_three_wide(one: Words, two: Words, three: Words) -> Words {
    _mm256_ternarylogic_epi64::<0x96>(one, two, three)
}

/// Turned left; the two numbers add up to 64.
#[target_feature(enable = "avx2")]
#[inline]
fn turn<const LEFT: i32, const RIGHT: i32>(words: Words) -> Words {
    _mm256_or_si256(
        _mm256_slli_epi64::<LEFT>(words),
        _mm256_srli_epi64::<RIGHT>(words),
    )
}

#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn turn_wide<const LEFT: i32, const RIGHT: i32>(words: Words) -> Words {
    _mm256_rol_epi64::<LEFT>(words)
}

/// What χ adds to a word: those of the next one's zeros that are ones after it.
#[target_feature(enable = "avx2")]
#[inline]
fn choose(word: Words, next: Words, after: Words) -> Words {
    _mm256_xor_si256(word, _mm256_andnot_si256(next, after))
}

#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn choose_wide(word: Words, next: Words, after: Words) -> Words {
    _mm256_ternarylogic_epi64::<0xD2>(word, next, after)
}
