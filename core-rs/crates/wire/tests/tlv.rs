//! BER-TLV: what cards write is read, what they must not write is refused at its offset.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use proptest::prelude::*;
use wire::tlv::{self, MAX_OBJECTS};
use wire::{TlvError, TlvFault};

fn fault(data: &[u8]) -> (TlvFault, usize) {
    let TlvError { fault, offset } = tlv::decode(data, 16).unwrap_err();
    (fault, offset)
}

#[test]
fn a_constructed_object_has_children_and_its_bare_value() {
    // The ODF record of a UICC that points at one DODF: A7 {30 {04 6430}}
    let data = [0xA7, 0x06, 0x30, 0x04, 0x04, 0x02, 0x64, 0x30];
    let found = tlv::decode(&data, 16).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].tag, found[0].constructed), (0xA7, true));
    assert_eq!(found[0].value, &data[2..]);
    let path = &found[0].children[0].children[0];
    assert_eq!((path.tag, path.constructed), (0x04, false));
    assert_eq!(path.value, [0x64, 0x30]);
}

#[test]
fn padding_around_objects_at_the_top_is_skipped() {
    let data = [
        0xFF, 0x00, 0x80, 0x01, 0xAA, 0x00, 0xFF, 0x81, 0x00, 0xFF, 0xFF,
    ];
    let tags: Vec<u32> = tlv::decode(&data, 16)
        .unwrap()
        .iter()
        .map(|o| o.tag)
        .collect();
    assert_eq!(tags, [0x80, 0x81]);
    assert_eq!(tlv::decode(&[0xFF; 64], 16).unwrap(), []);
    assert_eq!(tlv::decode(&[], 16).unwrap(), []);
}

#[test]
fn padding_inside_a_constructed_object_is_refused() {
    assert_eq!(fault(&[0x62, 0x02, 0x00, 0x00]), (TlvFault::BadTag, 2));
}

#[test]
fn tags_have_up_to_four_bytes() {
    for (data, tag) in [
        (&[0x7F, 0x21, 0x00][..], 0x7F21),
        (&[0xBF, 0x0C, 0x00], 0xBF0C),
        (&[0x5F, 0x2D, 0x00], 0x5F2D),
        (&[0x9F, 0x81, 0x02, 0x00], 0x9F_8102),
        (&[0x9F, 0x81, 0x82, 0x03, 0x00], 0x9F81_8203),
    ] {
        assert_eq!(tlv::decode(data, 16).unwrap()[0].tag, tag);
    }
    let five = [0x9F, 0x81, 0x82, 0x83, 0x04, 0x00];
    assert_eq!(fault(&five), (TlvFault::BadTag, 0));
    assert_eq!(fault(&[0x80, 0x00, 0x9F, 0x81]), (TlvFault::Truncated, 2));
}

