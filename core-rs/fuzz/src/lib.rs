//! What the targets share: cards that know their keys, and a way to read steps from bytes.
//!
//! A fuzzer does not guess codes. Where what lies behind a check is to be reached, a target takes
//! the card's place, and puts a right code on bytes of the fuzzer's choice.
#![allow(clippy::unwrap_used)] // a target fails by panicking

pub mod scp02;
pub mod scp03;

/// Any key.
pub const KEY: [u8; 16] = *b"\x40\x41\x42\x43\x44\x45\x46\x47\x48\x49\x4A\x4B\x4C\x4D\x4E\x4F";

/// What a caller does next, and with which bytes.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    /// Protects a command.
    Wrap(&'a [u8]),
    /// Takes a response as it came.
    Unwrap(&'a [u8]),
    /// Takes a response that the card has put its code on.
    UnwrapAuthentic(&'a [u8]),
}

/// Steps from bytes: one for the kind and the upper part of the length, one for the lower part.
pub fn steps(mut data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    std::iter::from_fn(move || {
        let (&[kind, low], rest) = data.split_first_chunk()?;
        let length = usize::from(kind >> 2) << 8 | usize::from(low);
        let (bytes, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        Some(match kind & 3 {
            0 | 1 => Step::Wrap(bytes),
            2 => Step::Unwrap(bytes),
            _ => Step::UnwrapAuthentic(bytes),
        })
    })
}

/// Data and status word of a response; a short one is a status word alone.
pub fn response(bytes: &[u8]) -> (&[u8], [u8; 2]) {
    match bytes.split_last_chunk() {
        Some((data, status)) => (data, *status),
        None => (&[], [0x90, 0]),
    }
}
