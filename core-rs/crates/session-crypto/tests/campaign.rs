//! What is made for many cards is what is made for each.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use proptest::prelude::*;
use session_crypto::CryptoError;
use session_crypto::campaign::{Cards, Packets, command_packets, tuak_vector_length, tuak_vectors};
use session_crypto::scp80::{Check, KeySet, Spi};
use session_crypto::tuak::{Parameters, Tuak};

/// Bytes that differ from card to card.
fn stream(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) | 0x100;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(step).collect()
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn packets_for_many_are_those_for_each(
        count in 1_usize..200,
        (kic, cipher) in prop::sample::select(vec![(0x12, 16), (0x15, 16), (0x19, 24), (0x11, 8)]),
        (kid, checksum) in prop::sample::select(vec![(0x12, 32), (0x15, 16), (0x11, 8)]),
        ciphered: bool,
        own_data: bool,
        data_length in 0_usize..100,
        seed: u8,
    ) {
        let spi = Spi { check: Check::Cryptographic, ciphered, ..Spi::default() };
        let cipher_keys = stream(seed, count * cipher);
        let checksum_keys = stream(!seed, count * checksum);
        let counters = stream(seed ^ 0x55, count * 5);
        let data = stream(seed ^ 0xAA, data_length * if own_data { count } else { 1 });
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
    fn vectors_for_many_are_those_for_each(
        count in 0_usize..200,
        key_length in prop::sample::select(vec![16_usize, 32]),
        res_length in prop::sample::select(vec![4_usize, 8, 16]),
        seed: u8,
    ) {
        let parameters = Parameters { res_length, ..Parameters::default() };
        let each = key_length + 32;
        let subscribers = stream(seed, count * each);
        let (rands, sqns) = (stream(!seed, count * 16), stream(seed ^ 1, count * 6));
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
