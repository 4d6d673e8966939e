//! Batches against the same work one by one.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::CryptoError;
use session_crypto::batch::{
    Cards, Packets, RECEIPT, VECTOR, command_packets, diversified_keys_aes, diversified_keys_des,
    milenage_vectors, receipts, tuak_vector_length, tuak_vectors,
};
use session_crypto::chains::{Aes, FOUR};
use session_crypto::des::{Des, LANES};
use session_crypto::milenage::{Constants, Milenage};
use session_crypto::scp80::{Check, KeySet, Spi, Status};
use session_crypto::tuak::{Parameters, Tuak};
use support::{bytes, read};

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
    let own = Constants {
        rotations: [1, 127, 64, 0, 99],
        added: std::array::from_fn(|place| noise(16, place as u64).try_into().unwrap()),
    };
    for count in [0, 1, 2, 7, 8, 9, 511, 2048, 2500] {
        let (subscribers, rands) = (noise(count * 32, 1), noise(count * 16, 2));
        let sqns = noise(count * 6, 3);
        let inputs: [&[u8]; 3] = [&rands, &sqns, &[0x80, 0]];
        for constants in [Constants::default(), own] {
            let mut vectors = vec![0; count * VECTOR];
            milenage_vectors(&subscribers, inputs, constants, &mut vectors).unwrap();
            for (at, vector) in vectors.chunks(VECTOR).enumerate() {
                let (k, opc) = subscribers[at * 32..][..32].split_at(16);
                let milenage = Milenage::new(k, opc).unwrap();
                let milenage = milenage.with_constants(constants).unwrap();
                let (rand, sqn) = (&rands[at * 16..][..16], &sqns[at * 6..][..6]);
                let expected = milenage.vector(rand, sqn, inputs[2]).unwrap();
                assert_eq!(vector[..16], expected.autn);
                assert_eq!(&vector[16..24], expected.xres.expose());
                assert_eq!(&vector[24..40], expected.ck.expose());
                assert_eq!(&vector[40..], expected.ik.expose());
            }
        }
    }
}

#[test]
fn a_buffer_that_does_not_fit_is_named() {
    let run = |lengths: [usize; 5]| {
        let [subscribers, rands, sqns, amf, vectors] = lengths.map(|length| vec![0; length]);
        let inputs: [&[u8]; 3] = [&rands, &sqns, &amf];
        let constants = Constants::default();
        milenage_vectors(&subscribers, inputs, constants, &mut vectors.clone())
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
    let constants = Constants {
        rotations: [0, 0, 0, 0, 128],
        ..Constants::default()
    };
    let fault = milenage_vectors(&[], [&[], &[], &[0, 0]], constants, &mut []);
    assert_eq!(fault.map_err(CryptoError::code), Err("bad_input"));
}

fn packets(kic: u8, kid: u8, spi: Spi) -> Packets<'static> {
    Packets {
        kic,
        kid,
        code_length: 8,
        spi,
        tar: b"TAR",
    }
}

#[test]
fn a_buffer_for_another_number_of_cards_is_refused() {
    let spi = Spi {
        check: Check::Cryptographic,
        ciphered: true,
        ..Spi::default()
    };
    let fault = |cipher: usize, checksum: usize, counters: usize, data: usize| {
        let (cipher, checksum) = (vec![1; cipher], vec![1; checksum]);
        let cards = Cards {
            cipher_keys: &cipher,
            checksum_keys: &checksum,
            counters: &vec![0; counters],
        };
        command_packets(packets(0x12, 0x12, spi), cards, &vec![0; data], true)
            .map(|packets| packets.len())
            .map_err(CryptoError::code)
    };
    assert_eq!(fault(32, 32, 10, 8), Ok(2 * (10 + 32)));
    assert_eq!(fault(33, 32, 10, 8), Err("wrong_length"));
    assert_eq!(fault(32, 31, 10, 8), Err("wrong_length"));
    assert_eq!(fault(32, 32, 11, 8), Err("wrong_length"));
    assert_eq!(fault(32, 32, 10, 9), Err("wrong_length"));
    assert_eq!(fault(30, 32, 10, 8), Err("wrong_length"));
    assert_eq!(fault(0, 32, 10, 8), Err("bad_input"));
    assert_eq!(fault(0, 0, 0, 0), Ok(0));
    let mut vectors = vec![0; 56];
    let inputs: [&[u8]; 3] = [&[0; 16], &[0; 6], &[0; 2]];
    let parameters = Parameters::default();
    assert!(tuak_vectors(16, &[0; 48], inputs, parameters, &mut vectors).is_ok());
    assert!(tuak_vectors(17, &[0; 49], inputs, parameters, &mut vectors).is_err());
    assert!(tuak_vectors(16, &[0; 47], inputs, parameters, &mut vectors).is_err());
    assert!(tuak_vectors(16, &[0; 48], inputs, parameters, &mut vectors[1..]).is_err());
}

#[derive(Deserialize)]
struct File {
    des: Vec<Diversified>,
    aes: Vec<Diversified>,
    aes_enc: WholeKey,
}

