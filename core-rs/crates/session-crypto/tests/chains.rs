//! AES chains: published vectors, and the fast way against the portable one.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::chains::{Aes, LANES, Lanes, encrypt_and_mac, permute_each};
use session_crypto::cmac::Cmac;
use support::{bytes, read};
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct File {
    cmac: Vec<Code>,
    cbc: Vec<Cbc>,
}

#[derive(Deserialize)]
struct Code {
    key: String,
    message: String,
    tag: String,
}

#[derive(Deserialize)]
struct Cbc {
    key: String,
    iv: String,
    plain: String,
    sealed: String,
}

#[test]
fn cmac_yields_the_published_codes() {
    for case in read::<File>("aes").cmac {
        let cmac = Cmac::new("key", &bytes(&case.key)).unwrap();
        assert_eq!(cmac.tag(&bytes(&case.message))[..], bytes(&case.tag));
    }
}

#[test]
fn cbc_yields_the_published_blocks_both_ways() {
    for case in read::<File>("aes").cbc {
        for new in [Aes::new, Aes::portable] {
            let aes = new("key", &bytes(&case.key)).unwrap();
            let iv = bytes(&case.iv).try_into().unwrap();
            let (plain, sealed) = (bytes(&case.plain), bytes(&case.sealed));
            let mut blocks = plain.clone();
            aes.cbc_encrypt(&iv, blocks.as_chunks_mut().0);
            assert_eq!(blocks, sealed);
            aes.cbc_decrypt(&iv, blocks.as_chunks_mut().0);
            assert_eq!(blocks, plain);
        }
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 16),
        vec(any::<u8>(), 24),
        vec(any::<u8>(), 32)
    ]
}

proptest! {
    #[test]
    fn the_fast_way_and_the_portable_one_agree(
        key in key(),
        iv: [u8; 16],
        message in vec(any::<u8>(), 0..700),
    ) {
        let (fast, portable) = (Aes::new("key", &key).unwrap(), Aes::portable("key", &key).unwrap());
        let (mut left, mut right) = (iv, iv);
        fast.encrypt(&mut left);
        portable.encrypt(&mut right);
        prop_assert_eq!(left, right);
        fast.mac(&mut left, message.as_chunks().0);
        portable.mac(&mut right, message.as_chunks().0);
        prop_assert_eq!(left, right);
        let (mut left, mut right) = (message.clone(), message.clone());
        fast.cbc_encrypt(&iv, left.as_chunks_mut().0);
        portable.cbc_encrypt(&iv, right.as_chunks_mut().0);
        prop_assert_eq!(&left, &right);
        fast.cbc_decrypt(&iv, left.as_chunks_mut().0);
        prop_assert_eq!(&left, &message);
        portable.cbc_decrypt(&iv, right.as_chunks_mut().0);
        prop_assert_eq!(&right, &message);
    }

    #[test]
    fn both_chains_at_once_are_one_after_the_other(
        (encryption, authentication) in (key(), key()),
        iv: [u8; 16],
        state: [u8; 16],
        ending: [u8; 16],
        blocks in 1..20_usize,
        clear in 1..16_usize,
        filler: u8,
    ) {
        let plain: Vec<u8> = (0..clear + 16 * blocks).map(|at| at as u8 ^ filler).collect();
        let mut results = Vec::new();
        for new in [Aes::new, Aes::portable] {
            let encryption = new("key", &encryption).unwrap();
            let authentication = new("key", &authentication).unwrap();
            let (mut state, mut message) = (state, plain.clone());
            let (left, right) = ((&encryption, &iv), (&authentication, &mut state));
            prop_assert!(encrypt_and_mac(left, right, &mut message, clear, &ending));
            let mut apart = plain[clear..].to_vec();
            encryption.cbc_encrypt(&iv, apart.as_chunks_mut().0);
            prop_assert_eq!(&message[clear..], &apart);
            results.push((state, message));
        }
        prop_assert_eq!(&results[0], &results[1]);
    }

    #[test]
    fn lanes_are_as_many_keys(keys: [[u8; 16]; LANES], blocks: [[u8; 16]; LANES]) {
        for mut lanes in [Lanes::new(), Lanes::portable()] {
            lanes.rekey(&keys);
            let mut made = blocks;
            lanes.encrypt(&mut made);
            for ((key, block), made) in keys.iter().zip(blocks).zip(made) {
                let mut expected = block;
                Aes::portable("key", key).unwrap().encrypt(&mut expected);
                prop_assert_eq!(made, expected);
            }
        }
    }

    #[test]
    fn states_side_by_side_are_permuted_as_each_is(
        states in vec([vec(any::<u64>(), 25)], 0..10),
        times in 1..4_u32,
    ) {
        let states: Vec<_> = states
            .iter()
            .map(|[state]| Zeroizing::new(<[u64; 25]>::try_from(state.as_slice()).unwrap()))
            .collect();
        let mut together = states.clone();
        permute_each(&mut together, times);
        for (state, together) in states.into_iter().zip(together) {
            // One alone goes through RustCrypto's permutation
            let mut alone = [state];
            permute_each(&mut alone, times);
            prop_assert_eq!(&*alone[0], &*together);
        }
    }

    #[test]
    fn lengths_that_do_not_fit_both_chains_are_refused(
        length in 0..80_usize,
        clear in 0..80_usize,
    ) {
        let aes = Aes::new("key", &[7; 16]).unwrap();
        let (mut state, mut message) = ([1; 16], vec![3; length]);
        let right = (&aes, &mut state);
        let done = encrypt_and_mac((&aes, &[2; 16]), right, &mut message, clear, &[0; 16]);
        let fits = (1..16).contains(&clear) && length > clear && (length - clear) % 16 == 0;
        prop_assert_eq!(done, fits);
        prop_assert!(fits || (state == [1; 16] && message == vec![3; length]));
    }

    #[test]
    fn a_number_is_encrypted_as_a_block(key in key(), number: u128) {
        for new in [Aes::new, Aes::portable] {
            let aes = new("key", &key).unwrap();
            let mut block = number.to_be_bytes();
            aes.encrypt(&mut block);
            prop_assert_eq!(aes.encrypt_number(number), block);
        }
    }
}

#[test]
fn a_key_of_another_length_is_named() {
    for length in [0, 1, 15, 17, 23, 25, 31, 33, 64] {
        let fault = Aes::new("K-ENC", &vec![0; length]).err().unwrap();
        assert_eq!(fault.code(), "wrong_length");
        assert!(fault.to_string().starts_with("K-ENC has "));
    }
}
