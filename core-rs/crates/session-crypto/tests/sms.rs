//! Packets in one message and in several.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::sms::{Kind, Segment, assemble, cut};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    messages: Vec<Case>,
    responses: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    packet: String,
    user_data: String,
}

fn joined(messages: &[Vec<u8>]) -> Option<(Kind, Vec<u8>)> {
    assemble(messages.iter().map(Vec::as_slice)).ok()
}

#[test]
fn a_short_packet_is_one_message() {
    let file = read::<File>("scp80");
    for (kind, cases) in [
        (Kind::Command, file.messages),
        (Kind::Response, file.responses),
    ] {
        for case in cases {
            let (packet, user_data) = (bytes(&case.packet), bytes(&case.user_data));
            let messages = cut(kind, &packet, 9).unwrap();
            assert_eq!(messages, [user_data]);
            assert_eq!(joined(&messages), Some((kind, packet)));
        }
    }
}

#[test]
fn messages_are_filled_to_the_last_byte() {
    for (length, sizes) in [
        (137, vec![140]),
        (138, vec![140, 12]),
        (132, vec![135]),
        (132 + 134, vec![140, 140]),
        (132 + 134 + 1, vec![140, 140, 7]),
    ] {
        let messages = cut(Kind::Command, &vec![1; length], 0x5A).unwrap();
        assert_eq!(
            messages.iter().map(Vec::len).collect::<Vec<_>>(),
            sizes,
            "{length}"
        );
    }
    let messages = cut(Kind::Command, &[1; 138], 0x5A).unwrap();
    assert_eq!(messages[0][..8], [7, 0, 3, 0x5A, 2, 1, 0x70, 0]);
    assert_eq!(messages[1][..6], [5, 0, 3, 0x5A, 2, 2]);
}

#[test]
fn a_packet_for_more_than_255_messages_is_refused() {
    let most = 132 + 254 * 134;
    assert_eq!(cut(Kind::Command, &vec![0; most], 0).unwrap().len(), 255);
    let fault = cut(Kind::Command, &vec![0; most + 1], 0).unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!("packet has {} bytes; {most} is the most", most + 1)
    );
}

#[test]
fn references_of_two_bytes_and_foreign_elements_are_read() {
    let message = [11, 0x05, 0, 0x08, 4, 0x12, 0x34, 2, 1, 0x70, 0, 0x24, 0xAA];
    let fault = Segment::read(&message);
    assert!(fault.is_err());
    let message = [10, 0x05, 0, 0x08, 4, 0x12, 0x34, 2, 1, 0x70, 0, 0xAA];
    let segment = Segment::read(&message).unwrap();
    assert_eq!(segment.reference, Some(0x1234));
    assert_eq!((segment.total, segment.index), (2, 1));
    assert_eq!(segment.kind, Some(Kind::Command));
    assert_eq!(segment.data, [0xAA]);
}

#[test]
fn messages_of_two_packets_do_not_join() {
    let one = cut(Kind::Command, &[1; 300], 1).unwrap();
    let other = cut(Kind::Command, &[2; 300], 2).unwrap();
    let answer = cut(Kind::Response, &[1; 300], 1).unwrap();
    assert_eq!(
        joined(&[one[0].clone(), one[1].clone(), other[2].clone()]),
        None
    );
    assert_eq!(joined(&[one[0].clone(), one[1].clone()]), None);
    assert_eq!(joined(&[one[1].clone(), one[2].clone()]), None);
    assert_eq!(
        joined(&[
            one[0].clone(),
            one[1].clone(),
            one[2].clone(),
            answer[0].clone()
        ]),
        None
    );
    assert_eq!(joined(&[]), None);
}

proptest! {
    #[test]
    fn what_is_cut_joins_in_any_order(
        packet in prop::collection::vec(any::<u8>(), 0..1000),
        reference: u8,
        seed: Vec<prop::sample::Index>,
    ) {
        let mut messages = cut(Kind::Response, &packet, reference).unwrap();
        prop_assert!(messages.iter().all(|message| message.len() <= 140));
        for (at, other) in seed.iter().enumerate() {
            let (at, other) = (at % messages.len(), other.index(messages.len()));
            messages.swap(at, other);
        }
        messages.push(messages[0].clone());
        prop_assert_eq!(joined(&messages), Some((Kind::Response, packet)));
    }

    #[test]
    fn any_bytes_are_answered(messages: Vec<Vec<u8>>) {
        for message in &messages {
            let _ = Segment::read(message);
        }
        let _ = joined(&messages);
    }
}
