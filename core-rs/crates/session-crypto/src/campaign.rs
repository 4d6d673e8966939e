//! TUAK vectors and secured packets for many cards, on all processors.
//!
//! Inputs and outputs lie one after the other in flat buffers, so that a million cards are a few
//! buffers and not a million objects. Each card has its own keys: schedules are made, used once and
//! wiped.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

use crate::error::{CryptoError, array};
use crate::scp80::{KeySet, Spi};
use crate::tuak::{Parameters, Tuak};

/// Below this many cards a thread costs more than it brings.
const WORTH_A_THREAD: usize = 64;
/// Bytes of a counter in a packet.
const COUNTER: usize = 5;

/// The cards of a campaign, with what differs between them.
#[derive(Clone, Copy)]
pub struct Cards<'a> {
    /// Keys for encryption, all of one length; empty if nothing is encrypted.
    pub cipher_keys: &'a [u8],
    /// Keys for checksums, all of one length; empty if there are none.
    pub checksum_keys: &'a [u8],
    /// Counters of five bytes; their number is that of the cards.
    pub counters: &'a [u8],
}

/// What all packets of a campaign have in common.
#[derive(Clone, Copy)]
pub struct Packets<'a> {
    /// The encryption key's name and algorithm.
    pub kic: u8,
    /// The checksum key's name and algorithm.
    pub kid: u8,
    /// The length of a checksum, 4 or 8.
    pub code_length: usize,
    /// How the packets are secured.
    pub spi: Spi,
    /// The application that they are for.
    pub tar: &'a [u8],
}

/// How long a vector of [`tuak_vectors`] is: AUTN ‖ XRES ‖ CK ‖ IK.
#[must_use]
pub const fn tuak_vector_length(parameters: Parameters) -> usize {
    let Parameters {
        mac_length,
        res_length,
        ck_length,
        ik_length,
        ..
    } = parameters;
    8 + mac_length + res_length + ck_length + ik_length
}

/// TUAK vectors, one for each subscriber (K of `key_length` ‖ TOPc), challenge and sequence number, into
/// `vectors` (AUTN ‖ XRES ‖ CK ‖ IK each); `amf` is everyone's.
///
/// # Errors
/// Parameters that TUAK does not have, a buffer whose length does not fit the number of subscribers.
pub fn tuak_vectors(
    key_length: usize,
    subscribers: &[u8],
    [rands, sqns, amf]: [&[u8]; 3],
    parameters: Parameters,
    vectors: &mut [u8],
) -> Result<(), CryptoError> {
    // Found out before the threads start, where it is told for all
    Tuak::new(&vec![0; key_length], &[0; 32], parameters)?;
    let amf: [u8; 2] = array("AMF", amf)?;
    let each = key_length + 32;
    let count = subscribers.len() / each;
    fits("subscribers", subscribers.len(), count * each)?;
    fits("RANDs", rands.len(), count * 16)?;
    fits("SQNs", sqns.len(), count * 6)?;
    let length = tuak_vector_length(parameters);
    fits("vectors", vectors.len(), count * length)?;
    spread(vectors, length, |number, vector| {
        let (k, topc) = subscribers[number * each..][..each].split_at(key_length);
        let (rand, sqn) = (&rands[number * 16..][..16], &sqns[number * 6..][..6]);
        let made = Tuak::new(k, topc, parameters)?.vector(rand, sqn, &amf)?;
        let parts = [
            &made.autn,
            made.xres.expose(),
            made.ck.expose(),
            made.ik.expose(),
        ];
        let mut at = 0;
        for part in parts {
            vector[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    })
}

/// Command packets, one for each card, all of one length and one after the other. `data` is everyone's,
/// or as much for each card, one after the other, if `own_data` is set.
///
/// # Errors
/// What [`KeySet::new`] and [`KeySet::build_command`] refuse, a buffer whose length does not fit the
/// number of cards.
pub fn command_packets(
    packets: Packets<'_>,
    cards: Cards<'_>,
    data: &[u8],
    own_data: bool,
) -> Result<Vec<u8>, CryptoError> {
    let count = cards.counters.len() / COUNTER;
    fits("counters", cards.counters.len(), count * COUNTER)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let cipher_length = share("KIc keys", cards.cipher_keys, count)?;
    let checksum_length = share("KID keys", cards.checksum_keys, count)?;
    let data_length = if own_data {
        share("data", data, count)?
    } else {
        data.len()
    };
    let build = |number: usize| {
        let Packets {
            kic,
            kid,
            code_length,
            spi,
            tar,
        } = packets;
        let cipher_key = &cards.cipher_keys[number * cipher_length..][..cipher_length];
        let checksum_key = &cards.checksum_keys[number * checksum_length..][..checksum_length];
        let keys = KeySet::new(kic, cipher_key, kid, checksum_key, code_length)?;
        let counter = &cards.counters[number * COUNTER..][..COUNTER];
        let counter = counter
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let data = if own_data {
            &data[number * data_length..][..data_length]
        } else {
            data
        };
        keys.build_command(spi, tar, counter, data)
    };
    let length = build(0)?.len();
    let mut built = vec![0; count * length];
    spread(&mut built, length, |number, packet| {
        packet.copy_from_slice(&build(number)?);
        Ok(())
    })?;
    Ok(built)
}

/// Gives each processor a run of outputs of one length, and each piece of work its number.
fn spread(
    outputs: &mut [u8],
    length: usize,
    work: impl Fn(usize, &mut [u8]) -> Result<(), CryptoError> + Sync,
) -> Result<(), CryptoError> {
    let count = outputs.len() / length;
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = processors.min(count / WORTH_A_THREAD).max(1);
    let run = count.div_ceil(workers).max(1);
    let fault = Mutex::new(None);
    let work_on = |first: usize, outputs: &mut [u8]| {
        for (offset, output) in outputs.chunks_mut(length).enumerate() {
            if let Err(found) = work(first + offset, output) {
                if let Ok(mut fault) = fault.lock() {
                    *fault = Some(found);
                }
                return;
            }
        }
    };
    let mut runs = outputs.chunks_mut(run * length).enumerate();
    let own = runs.next();
    thread::scope(|scope| {
        for (number, outputs) in runs {
            let work_on = &work_on;
            scope.spawn(move || work_on(number * run, outputs));
        }
        if let Some((_, outputs)) = own {
            work_on(0, outputs);
        }
    });
    match fault.into_inner() {
        Ok(Some(fault)) => Err(fault),
        _ => Ok(()),
    }
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
