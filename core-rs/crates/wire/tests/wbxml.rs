//! WBXML: every token form is read, hostile bytes are refused, what is written is read back.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use support::{child, data, element, text};
use wire::{CodecFault, Element, Limits, MAX_ELEMENTS, wbxml, xml};

const PROV: [u8; 4] = [0x03, 0x0B, 0x6A, 0x00];
const SYNCML: [u8; 5] = [0x02, 0xA4, 0x01, 0x6A, 0x00];

fn after(header: &[u8], body: &[u8]) -> Vec<u8> {
    [header, body].concat()
}

fn decode(bytes: &[u8]) -> Element {
    wbxml::decode(bytes, Limits::default()).unwrap()
}

fn fault(bytes: &[u8]) -> (CodecFault, usize) {
    let error = wbxml::decode(bytes, Limits::default()).unwrap_err();
    (error.fault, error.offset.unwrap())
}

fn as_xml(bytes: &[u8]) -> String {
    String::from_utf8(xml::encode(&decode(bytes)).unwrap()).unwrap()
}

#[test]
fn provisioning_documents_use_both_attribute_pages() {
    let body = [
        0xC5, 0x46, 0x01, // wap-provisioningdoc version="1.0"
        0xC6, 0x55, 0x01, // characteristic type="NAPDEF"
        0x87, 0x10, 0x06, 0xAB, 0x01, // BEARER = GSM-GPRS
        0x01, 0xC6, 0x00, 0x01, 0x55, 0x01, // page 1: type="APPLICATION"
        0x87, 0x36, 0x06, 0x03, b'w', b'7', 0, 0x01, // APPID
        0x87, 0x33, 0x06, 0x91, 0x93, 0x90, 0x92, 0x01, // AAUTHTYPE
        0x87, 0x00, 0x00, 0x07, 0x06, 0x03, b'x', 0, 0x01, // back to page 0: NAME
        0x01, 0x01,
    ];
    assert_eq!(
        as_xml(&after(&PROV, &body)),
        "<wap-provisioningdoc version=\"1.0\"><characteristic type=\"NAPDEF\">\
         <parm name=\"BEARER\" value=\"GSM-GPRS\"/></characteristic>\
         <characteristic type=\"APPLICATION\"><parm name=\"APPID\" value=\"w7\"/>\
         <parm name=\"AAUTHTYPE\" value=\"HTTP-DIGEST,BASIC\"/><parm name=\"NAME\" value=\"x\"/>\
         </characteristic></wap-provisioningdoc>"
    );
}

#[test]
fn the_early_authentication_values_are_read_too() {
    // AAUTHTYPE on page 1, values 80 to 83 as in the provisioning content of 2002
    let value = |tokens: &[u8]| {
        let body = [&[0xC5, 0x00, 0x01, 0x33, 0x06], tokens, &[0x01, 0x01]].concat();
        let root = decode(&after(&PROV, &body));
        root.attribute("value").unwrap().to_owned()
    };
    assert_eq!(value(&[0x82]), "BASIC");
    assert_eq!(value(&[0x83]), "DIGEST");
    assert_eq!(
        value(&[0x81, 0x82, 0x80, 0x81, 0x83]),
        "HTTP-BASIC,HTTP-DIGEST"
    );
}

#[test]
fn with_a_string_table_83_is_a_reference_unless_an_early_value_came_before() {
    let header = [0x03, 0x0B, 0x6A, 0x04, b'a', b'b', b'c', 0];
    let page_1 = [0xC5, 0x00, 0x01, 0x33, 0x06];
    let root = decode(&after(
        &header,
        &[&page_1[..], &[0x83, 0x01, 0x01, 0x01]].concat(),
    ));
    assert_eq!(root.attribute("value"), Some("bc"));
    let root = decode(&after(
        &header,
        &[&page_1[..], &[0x81, 0x83, 0x01, 0x01]].concat(),
    ));
    assert_eq!(root.attribute("value"), Some("HTTP-DIGEST"));
    let root = decode(&after(
        &header,
        &[&[0xC5, 0x05, 0x06][..], &[0x83, 0x00, 0x01, 0x01]].concat(),
    ));
    assert_eq!(root.attribute("value"), Some("abc"));
}

