//! Elements for tests: short constructors, and strategies for whole documents.
#![allow(clippy::unwrap_used, dead_code)] // a test fails by panicking; no test uses all of it

use std::sync::Arc;

use proptest::prelude::*;
use wire::{Attribute, Content, Element};

pub fn element(name: &str, attributes: &[(&str, &str)], content: Vec<Content>) -> Element {
    in_namespace(name, "", attributes, content)
}

pub fn in_namespace(
    name: &str,
    namespace: &str,
    attributes: &[(&str, &str)],
    content: Vec<Content>,
) -> Element {
    let attributes = attributes.iter().map(|(name, value)| Attribute {
        name: (*name).to_owned().into(),
        value: (*value).to_owned(),
    });
    Element::new(name.to_owned(), namespace, attributes.collect(), content).unwrap()
}

pub fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

pub fn data(data: &[u8]) -> Content {
    Content::Data(data.to_owned())
}

pub fn child(element: Element) -> Content {
    Content::Element(Arc::new(element))
}

/// A provisioning document, or a message with meta information and management trees.
pub fn any_document(with_data: bool) -> impl Strategy<Value = Element> {
    prop_oneof![provisioning(), message(with_data)]
}

fn provisioning() -> impl Strategy<Value = Element> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "NAME",
            "APPID",
            "ADDR",
            "AAUTHTYPE",
            "TO-NAPID",
            "BEARER"
        ])
        .prop_map(str::to_owned),
        "[A-Z-]{1,8}",
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "w7",
            "",
            "BASIC",
            "HTTP-BASIC,DIGEST",
            "GSM-GPRS",
            "IPV4"
        ])
        .prop_map(str::to_owned),
        characters(),
    ];
    let parm = (name.clone(), prop::option::of(value)).prop_map(|(name, value)| {
        let mut attributes = vec![("name", name.as_str())];
        attributes.extend(value.as_deref().map(|value| ("value", value)));
        element("parm", &attributes, vec![])
    });
    let kinds = vec!["APPLICATION", "APPADDR", "NAPDEF", "PORT", "X"];
    let tree = parm.prop_recursive(4, 40, 6, move |inner| {
        let kind = prop::sample::select(kinds.clone());
        (kind, prop::collection::vec(inner, 0..6)).prop_map(|(kind, inside)| {
            let inside = inside.into_iter().map(child).collect();
            element("characteristic", &[("type", kind)], inside)
        })
    });
    prop::collection::vec(tree, 0..5).prop_map(|inside| {
        let inside = inside.into_iter().map(child).collect();
        element("wap-provisioningdoc", &[("version", "1.0")], inside)
    })
}

fn message(with_data: bool) -> impl Strategy<Value = Element> {
    let names = vec![
        ("Item", "SYNCML:SYNCML1.2"),
        ("Data", "SYNCML:SYNCML1.2"),
        ("Vendor.x-1", ""),
        ("Meta", "SYNCML:SYNCML1.2"),
        ("Type", "syncml:metinf"),
        ("Format", "syncml:metinf"),
        ("MgmtTree", "syncml:dmddf1.2"),
        ("Node", "syncml:dmddf1.2"),
        ("node", "syncml:dmddf1.2"),
    ];
    let piece = if with_data {
        prop_oneof![
            characters().prop_map(|t| text(&t)),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|d| data(&d)),
        ]
        .boxed()
    } else {
        characters().prop_map(|t| text(&t)).boxed()
    };
    let leaf = (prop::sample::select(names.clone()), prop::option::of(piece))
        .prop_map(|((name, space), piece)| in_namespace(name, space, &[], Vec::from_iter(piece)));
    let tree = leaf.prop_recursive(4, 40, 6, move |inner| {
        let name = prop::sample::select(names.clone());
        (name, prop::collection::vec(inner, 1..6)).prop_map(|((name, space), inside)| {
            in_namespace(name, space, &[], inside.into_iter().map(child).collect())
        })
    });
    prop::collection::vec(tree, 0..5).prop_map(|inside| {
        let inside = inside.into_iter().map(child).collect();
        in_namespace("SyncML", "SYNCML:SYNCML1.2", &[], inside)
    })
}

/// Any text that XML allows.
fn characters() -> impl Strategy<Value = String> {
    "[ -~\t\n\r\u{A0}-\u{2FF}\u{4E00}-\u{4EFF}\u{1F600}-\u{1F64F}]{0,12}"
}
