//! What the processor does fast if it is asked in the right way: AES in the chains that secure messaging
//! needs (CBC both ways, CBC-MAC, both in one pass) and for many keys at once, Keccak for many states.
//!
//! A CBC chain is serial: a block waits for the one before it, and the processor idles between
//! rounds. Encrypting and authenticating one command are two chains, of which the second follows
//! the first by a block; [`encrypt_and_mac`] runs them side by side and takes the time of one.
//!
//! On x86-64 with AES instructions (asked once, at run time) the work is in [`ni`], the only module
//! of this crate that may write `unsafe`. Everywhere else it is RustCrypto's `aes`, which is constant
//! in time on every processor.

#[cfg(target_arch = "x86_64")]
mod ni;
mod portable;

use keccak::Keccak;
use zeroize::Zeroizing;

use crate::error::CryptoError;

/// A block.
pub type Block = [u8; 16];

/// How many blocks go side by side that do not depend on one another.
pub const LANES: usize = 8;

/// A key with its schedules for both directions, made once and wiped on drop.
pub struct Aes(Schedule);

// Both are boxed: moving the value leaves no copy of the schedule behind
enum Schedule {
    #[cfg(target_arch = "x86_64")]
    Ni(Box<ni::Schedule>),
    Portable(Box<portable::Schedule>),
}

impl Aes {
    /// From a key of 16, 24 or 32 bytes; `field` names it should its length be wrong.
    ///
    /// # Errors
    /// A key of another length.
    pub fn new(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        #[cfg(target_arch = "x86_64")]
        if let Some(schedule) = ni::Schedule::new(key) {
            return Ok(Self(Schedule::Ni(schedule)));
        }
        Self::portable(field, key)
    }

    /// As [`Aes::new`], by RustCrypto's `aes` on every processor: what the fast way is held against.
    ///
    /// # Errors
    /// A key that has not 16, 24 or 32 bytes.
    pub fn portable(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        match portable::Schedule::new(key) {
            Some(schedule) => Ok(Self(Schedule::Portable(Box::new(schedule)))),
            None => Err(CryptoError::WrongLength {
                field,
                expected: nearest_key_length(key.len()),
                actual: key.len(),
            }),
        }
    }

    /// Encrypts one block.
    pub fn encrypt(&self, block: &mut Block) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Schedule::Ni(schedule) => schedule.encrypt(block),
            Schedule::Portable(schedule) => schedule.encrypt(block),
        }
    }

    /// Encrypts in place in CBC mode (SP 800-38A §6.2).
    pub fn cbc_encrypt(&self, iv: &Block, blocks: &mut [Block]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Schedule::Ni(schedule) => schedule.cbc_encrypt(iv, blocks),
            Schedule::Portable(schedule) => schedule.cbc_encrypt(iv, blocks),
        }
    }

    /// Decrypts in place in CBC mode (SP 800-38A §6.2).
    pub fn cbc_decrypt(&self, iv: &Block, blocks: &mut [Block]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Schedule::Ni(schedule) => schedule.cbc_decrypt(iv, blocks),
            Schedule::Portable(schedule) => schedule.cbc_decrypt(iv, blocks),
        }
    }

    /// An encrypted counter: a number as a big-endian block.
    #[must_use]
    pub fn encrypt_number(&self, number: u128) -> Block {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Schedule::Ni(schedule) => schedule.encrypt_number(number).to_be_bytes(),
            Schedule::Portable(schedule) => {
                let mut block = number.to_be_bytes();
                schedule.encrypt(&mut block);
                block
            }
        }
    }

    /// Takes blocks into a CBC-MAC state: `state = E(state xor block)` for each.
    pub fn mac(&self, state: &mut Block, blocks: &[Block]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Schedule::Ni(schedule) => schedule.mac(state, blocks),
            Schedule::Portable(schedule) => schedule.mac(state, blocks),
        }
    }
}

