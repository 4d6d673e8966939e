//! SCP03 against `tests/vectors/scp03.json`, and against a peer that does everything wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::CryptoError;
use session_crypto::scp03::{DataLessCounter, Host, Level, Parameters, Session, card_challenge};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    sessions: Vec<Recorded>,
}

#[derive(Clone, Deserialize)]
struct Recorded {
    source: String,
    enc: String,
    mac: String,
    challenge: String,
    level: u8,
    key_version: u8,
    aid: Option<String>,
    counter_advances: bool,
    initialize_update: String,
    initialize_update_response: String,
    external_authenticate: String,
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Deserialize)]
struct Exchange {
    command: String,
    wrapped: String,
    response: Option<String>,
    opened: Option<String>,
}

impl Recorded {
    fn host(&self) -> Host {
        let parameters = Parameters {
            key_version: self.key_version,
            aid: self.aid.as_deref().map(bytes),
            data_less_counter: if self.counter_advances {
                DataLessCounter::Advances
            } else {
                DataLessCounter::Stands
            },
            ..Parameters::new(Level::try_from(self.level).unwrap())
        };
        let (enc, mac) = (bytes(&self.enc), bytes(&self.mac));
        Host::new(&enc, &mac, &bytes(&self.challenge), parameters).unwrap()
    }

    fn session(&self) -> Session {
        let response = bytes(&self.initialize_update_response);
        let opening = self.host().receive(&response).unwrap();
        opening.confirm(&[0x90, 0]).unwrap()
    }
}

fn sessions() -> &'static [Recorded] {
    static FILE: LazyLock<File> = LazyLock::new(|| read("scp03"));
    &FILE.sessions
}

fn full() -> &'static Recorded {
    let made = |session: &&Recorded| session.source.contains("AES-128, S16, level 33");
    sessions().iter().find(made).unwrap()
}

#[test]
fn recorded_sessions_are_reproduced_to_the_byte() {
    for recorded in sessions() {
        let host = recorded.host();
        assert_eq!(
            host.initialize_update(),
            bytes(&recorded.initialize_update),
            "{}",
            recorded.source
        );
        let response = bytes(&recorded.initialize_update_response);
        let opening = host.receive(&response).unwrap();
        let command = bytes(&recorded.external_authenticate);
        assert_eq!(opening.external_authenticate(), command);
        assert_eq!(opening.key_version(), response[10]);
        assert_eq!(opening.parameter(), response[12]);
        assert_eq!(opening.diversification(), &response[..10]);
        let mut session = opening.confirm(&[0x90, 0]).unwrap();
        for exchange in &recorded.exchanges {
            let wrapped = session.wrap(&bytes(&exchange.command)).unwrap();
            assert_eq!(wrapped, bytes(&exchange.wrapped), "{}", recorded.source);
            if let (Some(response), Some(opened)) = (&exchange.response, &exchange.opened) {
                let response = bytes(response);
                let result = session.unwrap(&response).unwrap();
                assert_eq!(result, bytes(opened), "{}", recorded.source);
            }
        }
        assert!(!session.is_closed());
        assert_eq!(session.level() as u8, recorded.level);
    }
}

#[test]
fn a_challenge_from_a_counter_is_bound_to_key_and_application() {
    for recorded in sessions() {
        let Some(aid) = recorded.aid.clone() else {
            continue;
        };
        let response = bytes(&recorded.initialize_update_response);
        let length = bytes(&recorded.challenge).len();
        let end = response.len() - 2;
        let counter = &response[end - 3..end];
        let expected = card_challenge(&bytes(&recorded.enc), counter, &bytes(&aid), length);
        assert_eq!(expected.unwrap(), response[13..13 + length]);
        let other = Recorded {
            aid: Some("a0000000030000".into()),
            ..recorded.clone()
        };
        let fault = other.host().receive(&response).err();
        assert_eq!(fault, Some(CryptoError::BadMac));
    }
}

#[test]
fn a_card_with_another_key_is_refused_whichever_bit_is_wrong() {
    let recorded = full();
    let response = bytes(&recorded.initialize_update_response);
    for at in 13..response.len() - 2 {
        let mut forged = response.clone();
        forged[at] ^= 0x10;
        let fault = recorded.host().receive(&forged).err();
        assert_eq!(fault, Some(CryptoError::BadMac), "byte {at}");
    }
}

#[test]
fn a_handshake_takes_responses_of_the_right_shape_only() {
    let recorded = full();
    let response = bytes(&recorded.initialize_update_response);
    let codes = |response: &[u8]| recorded.host().receive(response).err().unwrap().code();
    for length in 0..2 {
        assert_eq!(codes(&response[..length]), "bad_input");
    }
    for length in 0..response.len() - 2 {
        let cut = [&response[..length], &[0x90, 0]].concat();
        assert_eq!(codes(&cut), "wrong_length", "{length}");
    }
    let mut scp02 = response.clone();
    scp02[11] = 2;
    assert_eq!(codes(&scp02), "bad_input");
    assert_eq!(
        recorded.host().receive(&[0x6A, 0x88]).err(),
        Some(CryptoError::Refused {
            command: "INITIALIZE UPDATE",
            status: 0x6A88
        })
    );
    let opening = recorded.host().receive(&response).unwrap();
    assert_eq!(
        opening.confirm(&[0x63, 0]).err().unwrap().to_string(),
        "EXTERNAL AUTHENTICATE was refused with 6300"
    );
}