#[test]
fn messages_switch_pages_for_meta_information_and_management_trees() {
    let body = [
        0x6D, 0x5A, // SyncML, Meta
        0x00, 0x01, 0x53, 0x03, b'b', b'i', b'n', 0, 0x01, // Type
        0x01, 0x00, 0x00, 0x4F, // Data
        0x00, 0x02, 0x60, 0x77, 0x03, b'1', b'.', b'2', 0, 0x01, 0x25,
        0x01, // MgmtTree, VerDTD, node
        0x01, 0x00, 0x00, 0x12, 0x01, // Final
    ];
    let root = decode(&after(&SYNCML, &body));
    assert_eq!(root.namespace(), "SYNCML:SYNCML1.2");
    assert_eq!(
        String::from_utf8(xml::encode(&root).unwrap()).unwrap(),
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><Meta><Type xmlns=\"syncml:metinf\">bin</Type></Meta>\
         <Data><MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><node/></MgmtTree></Data>\
         <Final/></SyncML>"
    );
    let older = decode(&[0x02, 0x9F, 0x53, 0x6A, 0x00, 0x2D]);
    assert_eq!(
        (older.name(), older.namespace()),
        ("SyncML", "SYNCML:SYNCML1.1")
    );
}

#[test]
fn the_type_may_be_told_as_text_or_not_at_all() {
    let mut named = vec![0x03, 0x00, 0x02, 0x6A];
    let id = b"..-//syncml//dtd syncml 1.2//en\0";
    named.push(id.len() as u8);
    named.extend_from_slice(id);
    named.push(0x2D);
    assert_eq!(decode(&named).namespace(), "SYNCML:SYNCML1.2");
    assert_eq!(decode(&[0x03, 0x01, 0x6A, 0x00, 0x2D]).name(), "SyncML");
    assert_eq!(
        decode(&[0x03, 0x01, 0x6A, 0x00, 0x05]).name(),
        "wap-provisioningdoc"
    );
    assert_eq!(
        decode(&[0x03, 0x01, 0x6A, 0x00, 0x00, 0x02, 0x20]).name(),
        "MgmtTree"
    );
    let unknown = CodecFault::UnknownDocumentType;
    assert_eq!(fault(&[0x03, 0x01, 0x6A, 0x00, 0x3F]), (unknown, 4));
    assert_eq!(fault(&[0x03, 0x05, 0x6A, 0x00, 0x05]), (unknown, 1));
    assert_eq!(
        fault(&[0x03, 0x00, 0x00, 0x6A, 0x02, b'x', 0, 0x05]),
        (unknown, 1)
    );
    let outside = (CodecFault::BadStringReference, 1);
    assert_eq!(
        fault(&[0x03, 0x00, 0x09, 0x6A, 0x02, b'x', 0, 0x05]),
        outside
    );
    assert_eq!(
        fault(&[0x03, 0x00, 0x00, 0x6A, 0x02, b'x', b'y', 0x05]),
        outside
    );
}

#[test]
fn versions_and_character_sets_are_those_of_the_standard() {
    for version in [0x01, 0x02, 0x03] {
        assert_eq!(
            decode(&[version, 0x0B, 0x6A, 0x00, 0x05]).name(),
            "wap-provisioningdoc"
        );
    }
    for version in [0x00, 0x04, 0x13] {
        let document = [version, 0x0B, 0x6A, 0x00, 0x05];
        assert_eq!(fault(&document), (CodecFault::UnknownVersion, 0));
    }
    let with = |charset: u8, byte: u8| {
        after(
            &[0x03, 0x0B, charset, 0x00],
            &[0x45, 0x03, byte, 0x00, 0x01],
        )
    };
    assert_eq!(decode(&with(0x04, 0xE9)).text().unwrap(), "\u{E9}");
    assert_eq!(decode(&with(0x03, b'e')).text().unwrap(), "e");
    assert_eq!(decode(&with(0x00, b'e')).text().unwrap(), "e");
    assert_eq!(fault(&with(0x03, 0xE9)), (CodecFault::BadText, 6));
    assert_eq!(fault(&with(0x6A, 0xE9)), (CodecFault::BadText, 6));
    assert_eq!(
        fault(&with(0x11, b'e')),
        (CodecFault::UnsupportedCharset, 2)
    );
}

