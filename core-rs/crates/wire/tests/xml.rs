//! XML: well-formed documents are read, everything else is refused with its cause.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use support::{data, element, text};
use wire::{CodecFault, Element, Limits, MAX_ELEMENTS, xml};

fn decode(document: &str) -> Element {
    xml::decode(document.as_bytes(), Limits::default()).unwrap()
}

fn fault(document: &str) -> CodecFault {
    xml::decode(document.as_bytes(), Limits::default())
        .unwrap_err()
        .fault
}

#[test]
fn children_have_their_own_namespace_or_their_parents() {
    let root = decode(
        "<SyncML xmlns='SYNCML:SYNCML1.2' xmlns:m='syncml:metinf'><Meta><m:Type>x</m:Type>\
         <Format xmlns='syncml:metinf'>chr</Format></Meta></SyncML>",
    );
    let meta = root.children("Meta").next().unwrap();
    let kind = meta.children("Type").next().unwrap();
    let format = meta.children("Format").next().unwrap();
    assert_eq!(root.namespace(), "SYNCML:SYNCML1.2");
    assert_eq!(meta.namespace(), "SYNCML:SYNCML1.2");
    assert_eq!(kind.namespace(), "syncml:metinf");
    assert_eq!(format.namespace(), "syncml:metinf");
    assert_eq!(kind.text().unwrap(), "x");
}

#[test]
fn predefined_entities_and_character_references_are_text() {
    let root = decode("<a b='&lt;&#65;&quot;'>&amp;&gt;&apos;&#x20AC;<![CDATA[<&>]]>.</a>");
    assert_eq!(root.text().unwrap(), "&>'\u{20AC}<&>.");
    assert_eq!(root.attribute("b"), Some("<A\""));
}

#[test]
fn no_other_entity_is_known_and_no_document_type_is_read() {
    assert_eq!(fault("<a>&nbsp;</a>"), CodecFault::UnknownEntity);
    assert_eq!(fault("<a b='&x;'/>"), CodecFault::UnknownEntity);
    let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbb'>]><a>&b;</a>";
    assert_eq!(fault(bomb), CodecFault::DtdRefused);
    let external = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>&x;</a>";
    assert_eq!(fault(external), CodecFault::UnknownEntity);
    let named = "<?xml version='1.0' encoding='UTF-8'?>\n\
                 <!DOCTYPE SyncML PUBLIC '-//SYNCML//DTD SyncML 1.2//EN' 'x.dtd'>\n<SyncML/>\n";
    assert_eq!(decode(named).name(), "SyncML");
}

#[test]
fn indentation_is_dropped_and_text_is_kept() {
    let root = decode("<a>\n  <b> </b>\n  <c>\t x \n</c>\n</a>");
    assert_eq!(root.content().len(), 2);
    let texts: Vec<_> = ["b", "c"]
        .map(|name| root.children(name).next().unwrap().text().unwrap())
        .into();
    assert_eq!(texts, [" ", "\t x \n"]);
}

#[test]
fn line_ends_are_normalised_but_references_to_them_are_not() {
    assert_eq!(decode("<a>x\r\ny\rz</a>").text().unwrap(), "x\ny\nz");
    assert_eq!(decode("<a>x&#13;y</a>").text().unwrap(), "x\ry");
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for document in [
        "<a></b>",
        "</a>",
        "text",
        "<a b/>",
        "<a b=c/>",
        "<a b='<'/>",
        "<a>&</a>",
        "<a><!-- -- --></a>",
        "<a><!DOCTYPE b></a>",
    ] {
        assert_eq!(fault(document), CodecFault::NotWellFormed, "{document}");
    }
    for document in [
        "",
        "  ",
        "<a>",
        "<a",
        "<a>x",
        "<a><b/>",
        "<a><![CDATA[x",
        "<!--x",
    ] {
        assert_eq!(fault(document), CodecFault::Truncated, "{document}");
    }
    for document in ["<a/><b/>", "<a/>x", "<a/>&amp;", "<a/><![CDATA[]]>"] {
        assert_eq!(fault(document), CodecFault::TrailingData, "{document}");
    }
    for document in [
        "<a>\u{1}</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a b='&#1;'/>",
    ] {
        assert_eq!(fault(document), CodecFault::BadCharacter, "{document}");
    }
}

#[test]
fn names_attributes_and_namespaces_are_checked() {
    assert_eq!(fault("<a b='' b=''/>"), CodecFault::DuplicateAttribute);
    assert_eq!(fault("<1/>"), CodecFault::BadName);
    assert_eq!(fault("<a 1=''/>"), CodecFault::BadName);
    assert_eq!(fault("<p:a/>"), CodecFault::BadNamespace);
    assert_eq!(fault("<a p:b=''/>"), CodecFault::BadNamespace);
    let many: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(fault(&format!("<a{many}/>")), CodecFault::TooManyAttributes);
    let spaces: String = (0..33).map(|n| format!("<b xmlns='{n}'/>")).collect();
    assert_eq!(fault(&format!("<a>{spaces}</a>")), CodecFault::BadNamespace);
}

#[test]
fn an_element_without_a_namespace_has_its_parents() {
    let root = decode("<a xmlns='x'><b xmlns=''><c/></b></a>");
    assert_eq!(root, decode("<a xmlns='x'><b><c/></b></a>"));
    let written = xml::encode(&root).unwrap();
    assert_eq!(xml::decode(&written, Limits::default()), Ok(root));
}