#[test]
fn lengths_have_up_to_four_bytes_and_are_definite() {
    for data in [
        &[0x80, 0x01, 0xAA][..],
        &[0x80, 0x81, 0x01, 0xAA],
        &[0x80, 0x82, 0x00, 0x01, 0xAA],
        &[0x80, 0x83, 0x00, 0x00, 0x01, 0xAA],
        &[0x80, 0x84, 0x00, 0x00, 0x00, 0x01, 0xAA],
    ] {
        assert_eq!(tlv::decode(data, 16).unwrap()[0].value, [0xAA]);
    }
    assert_eq!(fault(&[0x80, 0x80, 0x00, 0x00]), (TlvFault::BadLength, 1));
    let five = [0x80, 0x85, 0, 0, 0, 0, 1, 0xAA];
    assert_eq!(fault(&five), (TlvFault::BadLength, 1));
    let huge = [0x80, 0x84, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(fault(&huge), (TlvFault::Truncated, 0));
}

#[test]
fn a_fault_is_reported_where_the_object_starts() {
    assert_eq!(fault(&[0x80]), (TlvFault::Truncated, 1));
    assert_eq!(fault(&[0x80, 0x82, 0x01]), (TlvFault::Truncated, 1));
    // A child that is longer than its parent, although the data would go on
    let data = [
        0x80, 0x00, 0x30, 0x03, 0x04, 0x05, 0x01, 0x02, 0x03, 0x04, 0x05,
    ];
    assert_eq!(fault(&data), (TlvFault::Truncated, 4));
    let text = tlv::decode(&data, 16).unwrap_err().to_string();
    assert_eq!(text, "BER-TLV: the data ends inside an object (offset 4)");
}

#[test]
fn depth_is_bounded_by_the_caller_and_by_the_codec() {
    let nested = |levels: usize| {
        (0..levels).fold(Vec::new(), |inside, _| tlv::encode(0x30, &inside).unwrap())
    };
    assert!(tlv::decode(&nested(3), 3).is_ok());
    let error = tlv::decode(&nested(4), 3).unwrap_err();
    assert_eq!((error.fault, error.offset), (TlvFault::TooDeep, 6));
    assert!(tlv::decode(&nested(64), usize::MAX).is_ok());
    let error = tlv::decode(&nested(65), usize::MAX).unwrap_err();
    assert_eq!(error.fault, TlvFault::TooDeep);
    assert_eq!(
        tlv::decode(&nested(1), 0).unwrap_err().fault,
        TlvFault::TooDeep
    );
}

#[test]
fn the_number_of_objects_is_bounded() {
    let data = [0x80, 0x00].repeat(MAX_OBJECTS);
    assert_eq!(tlv::decode(&data, 16).unwrap().len(), MAX_OBJECTS);
    let data = [0x80, 0x00].repeat(MAX_OBJECTS + 1);
    assert_eq!(fault(&data), (TlvFault::TooMany, 2 * MAX_OBJECTS));
}

#[test]
fn only_tags_are_encoded_as_tags() {
    for tag in [0x00, 0x1F, 0x7F80, 0x8001, 0x007F_2100, 0x9F81_8283] {
        assert_eq!(
            tlv::encode(tag, b"").unwrap_err().fault,
            TlvFault::BadTag,
            "{tag:X}"
        );
    }
}

fn a_tag() -> impl Strategy<Value = u32> {
    prop_oneof![
        (1u32..=0xFE).prop_filter("one byte", |tag| tag & 0x1F != 0x1F),
        (0u32..0x80).prop_map(|low| 0x9F00 | low),
        (0x80u32..0x100, 0u32..0x80).prop_map(|(mid, low)| 0x5F_0000 | mid << 8 | low),
        (0u32..0x80).prop_map(|low| 0xDF81_8200 | low),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = tlv::decode(&data, 16) {
            prop_assert!(error.offset <= data.len());
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        tag in a_tag().prop_filter("primitive", |tag| tag.to_be_bytes().iter().find(|b| **b != 0).is_some_and(|b| b & 0x20 == 0)),
        value in prop::collection::vec(any::<u8>(), 0..700),
    ) {
        let encoded = tlv::encode(tag, &value).unwrap();
        let found = tlv::decode(&encoded, 16).unwrap();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((found[0].tag, found[0].value), (tag, value.as_slice()));
    }

    #[test]
    fn the_encoding_of_children_is_the_value(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5)
    ) {
        let inside: Vec<u8> = values.iter().flat_map(|value| tlv::encode(0x80, value).unwrap()).collect();
        let encoded = tlv::encode(0x7F21, &inside).unwrap();
        let found = tlv::decode(&encoded, 16).unwrap();
        let children: Vec<&[u8]> = found[0].children.iter().map(|child| child.value).collect();
        prop_assert_eq!(children, values.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn a_prefix_of_an_object_is_truncated(value in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>()) {
        let encoded = tlv::encode(0x5F2D, &value).unwrap();
        let cut = cut.index(encoded.len());
        let result = tlv::decode(&encoded[..cut], 16);
        match cut {
            0 => prop_assert_eq!(result.unwrap(), vec![]),
            _ => prop_assert_eq!(result.unwrap_err().fault, TlvFault::Truncated),
        }
    }
}
