//! The tables of FIPS 46-3, and what the compiler makes of them.

use super::expanded;

/// Bits of the key, numbered from 1 (PC-1): the 28 of C, then the 28 of D.
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60,
    52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29,
    21, 13, 5, 28, 20, 12, 4,
];

/// Bits of C and D, numbered from 1 (PC-2).
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52,
    31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

/// How far C and D turn before each round.
pub(super) const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/// Bits of the S-boxes' output, numbered from 1 (P).
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];

/// The S-boxes in rows of 16; the row is told by the first and last bit of the input.
pub(super) const S: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12,
        11, 9, 5, 3, 8, 4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9,
        1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1,
        10, 6, 9, 11, 5, 0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15,
        4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5,
        14, 12, 11, 15, 1, 13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6,
        9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2,
        12, 1, 10, 14, 9, 10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1,
        13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15,
        10, 3, 9, 8, 6, 4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14,
        2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13,
        14, 0, 11, 3, 8, 9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5,
        15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5,
        12, 2, 15, 8, 6, 1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4,
        10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6,
        11, 0, 14, 9, 2, 7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10,
        8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

/// Each S-box followed by P and E.
pub(super) static SP: [[u64; 64]; 8] = substitution();

/// Where the initial permutation takes its bits from, numbered from 0.
pub(super) static IP: [u8; 64] = initial();

/// Where P puts its bits, numbered from 0.
pub(super) static P_INVERSE: [u8; 32] = p_inverse();

/// Of the bits of a key, numbered from 0, those of each round key.
pub(super) static KEY_BITS: [[u8; 48]; 16] = key_bits();

/// Of the seven key bits in each byte of a key, their places in C and D.
pub(super) static KEY_TO_CD: [[u64; 128]; 8] = key_to_cd();

/// Of each seven bits of C and D, their places in a round key.
pub(super) static CD_TO_ROUND: [[u64; 128]; 8] = cd_to_round();

const fn substitution() -> [[u64; 64]; 8] {
    let mut tables = [[0; 64]; 8];
    let mut table = 0;
    while table < 8 {
        let mut input = 0;
        while input < 64 {
            let row = (input >> 4 & 2) | (input & 1);
            let output = S[table][16 * row + (input >> 1 & 15)] as u32;
            let spread = output << (28 - 4 * table);
            let mut permuted = 0;
            let mut bit = 0;
            while bit < 32 {
                permuted |= (spread >> (32 - P[bit] as u32) & 1) << (31 - bit);
                bit += 1;
            }
            tables[table][input] = expanded(permuted);
            input += 1;
        }
        table += 1;
    }
    tables
}

const fn key_to_cd() -> [[u64; 128]; 8] {
    let mut tables = [[0; 128]; 8];
    let mut bit = 0;
    while bit < 56 {
        let (byte, place) = ((PC1[bit] as usize - 1) / 8, (PC1[bit] as usize - 1) % 8);
        let mut value = 0;
        while value < 128 {
            // The parity bit, the eighth, has no place
            tables[byte][value] |= (value as u64 >> (6 - place) & 1) << (55 - bit);
            value += 1;
        }
        bit += 1;
    }
    tables
}

/// A round key has a byte for each S-box, with its six bits in the lower ones.
const fn cd_to_round() -> [[u64; 128]; 8] {
    let mut tables = [[0; 128]; 8];
    let mut bit = 0;
    while bit < 48 {
        let (group, place) = ((PC2[bit] as usize - 1) / 7, (PC2[bit] as usize - 1) % 7);
        let target = 8 * (7 - bit / 6) + 5 - bit % 6;
        let mut value = 0;
        while value < 128 {
            tables[group][value] |= (value as u64 >> (6 - place) & 1) << target;
            value += 1;
        }
        bit += 1;
    }
    tables
}

/// The initial permutation reads columns from below, those with even numbers first.
const fn initial() -> [u8; 64] {
    let mut table = [0; 64];
    let mut bit = 0;
    while bit < 64 {
        let (row, column) = (bit / 8, bit % 8);
        table[bit] = (57 + 2 * (row % 4) - row / 4 - 8 * column) as u8;
        bit += 1;
    }
    table
}

const fn p_inverse() -> [u8; 32] {
    let mut table = [0; 32];
    let mut bit = 0;
    while bit < 32 {
        table[P[bit] as usize - 1] = bit as u8;
        bit += 1;
    }
    table
}

const fn key_bits() -> [[u8; 48]; 16] {
    let mut tables = [[0; 48]; 16];
    let (mut round, mut turned) = (0, 0);
    while round < 16 {
        turned += SHIFTS[round] as u8;
        let mut bit = 0;
        while bit < 48 {
            let place = PC2[bit] - 1;
            let at = place / 28 * 28 + (place % 28 + turned) % 28;
            tables[round][bit] = PC1[at as usize] - 1;
            bit += 1;
        }
        round += 1;
    }
    tables
}