#[test]
fn the_name_of_a_namespace_is_read_like_any_attribute() {
    let root = decode("<a xmlns='urn:x?a&amp;b&#x3C;'/>");
    assert_eq!(root.namespace(), "urn:x?a&b<");
    let written = xml::encode(&root).unwrap();
    assert_eq!(xml::decode(&written, Limits::default()), Ok(root));
    for (name, expected) in [
        ("a\0b", CodecFault::BadCharacter),
        ("a&#1;b", CodecFault::BadCharacter),
        ("a<b", CodecFault::NotWellFormed),
        ("a&b", CodecFault::BadCharacter),
        ("a&no;b", CodecFault::UnknownEntity),
        ("a\nb", CodecFault::BadNamespace),
    ] {
        assert_eq!(fault(&format!("<a xmlns='{name}'/>")), expected, "{name}");
    }
}

#[test]
fn attributes_of_other_namespaces_are_passed_over() {
    let document = "<a xml:lang='en' xmlns:p='urn:x' p:schemaLocation='y' b='1'/>";
    let root = xml::decode(document.as_bytes(), Limits::default()).unwrap();
    assert_eq!(root, xml::decode(b"<a b='1'/>", Limits::default()).unwrap());
}

#[test]
fn only_utf_8_is_read() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>";
    let error = xml::decode(latin, Limits::default()).unwrap_err();
    assert_eq!(
        (error.fault, error.offset),
        (CodecFault::UnsupportedCharset, Some(0))
    );
    let error = xml::decode(b"<a>\xE9</a>", Limits::default()).unwrap_err();
    assert_eq!((error.fault, error.offset), (CodecFault::BadText, Some(3)));
    assert_eq!(decode("\u{FEFF}<a/>").name(), "a");
    assert_eq!(
        fault("<?xml version='1.1'?><a/>"),
        CodecFault::UnknownVersion
    );
}

#[test]
fn depth_size_and_count_are_bounded() {
    let nested = |levels: usize| "<a>".repeat(levels) + &"</a>".repeat(levels);
    assert!(xml::decode(nested(64).as_bytes(), Limits::default()).is_ok());
    let error = xml::decode(nested(65).as_bytes(), Limits::default()).unwrap_err();
    assert_eq!(
        (error.fault, error.offset),
        (CodecFault::TooDeep, Some(192))
    );
    let open = Limits {
        max_depth: usize::MAX,
        max_bytes: usize::MAX,
    };
    assert!(xml::decode(nested(256).as_bytes(), open).is_ok());
    let error = xml::decode(nested(257).as_bytes(), open).unwrap_err();
    assert_eq!(error.fault, CodecFault::TooDeep);
    let error = xml::decode("<a>".repeat(1_000_000).as_bytes(), open).unwrap_err();
    assert_eq!(error.fault, CodecFault::TooDeep);
    let small = Limits {
        max_depth: 64,
        max_bytes: 10,
    };
    let error = xml::decode(b"<a>1234567</a>", small).unwrap_err();
    assert_eq!(
        (error.fault, error.offset),
        (CodecFault::TooLarge, Some(10))
    );
    let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
    assert_eq!(fault(&many), CodecFault::TooManyElements);
}

#[test]
fn what_is_written_needs_no_trust_in_its_source() {
    let root = element("a", &[("n", "\"<&'\n\t\r>")], vec![text("]]>&<\r\n\"")]);
    let written = String::from_utf8(xml::encode(&root).unwrap()).unwrap();
    assert_eq!(
        written,
        "<a n=\"&quot;&lt;&amp;'&#10;&#9;&#13;&gt;\">]]&gt;&amp;&lt;&#13;\n\"</a>"
    );
    assert_eq!(decode(&written), root);
    for name in ["", "a b", "a>", "1", "-", "a:b", "a\0", "\u{B7}"] {
        let refused = Element::new(name.to_owned(), "", vec![], vec![]);
        assert_eq!(refused.unwrap_err().fault, CodecFault::BadName, "{name}");
    }
    let control = element("a", &[], vec![text("\u{1}")]);
    assert_eq!(
        xml::encode(&control).unwrap_err().fault,
        CodecFault::BadCharacter
    );
}

#[test]
fn binary_content_is_written_only_where_it_is_text() {
    let root = element("a", &[], vec![data(b"caf\xC3\xA9")]);
    assert_eq!(xml::encode(&root).unwrap(), "<a>caf\u{e9}</a>".as_bytes());
    for bytes in [&[0xFF][..], &[0x00], &[0x03, 0x0B, 0x6A]] {
        let root = element("a", &[], vec![data(bytes)]);
        assert_eq!(
            xml::encode(&root).unwrap_err().fault,
            CodecFault::BinaryContent
        );
    }
}

#[test]
fn elements_deeper_than_the_model_allows_cannot_be_made() {
    let mut root = element("a", &[], vec![]);
    for _ in 1..wire::MAX_DEPTH {
        root = element("a", &[], vec![support::child(root)]);
    }
    let deeper = Element::new("a", "", vec![], vec![support::child(root)]);
    assert_eq!(deeper.unwrap_err().fault, CodecFault::TooDeep);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = xml::decode(&data, Limits::default());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[<>/a-c!?&;\\[\\]\"'= x:#0-9-]{0,80}") {
        if let Ok(root) = xml::decode(text.as_bytes(), Limits::default()) {
            let written = xml::encode(&root).unwrap();
            prop_assert_eq!(xml::decode(&written, Limits::default()).unwrap(), root);
        }
    }

    #[test]
    fn what_is_written_is_read_back(root in support::any_document(false)) {
        let written = xml::encode(&root).unwrap();
        prop_assert_eq!(xml::decode(&written, Limits::default()).unwrap(), root);
    }
}