#[derive(Deserialize)]
struct Diversified {
    master: String,
    data: String,
    check_values: [String; 3],
}

#[derive(Deserialize)]
struct WholeKey {
    master: String,
    data: String,
    enc: String,
}

#[test]
fn diversified_keys_have_the_published_check_values() {
    let file = read::<File>("diversified_keys");
    for case in file.des {
        let mut keys = [0; 48];
        diversified_keys_des(&bytes(&case.master), &bytes(&case.data), &mut keys).unwrap();
        for (key, value) in keys.chunks(16).zip(case.check_values) {
            let mut block = [0; 8];
            Des::new("key", key).unwrap().encrypt(&mut block);
            assert_eq!(block[..3], bytes(&value));
        }
    }
    for case in file.aes {
        let master = bytes(&case.master);
        let mut keys = vec![0; 3 * master.len()];
        diversified_keys_aes(&master, &bytes(&case.data), &mut keys).unwrap();
        for (key, value) in keys.chunks(master.len()).zip(case.check_values) {
            let mut block = [1; 16];
            Aes::new("key", key).unwrap().encrypt(&mut block);
            assert_eq!(block[..3], bytes(&value));
        }
    }
    let WholeKey { master, data, enc } = file.aes_enc;
    let mut keys = [0; 96];
    diversified_keys_aes(&bytes(&master), &bytes(&data), &mut keys).unwrap();
    assert_eq!(keys[..32], bytes(&enc));
}

#[test]
fn diversified_keys_for_many_are_those_for_each() {
    let master = noise(16, 1);
    for diversify in [diversified_keys_des, diversified_keys_aes] {
        for count in [0, 1, 10, 11, LANES - 1, LANES, LANES + 1, 700] {
            let data = noise(count * 10, 2);
            let mut all = vec![0; count * 48];
            diversify(&master, &data, &mut all).unwrap();
            for (keys, data) in all.chunks(48).zip(data.chunks(10)) {
                let mut own = [0; 48];
                diversify(&master, data, &mut own).unwrap();
                assert_eq!(keys, own);
            }
        }
        let data = noise(10, 2);
        let fault = |master: &[u8], data: &[u8], keys: usize| {
            diversify(master, data, &mut vec![0; keys]).map_err(CryptoError::code)
        };
        assert_eq!(fault(&master, &[], 0), Ok(()));
        assert_eq!(fault(&master[1..], &data, 48), Err("wrong_length"));
        assert_eq!(fault(&master, &data[..9], 48), Err("wrong_length"));
        assert_eq!(fault(&master, &data, 47), Err("wrong_length"));
    }
}

