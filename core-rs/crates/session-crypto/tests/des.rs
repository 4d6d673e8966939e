//! DES against RustCrypto's, which is another implementation, and against numbers of the standards.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::des::{Block, Blocks, Des, LANES, Lanes, RetailMac};
use support::{bytes, read};

fn other(key: &[u8], mut block: Block, encrypts: bool) -> Block {
    let wide = match *key.as_chunks::<8>().0 {
        [one] => [one, one, one],
        [one, two] => [one, two, one],
        [one, two, three] => [one, two, three],
        _ => unreachable!(),
    };
    let cipher = des::TdesEde3::new_from_slice(wide.as_flattened()).unwrap();
    if encrypts {
        cipher.encrypt_block(Array::cast_from_core_mut(&mut block));
    } else {
        cipher.decrypt_block(Array::cast_from_core_mut(&mut block));
    }
    block
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(8_usize), Just(16), Just(24)]
        .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length))
}

#[derive(Deserialize)]
struct File {
    blocks: Vec<Published>,
}

#[derive(Deserialize)]
struct Published {
    clause: String,
    key: String,
    plain: String,
    sealed: String,
}

#[test]
fn the_published_blocks_come_out() {
    for Published {
        clause,
        key,
        plain,
        sealed,
    } in read::<File>("des").blocks
    {
        let key = bytes(&key);
        let plain: Block = bytes(&plain).try_into().unwrap();
        let mut block = plain;
        let cipher = Des::new("key", &key).unwrap();
        cipher.encrypt(&mut block);
        assert_eq!(block[..], bytes(&sealed), "{clause}");
        cipher.decrypt(&mut block);
        assert_eq!(block, plain);
        let lanes = Lanes::new("key", std::iter::once(key.as_slice())).unwrap();
        lanes.encrypt_each(std::slice::from_mut(&mut block));
        assert_eq!(block[..], bytes(&sealed), "{clause}, in a lane");
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for length in [0, 7, 9, 15, 17, 23, 25, 32] {
        let fault = Des::new("K", &vec![0; length]).err().unwrap();
        assert_eq!(fault.code(), "wrong_length");
    }
    for length in [0, 8, 15, 17, 24] {
        let fault = RetailMac::new("K", &vec![0; length]).err().unwrap();
        assert_eq!(fault.code(), "wrong_length");
    }
}

proptest! {
    #[test]
    fn blocks_are_those_of_the_other_implementation(key in key(), block: Block) {
        let cipher = Des::new("key", &key).unwrap();
        let mut made = block;
        cipher.encrypt(&mut made);
        prop_assert_eq!(made, other(&key, block, true));
        cipher.decrypt(&mut made);
        prop_assert_eq!(made, block);
        cipher.decrypt(&mut made);
        prop_assert_eq!(made, other(&key, block, false));
    }

    #[test]
    fn chains_are_made_of_single_blocks(key in key(), iv: Block, blocks: Vec<Block>) {
        let cipher = Des::new("key", &key).unwrap();
        let mut expected = Vec::new();
        let mut chain = iv;
        for block in &blocks {
            chain = std::array::from_fn(|at| chain[at] ^ block[at]);
            chain = other(&key, chain, true);
            expected.push(chain);
        }
        let mut made = blocks.clone();
        cipher.cbc_encrypt(&iv, &mut made);
        prop_assert_eq!(&made, &expected);
        let mut state = iv;
        cipher.mac(&mut state, &blocks);
        prop_assert_eq!(state, chain);
        cipher.cbc_decrypt(&iv, &mut made);
        prop_assert_eq!(made, blocks);
    }

    #[test]
    fn a_retail_mac_ends_in_triple_des(key: [u8; 16], iv: Block, message: Vec<u8>) {
        let mut padded = message.clone();
        padded.push(0x80);
        padded.resize(padded.len().next_multiple_of(8), 0);
        let (last, before) = padded.as_chunks::<8>().0.split_last().unwrap();
        let mut state = iv;
        for block in before {
            state = std::array::from_fn(|at| state[at] ^ block[at]);
            state = other(&key[..8], state, true);
        }
        state = std::array::from_fn(|at| state[at] ^ last[at]);
        let expected = other(&key, state, true);
        prop_assert_eq!(RetailMac::new("K", &key).unwrap().tag(&iv, &message), expected);
    }

    #[test]
    fn a_code_beside_a_cipher_is_each_by_itself(
        key: [u8; 16], other in key(), iv: Block, message: Vec<u8>, blocks: Vec<Block>,
    ) {
        let (mac, cipher) = (RetailMac::new("K", &key).unwrap(), Des::new("K", &other).unwrap());
        let (mut made, mut expected) = (blocks.clone(), blocks);
        let code = mac.tag_beside((&iv, &message), (&cipher, &mut made));
        cipher.cbc_encrypt(&[0; 8], &mut expected);
        prop_assert_eq!(code, mac.tag(&iv, &message));
        prop_assert_eq!(made, expected);
    }

    #[test]
    fn lanes_are_as_many_ciphers(
        length in prop::sample::select(vec![8_usize, 16, 24]),
        key: [[u8; 24]; LANES],
        plain: [Block; LANES],
        count in 0..=LANES,
    ) {
        let keys = || key[..count].iter().map(|key| &key[..length]);
        let lanes = Lanes::new("keys", keys()).unwrap();
        let mut blocks = Blocks::gather(plain.iter().copied());
        let mut made = [[0; 8]; LANES];
        lanes.encrypt(&mut blocks);
        blocks.scatter(made.iter_mut());
        for ((key, made), plain) in keys().zip(made).zip(plain) {
            prop_assert_eq!(made, other(key, plain, true));
        }
        lanes.decrypt(&mut blocks);
        blocks.scatter(made.iter_mut());
        prop_assert_eq!(made, plain);
    }
}

#[test]
fn lanes_refuse_keys_of_another_length() {
    let keys = [[0; 8].as_slice(), &[0; 7]];
    let fault = Lanes::new("keys", keys.into_iter()).err().unwrap();
    assert_eq!(fault.to_string(), "keys has 7 bytes, not 8");
}
