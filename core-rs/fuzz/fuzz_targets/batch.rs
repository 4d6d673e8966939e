//! Work for many cards with what they and others have sent, as the same for each by itself: receipts,
//! data for packets, diversification data, challenges.
#![no_main]

use fuzz::KEY;
use session_crypto::batch::{
    Cards, Packets, RECEIPT, VECTOR, command_packets, diversified_keys_aes, diversified_keys_des,
    milenage_vectors, receipts, tuak_vectors,
};
use session_crypto::milenage::{Constants, Milenage};
use session_crypto::scp80::{KeySet, Spi};
use session_crypto::tuak::{Parameters, Tuak};

const TAR: &[u8] = b"TAR";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&[what, count, first, second], data)) = data.split_first_chunk() else {
        return;
    };
    let count = usize::from(count);
    match what % 4 {
        0 | 1 => packets(what % 4 == 0, what, count % 4, [first, second], data),
        2 => keys(data),
        _ => vectors(count % 10, [first, second], data),
    }
});

/// Keys of each algorithm; what is in both halves of the byte has no meaning here.
fn key(name: u8) -> (u8, Vec<u8>) {
    match name % 4 {
        0 => (0x12, KEY.to_vec()),
        1 => (0x15, KEY.to_vec()),
        2 => (0x19, [KEY, KEY].concat()[..24].to_vec()),
        _ => (0x11, KEY[..8].to_vec()),
    }
}

fn packets(builds: bool, name: u8, count: usize, spi: [u8; 2], data: &[u8]) {
    let Ok(spi) = Spi::try_from(spi) else {
        return;
    };
    let (kic, cipher) = key(name >> 2);
    let (kid, checksum) = key(name >> 4);
    let counters: Vec<_> = (0..count)
        .flat_map(|card| [0, 0, 0, 0, card as u8])
        .collect();
    let cards = Cards {
        cipher_keys: &cipher.repeat(count),
        checksum_keys: &checksum.repeat(count),
        counters: &counters,
    };
    let packets = Packets {
        kic,
        kid,
        code_length: 8,
        spi,
        tar: TAR,
    };
    let own = KeySet::new(kic, &cipher, kid, &checksum, 8).unwrap();
    if builds {
        let Ok(built) = command_packets(packets, cards, data, true) else {
            return;
        };
        for card in 0..count {
            let data = &data[card * (data.len() / count)..][..data.len() / count];
            let alone = own.build_command(spi, TAR, card as u64, data).unwrap();
            assert_eq!(built[card * alone.len()..][..alone.len()], alone);
        }
    } else if let Ok(records) = receipts(packets, cards, data)
        && count > 0
    {
        let each = data.chunks(data.len() / count);
        for (card, (packet, record)) in each.zip(records.chunks(records.len() / count)).enumerate()
        {
            let expected = match own.open_response(spi, packet) {
                Ok(opened) if opened.counter == card as u64 => {
                    let length = (opened.data.len() as u16).to_be_bytes();
                    [&[1, opened.status.0], &length[..], &opened.data].concat()
                }
                _ => Vec::new(),
            };
            assert_eq!(record.len(), packet.len() + RECEIPT);
            assert!(record.starts_with(&expected));
            assert!(record[expected.len()..].iter().all(|byte| *byte == 0));
        }
    }
}

fn keys(data: &[u8]) {
    for diversify in [diversified_keys_des, diversified_keys_aes] {
        let mut all = vec![0; data.len() / 10 * 48];
        if diversify(&KEY, data, &mut all).is_err() {
            assert_ne!(data.len() % 10, 0);
            return;
        }
        for (keys, data) in all.chunks(48).zip(data.chunks(10)) {
            let mut own = [0; 48];
            diversify(&KEY, data, &mut own).unwrap();
            assert_eq!(keys, own);
        }
    }
}

/// As many subscribers as the data has challenges for, at most so many.
fn vectors(most: usize, amf: [u8; 2], data: &[u8]) {
    let count = most.min(data.len() / 22);
    let (rands, sqns) = data.split_at(count * 16);
    let inputs: [&[u8]; 3] = [rands, &sqns[..count * 6], &amf];
    let mut made = vec![0; count * VECTOR];
    let subscribers = [KEY, KEY].concat().repeat(count);
    milenage_vectors(&subscribers, inputs, Constants::default(), &mut made).unwrap();
    let milenage = Milenage::new(&KEY, &KEY).unwrap();
    for (at, vector) in made.chunks(VECTOR).enumerate() {
        let (rand, sqn) = (&rands[at * 16..][..16], &sqns[at * 6..][..6]);
        let own = milenage.vector(rand, sqn, &amf).unwrap();
        assert_eq!(vector[..16], own.autn);
        assert_eq!(vector[40..], *own.ik.expose());
    }
    let subscribers = [KEY, KEY, KEY].concat().repeat(count);
    tuak_vectors(16, &subscribers, inputs, Parameters::default(), &mut made).unwrap();
    let tuak = Tuak::new(&KEY, &[KEY, KEY].concat(), Parameters::default()).unwrap();
    for (at, vector) in made.chunks(VECTOR).enumerate() {
        let (rand, sqn) = (&rands[at * 16..][..16], &sqns[at * 6..][..6]);
        let own = tuak.vector(rand, sqn, &amf).unwrap();
        assert_eq!(vector[..16], own.autn);
        assert_eq!(vector[40..], *own.ik.expose());
    }
}
