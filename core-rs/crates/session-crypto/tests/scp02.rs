//! SCP02: recorded sessions, and what is refused. The Python tests hold it against a card that is
//! written over another library.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::CryptoError;
use session_crypto::des::{Des, RetailMac};
use session_crypto::scp02::{Host, Level, Opening, Parameters, Session};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    sessions: Vec<Recorded>,
    derived: Derived,
    i55: PseudoRandom,
}

/// A card whose challenge is a code over the identifier of the application ("i" = 55).
#[derive(Deserialize)]
struct PseudoRandom {
    enc: String,
    mac: String,
    aid: String,
    host_challenge: String,
    card_challenge: String,
    initialize_update_response: String,
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    enc: String,
    mac: String,
    key_version: u8,
    level: u8,
    host_challenge: String,
    initialize_update: String,
    initialize_update_response: String,
    external_authenticate: String,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    plain: String,
    wrapped: Option<String>,
    response: Option<String>,
    opened: Option<String>,
}

#[derive(Deserialize)]
struct Derived {
    key: String,
    counter: String,
    s_mac: String,
    s_rmac: String,
    s_enc: String,
}

const KEY: [u8; 16] = *b"0123456789abcdef";
const CHALLENGE: [u8; 8] = *b"hostchal";
const COUNTER: [u8; 2] = [0, 7];

fn host(level: Level) -> Host {
    Host::new(&KEY, &KEY, &CHALLENGE, Parameters::new(level)).unwrap()
}

/// A session key as a card derives it.
fn derived(key: &[u8], constant: [u8; 2], counter: &[u8]) -> Vec<u8> {
    let mut blocks = [[0; 8]; 2];
    blocks[0][..2].copy_from_slice(&constant);
    blocks[0][2..4].copy_from_slice(counter);
    Des::new("key", key)
        .unwrap()
        .cbc_encrypt(&[0; 8], &mut blocks);
    blocks.concat()
}

/// A card's response to INITIALIZE UPDATE.
fn proof(card_challenge: &[u8; 6]) -> Vec<u8> {
    let card: [u8; 8] = [COUNTER.as_slice(), card_challenge]
        .concat()
        .try_into()
        .unwrap();
    let enc = Des::new("S-ENC", &derived(&KEY, [1, 0x82], &COUNTER)).unwrap();
    let mut cryptogram = [0; 8];
    enc.mac(
        &mut cryptogram,
        &[CHALLENGE, card, [0x80, 0, 0, 0, 0, 0, 0, 0]],
    );
    [
        &[0; 10],
        [0x20, 2].as_slice(),
        &card,
        &cryptogram,
        &[0x90, 0],
    ]
    .concat()
}

fn opening(level: Level) -> Opening {
    host(level).receive(&proof(b"random")).unwrap()
}

fn session(level: Level) -> Session {
    opening(level).confirm(&[0x90, 0]).unwrap()
}

#[test]
fn recorded_sessions_come_out_byte_for_byte() {
    for recorded in read::<File>("scp02").sessions {
        let parameters = Parameters {
            key_version: recorded.key_version,
            ..Parameters::new(Level::try_from(recorded.level).unwrap())
        };
        let (enc, mac) = (bytes(&recorded.enc), bytes(&recorded.mac));
        let challenge = bytes(&recorded.host_challenge);
        let host = Host::new(&enc, &mac, &challenge, parameters).unwrap();
        assert_eq!(host.initialize_update(), bytes(&recorded.initialize_update));
        let opening = host
            .receive(&bytes(&recorded.initialize_update_response))
            .unwrap();
        let expected = bytes(&recorded.external_authenticate);
        assert_eq!(
            opening.external_authenticate(),
            expected,
            "{}",
            recorded.name
        );
        let mut session = opening.confirm(&[0x90, 0]).unwrap();
        for exchange in recorded.exchanges {
            let wrapped = session.wrap(&bytes(&exchange.plain)).unwrap();
            if let Some(expected) = exchange.wrapped {
                assert_eq!(wrapped, bytes(&expected), "{}", recorded.name);
            }
            if let (Some(response), Some(opened)) = (exchange.response, exchange.opened) {
                let response = bytes(&response);
                let (data, status) = session.unwrap(&response).unwrap();
                assert_eq!([data, &status].concat(), bytes(&opened));
            }
        }
    }
}

#[test]
fn session_keys_are_the_published_ones() {
    let published = read::<File>("scp02").derived;
    let (key, counter) = (bytes(&published.key), bytes(&published.counter));
    assert_eq!(derived(&key, [1, 1], &counter), bytes(&published.s_mac));
    assert_eq!(derived(&key, [1, 2], &counter), bytes(&published.s_rmac));
    assert_eq!(derived(&key, [1, 0x82], &counter), bytes(&published.s_enc));
}

#[test]
fn a_card_without_the_key_is_found_out() {
    let right = proof(b"random");
    for at in 12..28 {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        let fault = host(Level::CMac).receive(&wrong).err();
        assert_eq!(fault, Some(CryptoError::BadMac), "byte {at}");
    }
}

