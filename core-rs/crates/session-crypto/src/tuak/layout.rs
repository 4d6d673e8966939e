//! Where each field lies in the state of the permutation (TS 35.231 §6.2), and the values of INSTANCE (§7).
//!
//! The standard numbers bits from the least significant one of the last byte, so that every field lies in
//! the state with its bytes in reverse: its words are big-endian numbers, the last one first.

use zeroize::Zeroizing;

use super::Parameters;

/// The state, as the permutation takes it.
pub(super) type State = Zeroizing<[u64; 25]>;

const ALGORITHM: u64 = u64::from_be_bytes(*b"TUAK1.0\0");

// The words in which each field begins, and the outputs of f2 to f5 do. ALGORITHM ‖ INSTANCE is one
// word, SQN ‖ AMF is one.
const AT_INSTANCE: usize = 4;
const AT_RAND: usize = 5;
const AT_SQN: usize = 7;
const AT_KEY: usize = 8;
const PADDING: [(usize, u64); 2] = [(12, 0x1F), (16, 0x80 << 56)];
/// Of CK among the outputs.
pub(super) const AT_CK: usize = 4;
/// Of IK among the outputs.
pub(super) const AT_IK: usize = 8;
const AT_AK: usize = 12;

/// Which function it is: INSTANCE but for the lengths.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Function {
    /// MAC-A; without any length it derives TOPc.
    F1 = 0x00,
    F1Star = 0x80,
    F2345 = 0x40,
    F5Star = 0xC0,
}

const CK_IS_LONG: u8 = 0x04;
const IK_IS_LONG: u8 = 0x02;
const KEY_IS_LONG: u8 = 0x01;

/// What a function adds to INSTANCE for the lengths of its outputs: those of codes.
pub(super) const fn code_flags(parameters: &Parameters) -> u8 {
    length_flag(parameters.mac_length)
}

/// Those of RES, CK and IK. A RES of 4 bytes counts as zero.
pub(super) const fn response_flags(parameters: &Parameters) -> u8 {
    let res = match parameters.res_length {
        4 => 0,
        length => length_flag(length),
    };
    let ck = if parameters.ck_length == 32 {
        CK_IS_LONG
    } else {
        0
    };
    let ik = if parameters.ik_length == 32 {
        IK_IS_LONG
    } else {
        0
    };
    res | ck | ik
}

/// 8, 16 or 32 bytes.
const fn length_flag(length: usize) -> u8 {
    match length {
        8 => 0x08,
        16 => 0x10,
        _ => 0x20,
    }
}

/// What all functions of a subscriber have in common, with TOP or TOPc and K.
pub(super) fn prepare(state: &mut State, operator: &[u8], k: &[u8]) {
    **state = [0; 25];
    put(state, 0, operator);
    let key = if k.len() == 32 { KEY_IS_LONG } else { 0 };
    state[AT_INSTANCE] = ALGORITHM | u64::from(key);
    put(state, AT_KEY, k);
    for (at, word) in PADDING {
        state[at] = word;
    }
}

/// A prepared state becomes the input of a function.
pub(super) fn choose(state: &mut State, function: Function, flags: u8) {
    state[AT_INSTANCE] |= u64::from(function as u8 | flags);
}

/// The challenge, which all functions but that of TOPc take.
pub(super) fn put_rand(state: &mut State, rand: &[u8; 16]) {
    put(state, AT_RAND, rand);
}

/// SQN ‖ AMF, which codes are over.
pub(super) fn put_sqn(state: &mut State, sqn: &[u8; 6], amf: [u8; 2]) {
    let ([a, b, c, d, e, f], [g, h]) = (*sqn, amf);
    state[AT_SQN] = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
}

/// Puts a field of whole words into the state.
fn put(state: &mut State, at: usize, field: &[u8]) {
    let words = field.as_rchunks().1.iter().rev();
    for (word, bytes) in state[at..].iter_mut().zip(words) {
        *word = u64::from_be_bytes(*bytes);
    }
}

/// Takes a field of whole words, or the end of one, out of the state.
pub(super) fn take(state: &State, at: usize, field: &mut [u8]) {
    for (bytes, word) in field.rchunks_mut(8).zip(&state[at..]) {
        let start = 8 - bytes.len();
        bytes.copy_from_slice(&word.to_be_bytes()[start..]);
    }
}

/// AK, from the outputs of f5 or f5*.
pub(super) fn anonymity_key(state: &State) -> [u8; 6] {
    let mut key = [0; 6];
    take(state, AT_AK, &mut key);
    key
}

/// AUTN: SQN xor AK, AMF, MAC-A.
pub(super) fn fill_token(autn: &mut [u8], sqn: &[u8; 6], amf: [u8; 2], [code, out]: [&State; 2]) {
    autn[..6].copy_from_slice(&conceal(sqn, &anonymity_key(out)));
    autn[6..8].copy_from_slice(&amf);
    take(code, 0, &mut autn[8..]);
}

/// SQN xor AK.
pub(super) fn conceal(sqn: &[u8; 6], ak: &[u8; 6]) -> [u8; 6] {
    std::array::from_fn(|index| sqn[index] ^ ak[index])
}
