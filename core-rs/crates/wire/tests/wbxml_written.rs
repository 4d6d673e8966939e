//! WBXML: what is written is read back, what is changed on the way is read or refused.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use support::{child, element, in_namespace, text};
use wire::{CodecFault, Element, Limits, wbxml, xml};

const PROV: [u8; 4] = [0x03, 0x0B, 0x6A, 0x00];
const SYNCML: [u8; 5] = [0x02, 0xA4, 0x01, 0x6A, 0x00];

fn after(header: &[u8], body: &[u8]) -> Vec<u8> {
    [header, body].concat()
}

fn decode(bytes: &[u8]) -> Element {
    wbxml::decode(bytes, Limits::default()).unwrap()
}

fn example() -> Element {
    let port = element("parm", &[("name", "PORTNBR"), ("value", "443")], vec![]);
    let application = element(
        "characteristic",
        &[("type", "APPLICATION")],
        vec![
            child(element(
                "parm",
                &[("name", "APPID"), ("value", "w7")],
                vec![],
            )),
            child(element("parm", &[("name", "INIT")], vec![])),
            child(element(
                "characteristic",
                &[("type", "PORT")],
                vec![child(port)],
            )),
        ],
    );
    element(
        "wap-provisioningdoc",
        &[("version", "1.0")],
        vec![child(application)],
    )
}

#[test]
fn provisioning_documents_are_written_with_their_tokens() {
    let expected = [
        &PROV[..],
        &[0xC5, 0x46, 0x01, 0xC6, 0x00, 0x01, 0x55, 0x01],
        &[0x87, 0x36, 0x06, 0x03, b'w', b'7', 0, 0x01],
        &[0x87, 0x05, 0x03, b'I', b'N', b'I', b'T', 0, 0x01],
        &[
            0xC6, 0x53, 0x01, 0x87, 0x23, 0x06, 0x03, b'4', b'4', b'3', 0, 0x01,
        ],
        &[0x01, 0x01, 0x01],
    ]
    .concat();
    assert_eq!(wbxml::encode(&example()).unwrap(), expected);
}

#[test]
fn names_without_token_go_to_the_string_table_once() {
    let odd = || child(element("x-odd", &[("y", "1")], vec![]));
    let root = element("wap-provisioningdoc", &[], vec![odd(), odd()]);
    let written = wbxml::encode(&root).unwrap();
    assert_eq!(&written[..12], b"\x03\x0B\x6A\x08x-odd\0y\0");
    assert_eq!(decode(&written), root);
}

#[test]
fn a_management_tree_names_its_type_in_the_string_table() {
    let tree = in_namespace("MgmtTree", "syncml:dmddf1.2", &[], vec![]);
    let written = wbxml::encode(&tree).unwrap();
    assert_eq!(written[..4], [0x03, 0x00, 0x00, 0x6A]);
    assert_eq!(&written[5..32], b"-//OMA//DTD-DM-DDF 1.2//EN\0");
    assert_eq!(written[32..], [0x00, 0x02, 0x20]);
    assert_eq!(decode(&written), tree);
}

#[test]
fn meta_information_without_namespace_finds_its_page() {
    // Deployed peers leave the namespace of Meta's children out
    let kind = in_namespace("Type", "", &[], vec![text("x")]);
    let meta = in_namespace("Meta", "", &[], vec![child(kind)]);
    let root = in_namespace("SyncML", "", &[], vec![child(meta)]);
    let read = decode(&wbxml::encode(&root).unwrap());
    let meta = read.children("Meta").next().unwrap();
    assert_eq!(meta.namespace(), "SYNCML:SYNCML1.2");
    assert_eq!(
        meta.children("Type").next().unwrap().namespace(),
        "syncml:metinf"
    );
}

#[test]
fn what_has_no_binary_form_is_refused() {
    let unknown = element("html", &[], vec![]);
    assert_eq!(
        wbxml::encode(&unknown).unwrap_err().fault,
        CodecFault::UnknownDocumentType
    );
    let other = in_namespace("SyncML", "SYNCML:SYNCML1.9", &[], vec![]);
    assert_eq!(
        wbxml::encode(&other).unwrap_err().fault,
        CodecFault::UnknownDocumentType
    );
    let foreign = child(in_namespace("Type", "urn:example", &[], vec![]));
    let foreign = in_namespace("SyncML", "SYNCML:SYNCML1.2", &[], vec![foreign]);
    assert_eq!(
        wbxml::encode(&foreign).unwrap_err().fault,
        CodecFault::BadNamespace
    );
    let nul = element("wap-provisioningdoc", &[], vec![text("a\0b")]);
    assert_eq!(
        wbxml::encode(&nul).unwrap_err().fault,
        CodecFault::BadCharacter
    );
}

#[test]
fn every_prefix_of_a_document_is_refused() {
    let document = wbxml::encode(&example()).unwrap();
    for length in 0..document.len() {
        let error = wbxml::decode(&document[..length], Limits::default()).unwrap_err();
        assert!(error.offset.unwrap() <= length, "{length}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = wbxml::decode(&bytes, Limits::default());
    }

    #[test]
    fn any_body_is_read_or_refused(
        header in prop::sample::select(vec![
            PROV.to_vec(), SYNCML.to_vec(), vec![0x03, 0x01, 0x6A, 0x00],
            vec![0x03, 0x0B, 0x6A, 0x04, b'a', b'b', b'c', 0],
        ]),
        body in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..8, Just(0x45), Just(0xC6)], 0..120),
    ) {
        match wbxml::decode(&after(&header, &body), Limits::default()) {
            Ok(root) => {
                let written = wbxml::encode(&root);
                if let Ok(written) = written {
                    prop_assert_eq!(decode(&written), root);
                }
            }
            Err(error) => prop_assert!(error.offset.unwrap() <= header.len() + body.len()),
        }
    }

    #[test]
    fn what_is_written_is_read_back(root in support::any_document(true)) {
        let written = wbxml::encode(&root).unwrap();
        prop_assert_eq!(wbxml::decode(&written, Limits::default()).unwrap(), root);
    }

    #[test]
    fn a_changed_document_is_read_or_refused(
        root in support::any_document(true),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut written = wbxml::encode(&root).unwrap();
        for (at, byte) in changes {
            let at = at.index(written.len());
            written[at] = byte;
        }
        written.truncate(cut.index(written.len()) + 1);
        let _ = wbxml::decode(&written, Limits::default());
    }

    #[test]
    fn xml_and_wbxml_hold_the_same_document(root in support::any_document(false)) {
        let through_xml = xml::decode(&xml::encode(&root).unwrap(), Limits::default()).unwrap();
        let through_wbxml = decode(&wbxml::encode(&root).unwrap());
        prop_assert_eq!(through_xml, through_wbxml);
    }
}
