//! The keys of many cards from a master key: K-ENC ‖ K-MAC ‖ K-DEK of each from its diversification data.
//!
//! Two ways that cards in the field have. Triple DES: that of the EMV Card Personalization Specification
//! 1.1, which GlobalPlatform cards of SCP02 come with. AES: SP 800-108 in counter mode over CMAC, as SCP03
//! cards come with; the label is the number of the key in four bytes.

use zeroize::Zeroizing;

use super::{GROUP, fits, spread};
use crate::cmac::Cmac;
use crate::des::{Block, Lanes};
use crate::error::CryptoError;

/// Below this many cards a thread costs more than it brings.
const WORTH_A_THREAD: usize = 256;
/// The diversification data that INITIALIZE UPDATE answers with; EMV takes the last six bytes of it.
const DATA: usize = 10;
/// Three keys of 16 bytes.
const DES_KEYS: usize = 48;

/// Keys of 16 bytes for triple DES (EMV CPS 1.1), 48 bytes for each ten of `data`.
///
/// # Errors
/// A master key that has not 16 bytes, a buffer whose length does not fit the number of cards.
pub fn diversified_keys_des(
    master: &[u8],
    data: &[u8],
    keys: &mut [u8],
) -> Result<(), CryptoError> {
    fits("master key", master.len(), 16)?;
    let data = check_data(data, keys, DES_KEYS)?;
    spread(keys, DES_KEYS, WORTH_A_THREAD, |first, keys| {
        let lanes = Lanes::new("master key", std::iter::repeat_n(master, GROUP))?;
        for (card, data) in keys.chunks_mut(DES_KEYS).zip(&data[first..]) {
            let [.., a, b, c, d, e, f] = *data;
            // F0 in the left half of a key, 0F in the right; then the key's number
            let halves = [
                (0xF0, 1),
                (0x0F, 1),
                (0xF0, 2),
                (0x0F, 2),
                (0xF0, 3),
                (0x0F, 3),
            ];
            let blocks: &mut [Block] = card.as_chunks_mut().0;
            for (block, (half, number)) in blocks.iter_mut().zip(halves) {
                *block = [a, b, c, d, e, f, half, number];
            }
        }
        lanes.encrypt_each(keys.as_chunks_mut().0);
        Ok(())
    })
}

/// Keys as long as the master key for AES, three for each ten bytes of `data`: SP 800-108 §5.1 with AES-CMAC
/// over the counter (one byte), the label 00 00 00 ‖ number of the key, 00, and the data.
///
/// # Errors
/// A master key of a length that AES does not have, a buffer whose length does not fit the number of cards.
pub fn diversified_keys_aes(
    master: &[u8],
    data: &[u8],
    keys: &mut [u8],
) -> Result<(), CryptoError> {
    let length = master.len();
    let cmac = Cmac::new("master key", master)?;
    let data = check_data(data, keys, 3 * length)?;
    spread(keys, 3 * length, WORTH_A_THREAD, |first, keys| {
        for (card, data) in keys.chunks_mut(3 * length).zip(&data[first..]) {
            for (number, key) in (1..).zip(card.chunks_mut(length)) {
                for (counter, part) in (1..).zip(key.chunks_mut(16)) {
                    let mut input = [0; 6 + DATA];
                    (input[0], input[4]) = (counter, number);
                    input[6..].copy_from_slice(data);
                    let derived = Zeroizing::new(cmac.tag(&input));
                    part.copy_from_slice(&derived[..part.len()]);
                }
            }
        }
        Ok(())
    })
}

/// The data of each card, if it is that of as many cards as there are keys for.
fn check_data<'a>(
    data: &'a [u8],
    keys: &[u8],
    each: usize,
) -> Result<&'a [[u8; DATA]], CryptoError> {
    let (cards, _) = data.as_chunks();
    fits("diversification data", data.len(), cards.len() * DATA)?;
    fits("keys", keys.len(), cards.len() * each)?;
    Ok(cards)
}
