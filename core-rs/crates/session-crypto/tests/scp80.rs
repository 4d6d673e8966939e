//! Secured packets: the published ones, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use serde::Deserialize;
use session_crypto::scp80::{
    Check, CounterMode, Header, KeySet, MOST_COUNTER, Spi, Status, advance,
};
use session_crypto::{CryptoError, crc};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    commands: Vec<Case>,
    responses: Vec<Case>,
    redundancy: Redundancy,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kic: String,
    cipher_key: String,
    kid: String,
    checksum_key: String,
    spi: String,
    tar: String,
    counter: u64,
    #[serde(default)]
    status: u8,
    data: String,
    packet: String,
}

#[derive(Deserialize)]
struct Redundancy {
    message: String,
    crc16: String,
    crc32: String,
}

impl Case {
    fn keys(&self) -> KeySet {
        let (kic, kid) = (bytes(&self.kic)[0], bytes(&self.kid)[0]);
        KeySet::new(
            kic,
            &bytes(&self.cipher_key),
            kid,
            &bytes(&self.checksum_key),
            8,
        )
        .unwrap()
    }

    fn spi(&self) -> Spi {
        let spi: [u8; 2] = bytes(&self.spi).try_into().unwrap();
        Spi::try_from(spi).unwrap()
    }
}

#[test]
fn command_packets_are_the_published_ones() {
    for case in read::<File>("scp80").commands {
        let (keys, spi) = (case.keys(), case.spi());
        let (tar, data, packet) = (bytes(&case.tar), bytes(&case.data), bytes(&case.packet));
        let built = keys.build_command(spi, &tar, case.counter, &data).unwrap();
        assert_eq!(built, packet, "{}", case.name);
        let command = keys.open_command(spi, &packet).unwrap();
        assert_eq!(command.header, Header::read(&packet).unwrap());
        assert_eq!(command.header.tar[..], tar);
        assert_eq!(command.counter, case.counter);
        assert_eq!(command.data, data);
    }
}

#[test]
fn response_packets_are_the_published_ones() {
    for case in read::<File>("scp80").responses {
        let (keys, spi) = (case.keys(), case.spi());
        let (tar, data, packet) = (bytes(&case.tar), bytes(&case.data), bytes(&case.packet));
        let response = keys.open_response(spi, &packet).unwrap();
        assert_eq!(response.tar[..], tar, "{}", case.name);
        assert_eq!(response.counter, case.counter);
        assert_eq!(response.status, Status(case.status));
        assert_eq!(response.data, data);
        let status = response.status;
        let built = keys
            .build_response(spi, &tar, case.counter, status, &data)
            .unwrap();
        assert_eq!(built, packet, "{}", case.name);
    }
}

#[test]
fn the_redundancy_checks_are_those_of_the_annex() {
    let example = read::<File>("scp80").redundancy;
    assert_eq!(
        crc::crc16(&bytes(&example.message))[..],
        bytes(&example.crc16)
    );
    assert_eq!(
        crc::crc32(&bytes(&example.message))[..],
        bytes(&example.crc32)
    );
}

#[test]
fn the_last_byte_of_a_signed_response_counts() {
    let cases = read::<File>("scp80").responses;
    let case = cases.iter().find(|case| case.name == "3DES, CC").unwrap();
    let mut packet = bytes(&case.packet);
    for at in 6..packet.len() {
        packet[at] ^= 1;
        let fault = case.keys().open_response(case.spi(), &packet);
        assert_eq!(fault, Err(CryptoError::BadMac), "byte {at}");
        packet[at] ^= 1;
    }
}

