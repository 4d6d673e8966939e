//! Digests over parts joined by colons, the way the digest schemes write their formulas.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// MD5 over the parts with a colon between each two.
pub(crate) fn md5_of(parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut hash = Md5::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    Zeroizing::new(hash.finalize().into())
}

pub(crate) fn base64(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// Base64 with or without padding, white space around it ignored.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim().trim_end_matches('=');
    STANDARD_NO_PAD.decode(bare).ok()
}

pub(crate) fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    nibbles
        .map(|nibble| char::from(digits[usize::from(nibble)]))
        .collect()
}

pub(crate) const LOWER_HEX: &[u8; 16] = b"0123456789abcdef";
pub(crate) const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";
