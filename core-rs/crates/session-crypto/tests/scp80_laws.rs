//! Laws of secured packets, for any keys and bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use proptest::prelude::*;
use session_crypto::CryptoError;
use session_crypto::scp80::{Check, Header, KeySet, MOST_COUNTER, Receipt, Spi, Status};

/// What a key set is made of: that itself does not print.
#[derive(Clone, Copy, Debug)]
struct Keys {
    cipher: (u8, usize),
    checksum: (u8, usize),
    bytes: [u8; 32],
    code_length: usize,
}

impl Keys {
    fn set(self) -> KeySet {
        let ((kic, cipher), (kid, checksum)) = (self.cipher, self.checksum);
        let (cipher, checksum) = (&self.bytes[..cipher], &self.bytes[..checksum]);
        KeySet::new(kic, cipher, kid, checksum, self.code_length).unwrap()
    }
}

fn keys() -> impl Strategy<Value = Keys> {
    let cipher = prop::sample::select(vec![
        (0x11, 8),
        (0x15, 16),
        (0x19, 24),
        (0x12, 16),
        (0x12, 24),
        (0x12, 32),
    ]);
    // A redundancy check is told by 1 and 5 only
    let checksum = prop::sample::select(vec![(0x11, 8), (0x15, 16)]);
    let code_length = prop::sample::select(vec![4, 8]);
    (cipher, checksum, any::<[u8; 32]>(), code_length).prop_map(
        |(cipher, checksum, bytes, code_length)| Keys {
            cipher,
            checksum,
            bytes,
            code_length,
        },
    )
}

fn check() -> impl Strategy<Value = Check> {
    prop_oneof![
        Just(Check::None),
        Just(Check::Redundancy),
        Just(Check::Cryptographic)
    ]
}

fn spi() -> impl Strategy<Value = Spi> {
    (check(), any::<bool>(), check(), any::<bool>()).prop_map(
        |(check, ciphered, receipt_check, receipt_ciphered)| Spi {
            check,
            ciphered,
            receipt: Receipt::Always,
            receipt_check,
            receipt_ciphered,
            ..Spi::default()
        },
    )
}

proptest! {
    #[test]
    fn what_is_built_opens(
        keys in keys(), spi in spi(), tar: [u8; 3], counter in 0..=MOST_COUNTER,
        status: u8, data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let keys = keys.set();
        let packet = keys.build_command(spi, &tar, counter, &data).unwrap();
        let command = keys.open_command(spi, &packet).unwrap();
        prop_assert_eq!(command.header.tar, tar);
        prop_assert_eq!(command.counter, counter);
        prop_assert_eq!(&command.data, &data);
        let packet = keys.build_response(spi, &tar, counter, Status(status), &data).unwrap();
        let response = keys.open_response(spi, &packet).unwrap();
        prop_assert_eq!(response.tar, tar);
        prop_assert_eq!(response.counter, counter);
        prop_assert_eq!(response.status.0, status);
        prop_assert_eq!(response.data, data);
    }

    #[test]
    fn a_changed_packet_is_refused(
        keys in keys(), ciphered: bool, data: Vec<u8>, at: prop::sample::Index, bit in 0..8,
    ) {
        let keys = keys.set();
        let spi = Spi { check: Check::Cryptographic, ciphered, ..Spi::default() };
        let mut packet = keys.build_command(spi, b"TAR", 7, &data).unwrap();
        let at = at.index(packet.len());
        packet[at] ^= 1_u8 << bit;
        prop_assert!(keys.open_command(spi, &packet).is_err());
        // Behind the clear header there is but one answer
        if at >= 10 {
            prop_assert_eq!(keys.open_command(spi, &packet), Err(CryptoError::BadMac));
        }
    }

    #[test]
    fn any_bytes_are_answered(keys in keys(), spi in spi(), packet: Vec<u8>) {
        let keys = keys.set();
        let _ = Header::read(&packet);
        let _ = keys.open_command(spi, &packet);
        let _ = keys.open_response(spi, &packet);
    }

    #[test]
    fn any_bytes_behind_a_right_header_are_answered(
        keys in keys(), spi in spi(), mut body in prop::collection::vec(any::<u8>(), 8..60),
    ) {
        let keys = keys.set();
        let [first, second] = spi.to_bytes();
        body[1..3].copy_from_slice(&[first, second]);
        (body[3], body[4]) = (keys.kic(), keys.kid());
        for length in [13, 15, 17, 21] {
            body[0] = length;
            let mut packet = vec![0, u8::try_from(body.len()).unwrap()];
            packet.extend(&body);
            let _ = keys.open_command(spi, &packet);
            packet[2] = length - 3;
            let _ = keys.open_response(spi, &packet);
        }
    }
}