#[test]
fn the_counter_modes_are_those_of_the_standard() {
    let (low, high) = (Err(CryptoError::CounterLow), Err(CryptoError::CounterHigh));
    let blocked = Err(CryptoError::CounterBlocked);
    for (mode, stored, received, expected) in [
        (CounterMode::None, 5, 0, Ok(5)),
        (CounterMode::Unchecked, 5, 9, Ok(5)),
        (CounterMode::Higher, 5, 5, low),
        (CounterMode::Higher, 5, 4, low),
        (CounterMode::Higher, 5, 6, Ok(6)),
        (CounterMode::Higher, 5, MOST_COUNTER, Ok(MOST_COUNTER)),
        (CounterMode::Higher, MOST_COUNTER, MOST_COUNTER, blocked),
        (CounterMode::Next, 5, 5, low),
        (CounterMode::Next, 5, 6, Ok(6)),
        (CounterMode::Next, 5, 7, high),
        (CounterMode::Next, MOST_COUNTER, 0, blocked),
    ] {
        assert_eq!(advance(mode, stored, received), expected, "{mode:?}");
    }
    let fault = advance(CounterMode::None, MOST_COUNTER + 1, 0).unwrap_err();
    assert_eq!(fault.code(), "bad_input");
}

#[test]
fn keys_must_be_those_of_their_algorithm() {
    let fault = |kic, length: usize, code_length| {
        let key = vec![1; length];
        KeySet::new(kic, &key, 0x12, &[2; 16], code_length)
            .err()
            .map(CryptoError::code)
    };
    for (kic, length) in [
        (0x11, 8),
        (0x15, 16),
        (0x19, 24),
        (0x12, 16),
        (0x12, 24),
        (0x12, 32),
    ] {
        assert_eq!(fault(kic, length, 8), None);
        assert_eq!(fault(kic, length, 4), None);
        assert_eq!(fault(kic, length + 1, 8), Some("wrong_length"));
        assert_eq!(fault(kic, length, 6), Some("bad_input"));
    }
    for algorithm in [0x0, 0x3, 0x6, 0xD] {
        assert_eq!(fault(algorithm, 16, 8), Some("bad_input"));
    }
    let bare = KeySet::new(0x12, &[], 0x12, &[], 8).unwrap();
    let ciphered = Spi {
        ciphered: true,
        ..Spi::default()
    };
    let signed = Spi {
        check: Check::Cryptographic,
        ..Spi::default()
    };
    for spi in [ciphered, signed] {
        assert_eq!(
            bare.build_command(spi, &[0; 3], 0, &[]).unwrap_err().code(),
            "bad_input"
        );
    }
}

#[test]
fn a_packet_with_less_security_than_it_must_have_is_refused() {
    let keys = KeySet::new(0x12, &[1; 16], 0x12, &[2; 16], 8).unwrap();
    let least = Spi {
        check: Check::Cryptographic,
        ciphered: true,
        counter: CounterMode::Higher,
        ..Spi::default()
    };
    let weaker: [fn(&mut Spi); 3] = [
        |spi| spi.check = Check::None,
        |spi| spi.ciphered = false,
        |spi| spi.counter = CounterMode::Unchecked,
    ];
    for change in weaker {
        let mut spi = least;
        change(&mut spi);
        let packet = keys.build_command(spi, b"TAR", 1, b"data").unwrap();
        assert!(keys.open_command(spi, &packet).is_ok());
        assert_eq!(
            keys.open_command(least, &packet).unwrap_err().code(),
            "bad_input"
        );
    }
}

#[test]
fn what_fits_no_packet_is_refused() {
    let keys = KeySet::new(0x12, &[1; 16], 0x12, &[2; 16], 8).unwrap();
    let build = |counter, length: usize| {
        let built = keys.build_command(Spi::default(), &[0; 3], counter, &vec![0; length]);
        built.map(|packet| packet.len()).map_err(CryptoError::code)
    };
    assert_eq!(build(MOST_COUNTER, 0), Ok(16));
    assert_eq!(build(MOST_COUNTER + 1, 0), Err("bad_input"));
    assert_eq!(build(0, 65_521), Ok(65_537));
    assert_eq!(build(0, 65_522), Err("too_long"));
    let signature = Spi {
        check: Check::Signature,
        ..Spi::default()
    };
    assert!(keys.build_command(signature, &[0; 3], 0, &[]).is_err());
    assert!(keys.build_command(Spi::default(), &[0; 4], 0, &[]).is_err());
}

#[test]
fn reserved_bits_are_refused() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            match Spi::try_from([first, second]) {
                Ok(spi) => assert_eq!(spi.to_bytes(), [first, second]),
                Err(_) => assert!(first & 0xE0 != 0 || second & 0xC0 != 0 || second & 3 == 3),
            }
        }
    }
}