#[test]
fn a_receipt_that_proves_nothing_has_a_record_of_zeros() {
    let spi = Spi::try_from([0, 0x19]).unwrap();
    let key = noise(2 * 16, 5);
    let counters = [0, 0, 0, 0, 1, 0, 0, 0, 0, 2];
    let cards = Cards {
        cipher_keys: &key,
        checksum_keys: &key,
        counters: &counters,
    };
    let own = KeySet::new(0x15, &key[..16], 0x15, &key[..16], 8).unwrap();
    let right = own
        .build_response(spi, b"TAR", 1, Status(9), b"data")
        .unwrap();
    let late = own
        .build_response(spi, b"TAR", 2, Status(9), b"data")
        .unwrap();
    let record = |packet: &[u8]| {
        // The other card's packet is another's, whose keys it does not have
        let responses = [packet, &right].concat();
        let records = receipts(packets(0x15, 0x15, spi), cards, &responses).unwrap();
        let (record, other) = records.split_at(right.len() + RECEIPT);
        assert!(other.iter().all(|byte| *byte == 0));
        record.to_vec()
    };
    assert_eq!(record(&right)[..8], [1, 9, 0, 4, b'd', b'a', b't', b'a']);
    let nothing = vec![0; right.len() + RECEIPT];
    assert_eq!(record(&late), nothing);
    for at in 0..right.len() {
        let mut changed = right.clone();
        changed[at] ^= 1;
        // The TAR is covered by the check as all else is
        assert_eq!(record(&changed), nothing, "byte {at}");
    }
    let fault = |responses: &[u8]| receipts(packets(0x15, 0x15, spi), cards, responses);
    assert_eq!(fault(&[0; 41]).unwrap_err().code(), "wrong_length");
    assert_eq!(fault(&[0; 40]).unwrap_err().code(), "bad_input");
    assert_eq!(fault(&[0; 50]).unwrap_err().code(), "bad_input");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn packets_for_many_are_those_for_each(
        count in prop_oneof![prop::sample::select(vec![1, LANES - 1, LANES, LANES + 1]), 1_usize..200],
        (kic, cipher) in prop::sample::select(vec![(0x12, 16), (0x15, 16), (0x19, 24), (0x11, 8)]),
        (kid, checksum) in prop::sample::select(vec![(0x12, 32), (0x15, 16), (0x11, 8)]),
        ciphered: bool,
        own_data: bool,
        data_length in 0_usize..100,
        seed: u8,
    ) {
        let spi = Spi { check: Check::Cryptographic, ciphered, ..Spi::default() };
        let cipher_keys = noise(count * cipher, u64::from(seed));
        let checksum_keys = noise(count * checksum, u64::from(!seed));
        let counters = noise(count * 5, u64::from(seed ^ 0x55));
        let data = noise(data_length * if own_data { count } else { 1 }, u64::from(seed ^ 0xAA));
        let cards = Cards {
            cipher_keys: &cipher_keys,
            checksum_keys: &checksum_keys,
            counters: &counters,
        };
        let all = command_packets(packets(kic, kid, spi), cards, &data, own_data).unwrap();
        let each = all.chunks(all.len() / count);
        prop_assert_eq!(each.len(), count);
        for (at, packet) in each.enumerate() {
            let cipher_key = &cipher_keys[at * cipher..][..cipher];
            let checksum_key = &checksum_keys[at * checksum..][..checksum];
            let keys = KeySet::new(kic, cipher_key, kid, checksum_key, 8).unwrap();
            let command = keys.open_command(spi, packet).unwrap();
            let own = if own_data { &data[at * data_length..][..data_length] } else { &data };
            prop_assert_eq!(command.data, own);
            prop_assert_eq!(&command.counter.to_be_bytes()[3..], &counters[at * 5..][..5]);
        }
    }

    #[test]
    fn receipts_of_many_are_those_of_each(
        count in prop_oneof![prop::sample::select(vec![1, LANES - 1, LANES, LANES + 1]), 1_usize..150],
        (kic, cipher) in prop::sample::select(vec![(0x12, 16), (0x15, 16), (0x19, 24), (0x11, 8)]),
        (kid, checksum) in prop::sample::select(vec![(0x12, 32), (0x15, 16), (0x11, 8)]),
        security in prop::sample::select(vec![0x01_u8, 0x05, 0x09, 0x11, 0x15, 0x19]),
        data_length in 0_usize..100,
        seed: u8,
    ) {
        let spi = Spi::try_from([0, security]).unwrap();
        prop_assume!(kid & 15 != 2 || security & 0x0C != 0x04);
        let cipher_keys = noise(count * cipher, u64::from(seed));
        let checksum_keys = noise(count * checksum, u64::from(!seed));
        let counters = noise(count * 5, u64::from(seed ^ 0x55));
        let data = noise(data_length * count, u64::from(seed ^ 0xAA));
        let mut responses = Vec::new();
        for at in 0..count {
            let cipher_key = &cipher_keys[at * cipher..][..cipher];
            let checksum_key = &checksum_keys[at * checksum..][..checksum];
            let keys = KeySet::new(kic, cipher_key, kid, checksum_key, 8).unwrap();
            let counter = counters[at * 5..][..5].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let data = &data[at * data_length..][..data_length];
            let built = keys.build_response(spi, b"TAR", counter, Status(at as u8), data);
            responses.push(built.unwrap());
        }
        let cards = Cards {
            cipher_keys: &cipher_keys,
            checksum_keys: &checksum_keys,
            counters: &counters,
        };
        let records = receipts(packets(kic, kid, spi), cards, &responses.concat()).unwrap();
        let length = responses[0].len() + RECEIPT;
        prop_assert_eq!(records.len(), count * length);
        for (at, record) in records.chunks(length).enumerate() {
            prop_assert_eq!(&record[..4], &[1, at as u8, 0, data_length as u8]);
            prop_assert_eq!(&record[4..4 + data_length], &data[at * data_length..][..data_length]);
            prop_assert!(record[4 + data_length..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn vectors_for_many_are_those_for_each(
        count in prop_oneof![0..=2 * FOUR + 1, 0_usize..200],
        key_length in prop::sample::select(vec![16_usize, 32]),
        res_length in prop::sample::select(vec![4_usize, 8, 16]),
        seed: u8,
    ) {
        let parameters = Parameters { res_length, ..Parameters::default() };
        let each = key_length + 32;
        let subscribers = noise(count * each, u64::from(seed));
        let (rands, sqns) = (
            noise(count * 16, u64::from(!seed)),
            noise(count * 6, u64::from(seed ^ 1)),
        );
        let length = tuak_vector_length(parameters);
        let mut vectors = vec![0; count * length];
        let inputs: [&[u8]; 3] = [&rands, &sqns, b"AF"];
        tuak_vectors(key_length, &subscribers, inputs, parameters, &mut vectors).unwrap();
        for (at, vector) in vectors.chunks(length).enumerate() {
            let (k, topc) = subscribers[at * each..][..each].split_at(key_length);
            let tuak = Tuak::new(k, topc, parameters).unwrap();
            let expected = tuak
                .vector(&rands[at * 16..][..16], &sqns[at * 6..][..6], b"AF")
                .unwrap();
            prop_assert_eq!(&vector[..16], &expected.autn);
            prop_assert_eq!(&vector[16..16 + res_length], expected.xres.expose());
            prop_assert_eq!(&vector[length - 16..], expected.ik.expose());
        }
    }
}
