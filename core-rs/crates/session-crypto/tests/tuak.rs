//! TUAK against its published sets, and for any input.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::CryptoError;
use session_crypto::tuak::{Parameters, Tuak};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    sets: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    clause: String,
    k: String,
    rand: String,
    sqn: String,
    amf: String,
    top: String,
    iterations: u32,
    topc: String,
    f1: String,
    f1_star: String,
    f2: String,
    f3: String,
    f4: String,
    f5: String,
    f5_star: String,
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn parameters(set: &Set) -> Parameters {
    Parameters {
        mac_length: set.f1.len() / 2,
        res_length: set.f2.len() / 2,
        ck_length: set.f3.len() / 2,
        ik_length: set.f4.len() / 2,
        iterations: set.iterations,
    }
}

#[test]
fn tuak_yields_the_published_sets() {
    let sets = read::<File>("tuak").sets;
    assert_eq!(sets.len(), 6);
    for set in sets {
        let tuak = Tuak::from_top(&bytes(&set.k), &bytes(&set.top), parameters(&set)).unwrap();
        let (rand, sqn, amf) = (array(&set.rand), array(&set.sqn), array(&set.amf));
        assert_eq!(tuak.topc().expose(), bytes(&set.topc), "{}", set.clause);
        assert_eq!(tuak.f1(&rand, &sqn, &amf), bytes(&set.f1), "{}", set.clause);
        assert_eq!(tuak.f1_star(&rand, &sqn, &amf), bytes(&set.f1_star));
        assert_eq!(tuak.f2(&rand).expose(), bytes(&set.f2));
        assert_eq!(tuak.f3(&rand).expose(), bytes(&set.f3));
        assert_eq!(tuak.f4(&rand).expose(), bytes(&set.f4));
        assert_eq!(tuak.f5(&rand)[..], bytes(&set.f5));
        assert_eq!(tuak.f5_star(&rand)[..], bytes(&set.f5_star));
    }
}

#[test]
fn a_vector_opens_to_its_sequence_number_and_to_no_other() {
    for set in read::<File>("tuak").sets {
        let tuak = Tuak::new(&bytes(&set.k), &bytes(&set.topc), parameters(&set)).unwrap();
        let vector = tuak
            .vector(&bytes(&set.rand), &bytes(&set.sqn), &bytes(&set.amf))
            .unwrap();
        assert_eq!(vector.xres.expose(), bytes(&set.f2));
        assert_eq!(vector.ck.expose(), bytes(&set.f3));
        assert_eq!(vector.ik.expose(), bytes(&set.f4));
        assert_eq!(vector.autn[8..], bytes(&set.f1));
        let sqn = tuak.open_autn(&vector.rand, &vector.autn).unwrap();
        assert_eq!(sqn[..], bytes(&set.sqn));
        for at in 0..vector.autn.len() {
            let mut autn = vector.autn.clone();
            autn[at] ^= 1;
            let opened = tuak.open_autn(&vector.rand, &autn);
            assert_eq!(opened, Err(CryptoError::BadMac));
        }
    }
}

#[test]
fn lengths_that_tuak_does_not_have_are_refused() {
    let with = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        Tuak::new(&[0; 16], &[0; 32], parameters).err()
    };
    let changes: [fn(&mut Parameters); 7] = [
        |p| p.mac_length = 4,
        |p| p.mac_length = 33,
        |p| p.res_length = 12,
        |p| p.ck_length = 24,
        |p| p.ik_length = 8,
        |p| p.iterations = 0,
        |p| p.iterations = 1_000_001,
    ];
    for change in changes {
        assert_eq!(with(change).unwrap().code(), "bad_input");
    }
    for length in [0, 15, 17, 31, 33] {
        let fault = Tuak::new(&vec![0; length], &[0; 32], Parameters::default()).err();
        assert_eq!(fault.unwrap().code(), "wrong_length");
    }
    let fault = Tuak::from_top(&[0; 16], &[0; 31], Parameters::default()).err();
    assert_eq!(fault.unwrap().to_string(), "TOP has 31 bytes, not 32");
}

proptest! {
    #[test]
    fn a_resynchronisation_token_gives_the_cards_sequence_number(
        k in prop_oneof![any::<[u8; 16]>().prop_map(Vec::from), any::<[u8; 32]>().prop_map(Vec::from)],
        top: [u8; 32],
        rand: [u8; 16],
        sqn: [u8; 6],
        mac_length in prop_oneof![Just(8_usize), Just(16), Just(32)],
        iterations in 1_u32..4,
        flipped: prop::sample::Index,
    ) {
        let parameters = Parameters { mac_length, iterations, ..Parameters::default() };
        let tuak = Tuak::from_top(&k, &top, parameters).unwrap();
        let mut auts = tuak.auts(&rand, &sqn).unwrap();
        prop_assert_eq!(auts.len(), 6 + mac_length);
        prop_assert_eq!(tuak.resync(&rand, &auts), Ok(sqn));
        let at = flipped.index(auts.len());
        auts[at] ^= 0x10;
        prop_assert_eq!(tuak.resync(&rand, &auts), Err(CryptoError::BadMac));
    }

    #[test]
    fn any_bytes_are_answered_with_an_error(token: Vec<u8>, rand: Vec<u8>) {
        let tuak = Tuak::new(&[7; 32], &[9; 32], Parameters::default()).unwrap();
        prop_assert!(tuak.open_autn(&rand, &token).is_err());
        prop_assert!(tuak.resync(&rand, &token).is_err());
    }
}