/// Keys of 16 bytes that are used a few times each, side by side: for work with many keys, where the
/// schedules cost as much as the encryption. Wiped on drop.
pub struct Lanes(EachSchedule);

enum EachSchedule {
    #[cfg(target_arch = "x86_64")]
    Ni(Box<ni::Lanes>),
    Portable(Box<[portable::Schedule; LANES]>),
}

impl Lanes {
    /// Keys of zeros, to be replaced.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = ni::Lanes::new() {
            return Self(EachSchedule::Ni(lanes));
        }
        Self::portable()
    }

    /// As [`Lanes::new`], by RustCrypto's `aes` on every processor: what the fast way is held against.
    #[must_use]
    pub fn portable() -> Self {
        let lanes = [(); LANES].map(|()| portable::Schedule::short(&[0; 16]));
        Self(EachSchedule::Portable(Box::new(lanes)))
    }

    /// Takes other keys.
    pub fn rekey(&mut self, keys: &[Block; LANES]) {
        match &mut self.0 {
            #[cfg(target_arch = "x86_64")]
            EachSchedule::Ni(lanes) => lanes.rekey(keys),
            EachSchedule::Portable(lanes) => {
                for (lane, key) in lanes.iter_mut().zip(keys) {
                    *lane = portable::Schedule::short(key);
                }
            }
        }
    }

    /// Encrypts a block with each key.
    pub fn encrypt(&self, blocks: &mut [Block; LANES]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            EachSchedule::Ni(lanes) => lanes.encrypt(blocks),
            EachSchedule::Portable(lanes) => {
                for (lane, block) in lanes.iter().zip(blocks) {
                    lane.encrypt(block);
                }
            }
        }
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new()
    }
}

/// How many states the permutation takes side by side.
pub const FOUR: usize = 4;

/// Keccak-f\[1600\] (FIPS 202 §3.3) on each state, `times` over.
pub fn permute_each(states: &mut [Zeroizing<[u64; 25]>], times: u32) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = ni::FourPermutations::new()
        && states.len() > 1
    {
        for states in states.chunks_mut(FOUR) {
            kernel.run(states, times);
        }
        return;
    }
    Keccak::new().with_f1600(|permute| {
        for state in states {
            for _ in 0..times {
                permute(state);
            }
        }
    });
}

/// Encrypts `message` behind its first `clear` bytes in CBC mode, and takes the result, the clear bytes
/// included, into a CBC-MAC state. What is left over at the end (the length modulo 16, filled with
/// zeros) is added to `ending` and taken in as the last block.
///
/// `clear` is 1 to 15, so that something is left over, and the rest whole blocks, at least one; the
/// header of a command is like that. Otherwise nothing happens, and the answer is `false`.
#[must_use]
pub fn encrypt_and_mac(
    (encryption, iv): (&Aes, &Block),
    (authentication, state): (&Aes, &mut Block),
    message: &mut [u8],
    clear: usize,
    ending: &Block,
) -> bool {
    let blocks = message.len().saturating_sub(clear) / 16;
    if !(1..16).contains(&clear) || blocks == 0 || message.len() != clear + 16 * blocks {
        return false;
    }
    #[cfg(target_arch = "x86_64")]
    if let (Schedule::Ni(encryption), Schedule::Ni(authentication)) =
        (&encryption.0, &authentication.0)
        && let Some(pair) = ni::Pair::new(encryption, authentication)
    {
        pair.run(iv, state, message, clear, ending);
        return true;
    }
    encryption.cbc_encrypt(iv, message[clear..].as_chunks_mut().0);
    let (whole, rest) = message.as_chunks();
    authentication.mac(state, whole);
    let mut last = *ending;
    for (byte, other) in last.iter_mut().zip(rest) {
        *byte ^= other;
    }
    authentication.mac(state, &[last]);
    true
}

fn nearest_key_length(length: usize) -> usize {
    match length {
        0..=16 => 16,
        17..=24 => 24,
        _ => 32,
    }
}
