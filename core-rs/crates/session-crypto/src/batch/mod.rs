//! The same work for many cards, on all processors.
//!
//! Inputs and outputs lie one after the other in flat buffers, so that a million cards are a few
//! buffers and not a million objects. Each card has its own keys: they are prepared, used once and
//! wiped. What can be done for several cards in one go is: AES for eight, Keccak for four, DES for 64.

mod keys;
mod packets;
mod vectors;

use std::num::NonZeroUsize;
use std::thread;

use crate::des;
use crate::error::CryptoError;

pub use keys::{diversified_keys_aes, diversified_keys_des};
pub use packets::{Cards, Packets, RECEIPT, command_packets, receipts};
pub use vectors::{SUBSCRIBER, VECTOR, milenage_vectors, tuak_vector_length, tuak_vectors};

/// Outputs that are made together; every kernel's number of lanes divides it.
const GROUP: usize = des::LANES;

/// Gives each processor a run of outputs of one length, and the number of the run's first. A run is a
/// number of whole groups, but for the last. With fewer than `least` outputs a processor is not worth a
/// thread.
fn spread(
    outputs: &mut [u8],
    length: usize,
    least: usize,
    work: impl Fn(usize, &mut [u8]) -> Result<(), CryptoError> + Sync,
) -> Result<(), CryptoError> {
    let count = outputs.len() / length;
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(count / least).max(1);
    let run = count.div_ceil(workers).next_multiple_of(GROUP).max(GROUP);
    let mut runs = outputs.chunks_mut(run * length).enumerate();
    let own = runs.next();
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = runs
            .map(|(number, outputs)| scope.spawn(move || work(number * run, outputs)))
            .collect();
        let mut result = own.map_or(Ok(()), |(_, outputs)| work(0, outputs));
        for other in others {
            let other = other.join();
            result = result.and(other.unwrap_or(Err(CryptoError::WrongState {
                step: "batch",
                reason: "a thread has ended early",
            })));
        }
        result
    })
}

/// The bytes of each card in a buffer for all.
fn share(field: &'static str, buffer: &[u8], count: usize) -> Result<usize, CryptoError> {
    let each = buffer.len() / count;
    fits(field, buffer.len(), each * count)?;
    Ok(each)
}

const fn fits(field: &'static str, actual: usize, expected: usize) -> Result<(), CryptoError> {
    if actual == expected {
        return Ok(());
    }
    Err(CryptoError::WrongLength {
        field,
        expected,
        actual,
    })
}
