//! Batches against the same work one by one.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use session_crypto::CryptoError;
use session_crypto::batch::{VECTOR, milenage_vectors};
use session_crypto::milenage::Milenage;

/// Bytes that look like nothing, the same in every run.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_batch_of_vectors_is_each_vector_whatever_the_number() {
    for count in [0, 1, 2, 511, 1024, 1500, 2049] {
        let (subscribers, rands) = (noise(count * 32, 1), noise(count * 16, 2));
        let (sqns, amf) = (noise(count * 6, 3), [0x80, 0]);
        let mut vectors = vec![0; count * VECTOR];
        milenage_vectors(&subscribers, &rands, &sqns, &amf, &mut vectors).unwrap();
        for (at, vector) in vectors.chunks(VECTOR).enumerate() {
            let key = &subscribers[at * 32..][..32];
            let milenage = Milenage::new(&key[..16], &key[16..]).unwrap();
            let (rand, sqn) = (&rands[at * 16..][..16], &sqns[at * 6..][..6]);
            let expected = milenage.vector(rand, sqn, &amf).unwrap();
            assert_eq!(vector[..16], expected.autn);
            assert_eq!(&vector[16..24], expected.xres.expose());
            assert_eq!(&vector[24..40], expected.ck.expose());
            assert_eq!(&vector[40..], expected.ik.expose());
        }
    }
}

#[test]
fn a_buffer_that_does_not_fit_is_named() {
    let run = |lengths: [usize; 5]| {
        let [subscribers, rands, sqns, amf, vectors] = lengths.map(|length| vec![0; length]);
        milenage_vectors(&subscribers, &rands, &sqns, &amf, &mut vectors.clone())
    };
    let right = [64, 32, 12, 2, 112];
    assert_eq!(run(right), Ok(()));
    let names = ["subscribers", "RANDs", "SQNs", "AMF", "vectors"];
    for (at, name) in names.into_iter().enumerate() {
        for wrong in [right[at] - 1, right[at] + 1] {
            let mut lengths = right;
            lengths[at] = wrong;
            let Err(CryptoError::WrongLength { field, actual, .. }) = run(lengths) else {
                unreachable!("{name} of {wrong} bytes was taken");
            };
            assert_eq!((field, actual), (name, wrong));
        }
    }
}