#[test]
fn keys_and_challenges_have_their_lengths() {
    let parameters = || Parameters::new(Level::CMac);
    for length in [0, 8, 15, 17, 33] {
        let key = vec![0; length];
        let fault = Host::new(&key, &[0; 16], &[0; 8], parameters()).err();
        assert_eq!(fault.unwrap().code(), "wrong_length");
        let fault = Host::new(&[0; 16], &key, &[0; 8], parameters()).err();
        assert_eq!(fault.unwrap().code(), "wrong_length");
    }
    assert!(Host::new(&[0; 16], &[0; 16], &[0; 9], parameters()).is_err());
    for level in (0..=255).filter(|level| ![0x01, 0x03, 0x11, 0x13, 0x33].contains(level)) {
        assert!(Level::try_from(level).is_err());
    }
}

#[test]
fn a_changed_response_is_refused_and_closes_the_session() {
    let recorded = full();
    for exchange in &recorded.exchanges {
        let response = bytes(exchange.response.as_deref().unwrap());
        if response.len() == 2 {
            continue;
        }
        for at in 0..response.len() {
            let mut session = recorded.session();
            for earlier in &recorded.exchanges {
                session.wrap(&bytes(&earlier.command)).unwrap();
                if earlier.command == exchange.command {
                    break;
                }
            }
            let mut forged = response.clone();
            forged[at] ^= 1;
            assert_eq!(session.unwrap(&forged), Err(CryptoError::BadMac));
            assert!(session.is_closed());
            let fault = session.wrap(&[0x80, 0xF2, 0, 0]).err().unwrap();
            assert_eq!(fault.code(), "wrong_state");
            let fault = session.unwrap(&response).err().unwrap();
            assert_eq!(fault.code(), "wrong_state");
        }
    }
}

#[test]
fn a_success_without_its_code_is_refused() {
    let recorded = full();
    for bare in [&[0x90, 0][..], &[0x62, 0x83], &[1, 2, 3, 0x90, 0], &[0; 9]] {
        let mut session = recorded.session();
        session.wrap(&[0x80, 0xF2, 0, 0]).unwrap();
        assert_eq!(session.unwrap(bare), Err(CryptoError::BadMac));
    }
    let mut session = recorded.session();
    session.wrap(&[0x80, 0xF2, 0, 0]).unwrap();
    assert_eq!(session.unwrap(&[0x6A, 0x82]), Ok(&[0x6A, 0x82][..]));
}

#[test]
fn a_response_opens_once() {
    let recorded = full();
    let mut session = recorded.session();
    assert_eq!(
        session.unwrap(&[0x90, 0]).err().unwrap().code(),
        "wrong_state"
    );
    let exchange = &recorded.exchanges[0];
    let response = bytes(exchange.response.as_deref().unwrap());
    session.wrap(&bytes(&exchange.command)).unwrap();
    session.unwrap(&response).unwrap();
    let fault = session.unwrap(&response).err().unwrap();
    assert_eq!(fault.code(), "wrong_state");
}

#[test]
fn a_short_command_takes_what_fits_beside_padding_and_code() {
    let recorded = full();
    let command = |length: u8| [&[0x80, 0xE2, 0, 0, length][..], &vec![7; length.into()]].concat();
    let mut session = recorded.session();
    assert_eq!(session.wrap(&command(223)).unwrap().len(), 5 + 224 + 16);
    let fault = session.wrap(&command(224)).err();
    assert_eq!(
        fault,
        Some(CryptoError::TooLong {
            field: "command data",
            limit: 223,
            actual: 224
        })
    );
    assert_eq!(session.counter(), 1, "a refused command changes nothing");
    let long = [&[0x80, 0xE2, 0, 0, 0, 0xFF, 0xF0][..], &[7; 0xFFF0]].concat();
    assert_eq!(session.wrap(&long).err().unwrap().code(), "too_long");
    let long = [&[0x80, 0xE2, 0, 0, 0, 0xFF, 0xDF][..], &[7; 0xFFDF]].concat();
    assert_eq!(session.wrap(&long).unwrap().len(), 7 + 0xFFE0 + 16);
}

#[test]
fn malformed_and_secured_commands_are_refused() {
    let recorded = full();
    let mut session = recorded.session();
    for command in [
        &[][..],
        &[0x80, 0xE2, 0],
        &[0x80, 0xE2, 0, 0, 2, 1],
        &[0x80, 0xE2, 0, 0, 1, 1, 0, 0],
        &[0x80, 0xE2, 0, 0, 0, 1],
        &[0x80, 0xE2, 0, 0, 0, 0, 0, 0],
        &[0x80, 0xE2, 0, 0, 0, 0, 1, 5, 0],
        &[0x84, 0xE2, 0, 0],
        &[0x60, 0xE2, 0, 0],
    ] {
        let fault = session.wrap(command).err().unwrap();
        assert_eq!(fault.code(), "bad_input", "{command:02X?}");
    }
    assert_eq!(session.counter(), 0);
}

proptest! {
    #[test]
    fn no_bytes_make_a_handshake_panic(response in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = full().host().receive(&response);
    }

    #[test]
    fn no_bytes_make_a_session_panic(
        steps in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)),
            1..12,
        ),
        which in 0..18_usize,
    ) {
        let mut session = sessions()[which].session();
        for (wraps, bytes) in steps {
            if wraps {
                let _ = session.wrap(&bytes);
            } else {
                let _ = session.unwrap(&bytes);
            }
        }
    }
}
