//! The same work for many cards, on all processors.
//!
//! Inputs and outputs lie one after the other in flat buffers, so that a million cards are a few
//! buffers and not a million objects. Outputs go into a buffer of the caller's, who can wipe it.

use std::num::NonZeroUsize;
use std::thread;

use crate::chains::Aes;
use crate::error::CryptoError;
use crate::milenage;

/// Below this many pieces of work a thread costs more than it brings.
const WORTH_A_THREAD: usize = 512;

/// K and OPc of one subscriber.
pub const SUBSCRIBER: usize = 32;
/// AUTN, XRES, CK and IK of one vector.
pub const VECTOR: usize = 16 + 8 + 16 + 16;

const RAND: usize = 16;
const SQN: usize = 6;

/// MILENAGE vectors, one for each subscriber (K ‖ OPc), challenge and sequence number, into `vectors`
/// (AUTN ‖ XRES ‖ CK ‖ IK each); `amf` is everyone's.
///
/// # Errors
/// A buffer whose length does not fit the number of subscribers.
pub fn milenage_vectors(
    subscribers: &[u8],
    rands: &[u8],
    sqns: &[u8],
    amf: &[u8],
    vectors: &mut [u8],
) -> Result<(), CryptoError> {
    let (subscribers, rest) = subscribers.as_chunks::<SUBSCRIBER>();
    let count = subscribers.len();
    fits(
        "subscribers",
        count * SUBSCRIBER + rest.len(),
        count * SUBSCRIBER,
    )?;
    fits("RANDs", rands.len(), count * RAND)?;
    fits("SQNs", sqns.len(), count * SQN)?;
    fits("vectors", vectors.len(), count * VECTOR)?;
    let amf = crate::error::array("AMF", amf)?;
    let (rands, sqns) = (rands.as_chunks::<RAND>().0, sqns.as_chunks::<SQN>().0);
    spread(vectors.as_chunks_mut::<VECTOR>().0, |first, vectors| {
        let mut cipher = Aes::new("K", &[0; 16])?;
        let inputs = subscribers[first..].iter().zip(&rands[first..]);
        let inputs = inputs.zip(&sqns[first..]);
        for (((subscriber, rand), sqn), vector) in inputs.zip(vectors) {
            milenage::fill_vector(&mut cipher, subscriber, rand, sqn, amf, vector)?;
        }
        Ok(())
    })
}

/// Gives each processor a run of the outputs, with the number of its first.
fn spread<T: Send>(
    outputs: &mut [T],
    work: impl Fn(usize, &mut [T]) -> Result<(), CryptoError> + Sync,
) -> Result<(), CryptoError> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(outputs.len() / WORTH_A_THREAD).max(1);
    let run = outputs.len().div_ceil(workers).max(1);
    let mut runs = outputs.chunks_mut(run).enumerate();
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