#[test]
fn every_form_of_content_is_read() {
    let header = [0x03, 0x0B, 0x6A, 0x04, b'a', b'b', b'c', 0];
    let body = [
        0x45, 0x03, b'x', 0, // inline
        0x83, 0x01, // table, "bc"
        0x02, 0x81, 0x20, // entity 160
        0xC3, 0x02, 0x00, 0xFF, // opaque
        0x03, 0, // empty
        0x43, 0x05, 0x03, b'p', b'i', 0, 0x01, // processing instruction
        0x04, 0x00, // literal "abc" without content
        0x44, 0x01, 0x01, // literal "bc" with content
        0x84, 0x02, 0x05, 0x03, b'n', 0, 0x01, // literal "c" with attributes
        0xC4, 0x02, 0x04, 0x00, 0x02, 0x41, 0x83, 0x02, 0xC3, 0x01, b'Z', 0x01,
        0x01, // with both
        0x01, 0x43, 0x05, 0x01,
    ];
    let root = decode(&after(&header, &body));
    let expected = element(
        "wap-provisioningdoc",
        &[],
        vec![
            text("xbc\u{A0}"),
            data(&[0x00, 0xFF]),
            child(element("abc", &[], vec![])),
            child(element("bc", &[], vec![])),
            child(element("c", &[("name", "n")], vec![])),
            child(element("c", &[("abc", "AcZ")], vec![])),
        ],
    );
    assert_eq!(root, expected);
}

#[test]
fn names_from_the_string_table_take_their_parents_namespace() {
    let header = [0x02, 0xA4, 0x01, 0x6A, 0x02, b'X', 0];
    let root = decode(&after(
        &header,
        &[0x6D, 0x5A, 0x00, 0x01, 0x53, 0x04, 0x00, 0x01, 0x01, 0x01],
    ));
    let meta = root.children("Meta").next().unwrap();
    let kind = meta.children("Type").next().unwrap();
    assert_eq!(
        kind.children("X").next().unwrap().namespace(),
        "syncml:metinf"
    );
}

#[test]
fn unknown_and_misplaced_tokens_are_refused_at_their_offset() {
    assert_eq!(fault(&after(&PROV, &[0x3F])), (CodecFault::UnknownTag, 4));
    assert_eq!(
        fault(&after(&PROV, &[0x45, 0x00, 0x05, 0x06])),
        (CodecFault::UnknownTag, 7)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x85, 0x60, 0x01])),
        (CodecFault::UnknownAttribute, 5)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x85, 0x05, 0xFE, 0x01])),
        (CodecFault::UnknownAttribute, 6)
    );
    assert_eq!(
        fault(&after(&SYNCML, &[0xAD, 0x05, 0x01])),
        (CodecFault::UnknownAttribute, 6)
    );
    for extension in [0x40, 0x41, 0x42, 0x80, 0x81, 0x82, 0xC0, 0xC1, 0xC2] {
        let expected = (CodecFault::UnsupportedExtension, 5);
        assert_eq!(
            fault(&after(&PROV, &[0x45, extension, 0x00, 0x01])),
            expected
        );
        let expected = (CodecFault::UnsupportedExtension, 6);
        assert_eq!(
            fault(&after(&PROV, &[0x85, 0x05, extension, 0x00, 0x01])),
            expected
        );
    }
    assert_eq!(
        fault(&after(&PROV, &[0x01])),
        (CodecFault::UnexpectedToken, 4)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x03, b'x', 0])),
        (CodecFault::UnexpectedToken, 4)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x05, 0xC3, 0x00])),
        (CodecFault::UnexpectedToken, 5)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x85, 0x05, 0x43])),
        (CodecFault::UnexpectedToken, 6)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x05, 0x06])),
        (CodecFault::TrailingData, 5)
    );
    let twice = [0x85, 0x05, 0x05, 0x01];
    assert_eq!(
        fault(&after(&PROV, &twice)),
        (CodecFault::DuplicateAttribute, 4)
    );
    assert_eq!(
        fault(&after(&PROV, &[0x45, 0x02, 0x00])),
        (CodecFault::BadCharacter, 5)
    );
    let control = [0x85, 0x05, 0x03, 0x01, 0x00, 0x01];
    assert_eq!(
        fault(&after(&PROV, &control)),
        (CodecFault::BadCharacter, 5)
    );
    let header = [0x03, 0x0B, 0x6A, 0x04, b'a', b'>', b'b', 0];
    assert_eq!(
        fault(&after(&header, &[0x04, 0x00])),
        (CodecFault::BadName, 8)
    );
}

