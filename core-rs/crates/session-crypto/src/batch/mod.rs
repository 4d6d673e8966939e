//! The same work for many cards, on all processors.
//!
//! Inputs and outputs lie one after the other in flat buffers, so that a million cards are a few
//! buffers and not a million objects. Each card has its own keys: they are prepared, used once and
//! wiped. What can be done for several cards in one go is: AES for eight, Keccak for four, DES for 64.

mod channels;
mod keys;
mod packets;
mod vectors;

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::des;
use crate::error::CryptoError;

pub use channels::{scp02_unwrap, scp02_wrap};
pub use keys::{diversified_keys_aes, diversified_keys_des};
pub use packets::{Cards, Packets, RECEIPT, command_packets, receipts};
pub use vectors::{SUBSCRIBER, VECTOR, milenage_vectors, tuak_vector_length, tuak_vectors};

/// Outputs that are made together; every kernel's number of lanes divides it.
const GROUP: usize = des::LANES;

/// How many runs there are for each processor, so that one with other things to do leaves the rest to others.
const RUNS: usize = 8;

/// Gives processors runs of outputs of one length, one after the other, and the number of the run's first. A
/// run is a number of whole groups, but for the last. With fewer than `least` outputs a processor is not
/// worth a thread.
fn spread(
    outputs: &mut [u8],
    length: usize,
    least: usize,
    work: impl Fn(usize, &mut [u8]) -> Result<(), CryptoError> + Sync,
) -> Result<(), CryptoError> {
    let mut nothing = vec![(); outputs.len() / length];
    spread_with(&mut nothing, outputs, least, |first, _, outputs| {
        work(first, outputs)
    })
}

/// As [`spread`], with an item for each output that changes as it is made.
fn spread_with<T: Send>(
    items: &mut [T],
    outputs: &mut [u8],
    least: usize,
    work: impl Fn(usize, &mut [T], &mut [u8]) -> Result<(), CryptoError> + Sync,
) -> Result<(), CryptoError> {
    let count = items.len().max(1);
    let length = (outputs.len() / count).max(1);
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(count / least).max(1);
    let run = count.div_ceil(workers * RUNS).next_multiple_of(GROUP);
    let outputs = outputs.chunks_mut(run * length);
    let runs = Mutex::new(items.chunks_mut(run).zip(outputs).enumerate());
    let worker = || {
        loop {
            let next = runs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, (items, outputs))) = next else {
                return Ok(());
            };
            work(number * run, items, outputs)?;
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(worker)).collect();
        let mut result = worker();
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