#[test]
fn a_challenge_from_an_identifier_is_recomputed() {
    let aid = [0xA0, 0, 0, 1, 0x51, 0, 0];
    let with = |aid: &[u8]| {
        let parameters = Parameters {
            aid: Some(aid.to_vec()),
            ..Parameters::new(Level::CMac)
        };
        Host::new(&KEY, &KEY, &CHALLENGE, parameters).unwrap()
    };
    let mac = RetailMac::new("S-MAC", &derived(&KEY, [1, 1], &COUNTER)).unwrap();
    let challenge = mac.tag(&[0; 8], &aid)[..6].try_into().unwrap();
    assert!(with(&aid).receive(&proof(&challenge)).is_ok());
    assert_eq!(
        with(&aid[1..]).receive(&proof(&challenge)).err(),
        Some(CryptoError::BadMac)
    );
    assert_eq!(
        with(&aid).receive(&proof(b"random")).err(),
        Some(CryptoError::BadMac)
    );
}

#[test]
fn an_opening_tells_of_the_card() {
    let opening = opening(Level::CMac);
    assert_eq!(opening.key_version(), 0x20);
    assert_eq!(opening.sequence_counter(), 7);
    assert_eq!(opening.diversification(), &[0; 10]);
    let fault = opening.confirm(&[0x63, 0]).err().unwrap();
    assert_eq!(
        fault.to_string(),
        "EXTERNAL AUTHENTICATE was refused with 6300"
    );
    let fault = host(Level::CMac).receive(&[0x6A, 0x88]).err().unwrap();
    assert_eq!(fault.code(), "card_refused");
}

#[test]
fn commands_are_protected_up_to_the_last_byte_that_fits() {
    let wrap = |level, length: usize| {
        let mut command = vec![0x80, 0xE2, 0, 0, u8::try_from(length).unwrap()];
        command.extend(vec![0; length]);
        let mut session = session(level);
        session
            .wrap(&command)
            .map(<[u8]>::len)
            .map_err(CryptoError::code)
    };
    assert_eq!(wrap(Level::CMac, 247), Ok(5 + 255));
    assert_eq!(wrap(Level::CMac, 248), Err("too_long"));
    assert_eq!(wrap(Level::CMacCEnc, 239), Ok(5 + 248));
    assert_eq!(wrap(Level::CMacCEnc, 240), Err("too_long"));
    assert_eq!(wrap(Level::RMac, 255), Ok(5 + 255));
    let extended = session(Level::CMac)
        .wrap(&[0x80, 0xE2, 0, 0, 0, 0, 1, 9])
        .err();
    assert_eq!(extended.unwrap().code(), "bad_input");
}

#[test]
fn a_changed_response_closes_the_session() {
    let mut session = session(Level::CMacRMac);
    assert_eq!(
        session.unwrap(&[0x90, 0]).unwrap_err().code(),
        "wrong_state"
    );
    session.wrap(&[0x80, 0xCA, 0, 0x66, 0]).unwrap();
    assert_eq!(
        session.unwrap(&[0x6A, 0x88]),
        Ok(([].as_slice(), [0x6A, 0x88]))
    );
    for response in [[0; 10].as_slice(), &[0x90, 0]] {
        session = authenticated();
        session.wrap(&[0x80, 0xCA, 0, 0x66, 0]).unwrap();
        let response = [response, &[0x90, 0]].concat();
        assert_eq!(session.unwrap(&response), Err(CryptoError::BadMac));
        assert!(session.is_closed());
        assert_eq!(
            session.wrap(&[0x80, 0xCA, 0, 0x66]).unwrap_err().code(),
            "wrong_state"
        );
        assert_eq!(session.unwrap(&response).unwrap_err().code(), "wrong_state");
    }
}

fn authenticated() -> Session {
    session(Level::CMacRMac)
}

proptest! {
    #[test]
    fn any_bytes_are_answered(response: Vec<u8>, command: Vec<u8>, answer: Vec<u8>) {
        for level in [Level::CMac, Level::CMacCEnc, Level::RMac, Level::CMacRMac, Level::CMacCEncRMac] {
            prop_assert!(host(level).receive(&response).is_err());
            let mut session = session(level);
            let _ = session.wrap(&command).map(<[u8]>::len);
            let _ = session.unwrap(&answer);
        }
    }
}

#[test]
fn a_challenge_that_is_a_code_over_the_identifier_is_recomputed() {
    let case = read::<File>("scp02").i55;
    let response = bytes(&case.initialize_update_response);
    assert_eq!(response[14..20], bytes(&case.card_challenge));
    let (enc, mac, challenge) = (
        bytes(&case.enc),
        bytes(&case.mac),
        bytes(&case.host_challenge),
    );
    let receive = |aid: Vec<u8>| {
        let parameters = Parameters {
            aid: Some(aid),
            ..Parameters::new(Level::CMac)
        };
        let host = Host::new(&enc, &mac, &challenge, parameters).unwrap();
        host.receive(&response).map(drop)
    };
    assert_eq!(receive(bytes(&case.aid)), Ok(()));
    assert_eq!(receive(vec![0xA0, 0, 0, 0, 3]), Err(CryptoError::BadMac));
}
