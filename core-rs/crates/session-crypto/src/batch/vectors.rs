//! Authentication vectors for many subscribers.

use super::{fits, spread};
use crate::chains::{self, FOUR};
use crate::error::{CryptoError, array};
use crate::milenage::{self, Constants};
use crate::tuak::{self, Parameters};

/// K and OPc of one subscriber.
pub const SUBSCRIBER: usize = 32;
/// AUTN, XRES, CK and IK of one vector.
pub const VECTOR: usize = 16 + 8 + 16 + 16;

const RAND: usize = 16;
const SQN: usize = 6;
const TOPC: usize = 32;

/// Below this many vectors a thread costs more than it brings.
const WORTH_A_THREAD: [usize; 2] = [1024, 128];

/// MILENAGE vectors, one for each subscriber (K ‖ OPc), challenge and sequence number, into `vectors`
/// (AUTN ‖ XRES ‖ CK ‖ IK each); `amf` is everyone's, as the constants are.
///
/// # Errors
/// A rotation of 128 bits or more, a buffer whose length does not fit the number of subscribers.
pub fn milenage_vectors(
    subscribers: &[u8],
    [rands, sqns, amf]: [&[u8]; 3],
    constants: Constants,
    vectors: &mut [u8],
) -> Result<(), CryptoError> {
    constants.check()?;
    let count = subscribers.len() / SUBSCRIBER;
    fits("subscribers", subscribers.len(), count * SUBSCRIBER)?;
    fits("RANDs", rands.len(), count * RAND)?;
    fits("SQNs", sqns.len(), count * SQN)?;
    fits("vectors", vectors.len(), count * VECTOR)?;
    let amf = array("AMF", amf)?;
    let (subscribers, rands) = (subscribers.as_chunks().0, rands.as_chunks().0);
    let sqns = sqns.as_chunks().0;
    spread(vectors, VECTOR, WORTH_A_THREAD[0], |first, vectors| {
        let mut batch = milenage::Batch::new(constants);
        let groups = vectors.as_chunks_mut().0.chunks_mut(chains::LANES);
        for (number, vectors) in groups.enumerate() {
            let start = first + number * chains::LANES;
            let end = start + vectors.len();
            let (subscribers, rands) = (&subscribers[start..end], &rands[start..end]);
            batch.fill(subscribers, rands, &sqns[start..end], amf, vectors);
        }
        Ok(())
    })
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
    parameters.check(key_length)?;
    let amf: [u8; 2] = array("AMF", amf)?;
    let each = key_length + TOPC;
    let count = subscribers.len() / each;
    fits("subscribers", subscribers.len(), count * each)?;
    fits("RANDs", rands.len(), count * RAND)?;
    fits("SQNs", sqns.len(), count * SQN)?;
    let length = tuak_vector_length(parameters);
    fits("vectors", vectors.len(), count * length)?;
    let (rands, sqns) = (rands.as_chunks::<RAND>().0, sqns.as_chunks::<SQN>().0);
    spread(vectors, length, WORTH_A_THREAD[1], |first, vectors| {
        let mut batch = tuak::Batch::new(parameters);
        for (number, vectors) in vectors.chunks_mut(FOUR * length).enumerate() {
            let start = first + number * FOUR;
            let end = start + vectors.len() / length;
            let subscribers = subscribers[start * each..end * each].chunks_exact(each);
            let inputs = (&rands[start..end], &sqns[start..end], amf);
            batch.fill(subscribers, inputs, vectors.chunks_exact_mut(length));
        }
        Ok(())
    })
}