#[test]
fn integers_that_do_not_fit_are_refused() {
    let reference = |bytes: &[u8]| after(&PROV, &[&[0x45, 0x83], bytes].concat());
    let overflow = (CodecFault::IntegerOverflow, 6);
    assert_eq!(fault(&reference(&[0x90, 0x80, 0x80, 0x80, 0x00])), overflow);
    assert_eq!(
        fault(&reference(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00])),
        overflow
    );
    let largest = [0x8F, 0xFF, 0xFF, 0xFF, 0x7F];
    assert_eq!(
        fault(&reference(&largest)),
        (CodecFault::BadStringReference, 6)
    );
    let opaque = after(&PROV, &[&[0x45, 0xC3], &largest[..]].concat());
    assert_eq!(fault(&opaque), (CodecFault::Truncated, 6));
}

#[test]
fn references_cannot_expand_beyond_the_limit() {
    // 20,000 references to a string of 60,000 bytes: more than a gigabyte from 100 kilobytes
    let mut document = vec![0x03, 0x0B, 0x6A, 0x83, 0xD4, 0x61];
    document.extend(std::iter::repeat_n(b'x', 60_000));
    document.extend_from_slice(&[0, 0x45]);
    document.extend([0x83, 0x00].repeat(20_000));
    document.push(0x01);
    assert_eq!(fault(&document).0, CodecFault::TooLarge);
    let names = [document[..60_008].to_vec(), [0x04, 0x00].repeat(20_000)].concat();
    assert_eq!(fault(&names).0, CodecFault::TooLarge);
    let attributes = [0x86, 0x04, 0x00, 0x01].repeat(20_000);
    let names = [document[..60_008].to_vec(), attributes].concat();
    assert_eq!(fault(&names).0, CodecFault::TooLarge);
}

#[test]
fn depth_and_count_are_bounded() {
    let nested = |levels: usize| after(&PROV, &[vec![0x46; levels], vec![0x01; levels]].concat());
    assert!(wbxml::decode(&nested(64), Limits::default()).is_ok());
    assert_eq!(fault(&nested(65)), (CodecFault::TooDeep, 68));
    let many = after(&PROV, &[&[0x45][..], &[0x07; MAX_ELEMENTS][..]].concat());
    assert_eq!(fault(&many).0, CodecFault::TooManyElements);
    let mut attributes = vec![0x03, 0x0B, 0x6A, 0x82, 0x05];
    for number in 0..65 {
        attributes.extend_from_slice(format!("a{number:02}\0").as_bytes());
    }
    attributes.push(0);
    attributes.push(0x85);
    for number in 0u32..65 {
        attributes.push(0x04);
        let index = number * 4;
        attributes.extend_from_slice(&[0x80 | (index >> 7) as u8, (index & 0x7F) as u8]);
    }
    attributes.push(0x01);
    assert_eq!(fault(&attributes).0, CodecFault::TooManyAttributes);
}
