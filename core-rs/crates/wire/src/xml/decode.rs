//! XML to elements.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::escape::{EscapeError, unescape};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;

use crate::builder::Builder;
use crate::element::{Attribute, Element, Limits, MAX_ATTRIBUTES, is_xml_character};
use crate::error::{CodecError, CodecFault};

/// The root element of an XML document in UTF-8.
///
/// A document type declaration without internal subset is skipped, as are comments and processing
/// instructions. White space between child elements is dropped.
///
/// # Errors
/// A fault with its offset.
pub fn decode(data: &[u8], limits: Limits) -> Result<Element, CodecError> {
    let mut builder = Builder::new(limits, data)?;
    let without_mark = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let shift = data.len() - without_mark.len();
    let text = std::str::from_utf8(without_mark)
        .map_err(|error| CodecFault::BadText.at(shift + error.valid_up_to()))?;
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.expand_empty_elements = true;
    loop {
        let offset = shift + position(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            fault_of(&error).at(shift + position(reader.error_position()).min(text.len()))
        })?;
        match event {
            Event::Start(start) => open(&mut builder, &reader, &start, offset)?,
            Event::End(_) => builder.close(offset)?,
            Event::Text(text) => characters(&mut builder, &text.xml10_content(), offset)?,
            Event::CData(text) => {
                if builder.depth() == 0 {
                    return Err(outside(&builder).at(offset));
                }
                characters(&mut builder, &text.xml10_content(), offset)?;
            }
            Event::GeneralRef(reference) => {
                let character = resolve(&reference).map_err(|fault| fault.at(offset))?;
                if builder.depth() == 0 {
                    return Err(outside(&builder).at(offset));
                }
                characters(&mut builder, character.encode_utf8(&mut [0; 4]), offset)?;
            }
            Event::Decl(declaration) => {
                check_declaration(&declaration).map_err(|fault| fault.at(offset))?;
            }
            Event::DocType(declaration) => {
                if builder.depth() > 0 || builder.is_complete() {
                    return Err(CodecFault::NotWellFormed.at(offset));
                }
                // An internal subset is the only place where entities could come from
                if declaration.contains('[') {
                    return Err(CodecFault::DtdRefused.at(offset));
                }
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Empty(_) => return Err(CodecFault::NotWellFormed.at(offset)),
            Event::Eof => return builder.finish(offset),
        }
    }
}

fn open(
    builder: &mut Builder,
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    offset: usize,
) -> Result<(), CodecError> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => {
            namespace_name(namespace.0).map_err(|fault| fault.at(offset))?
        }
        ResolveResult::Unbound => Cow::Borrowed(""),
        ResolveResult::Unknown(_) => return Err(CodecFault::BadNamespace.at(offset)),
    };
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| fault_of(&error.into()).at(offset))?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        // XML 1.0 §3.1, well-formedness constraint: no < in attribute values
        if attribute.value.contains('<') {
            return Err(CodecFault::NotWellFormed.at(offset));
        }
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| fault_of(&error).at(offset))?;
        check_characters(&value).map_err(|fault| fault.at(offset))?;
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(CodecFault::TooManyAttributes.at(offset));
        }
        if attribute.key.prefix().is_some() {
            // xml:lang, xsi:schemaLocation, …: nothing that a document here is about
            match reader.resolver().resolve_attribute(attribute.key).0 {
                ResolveResult::Bound(_) => continue,
                _ => return Err(CodecFault::BadNamespace.at(offset)),
            }
        }
        let name = attribute.key.local_name().as_ref().to_owned();
        builder.spend(name.len() + value.len(), offset)?;
        attributes.push(Attribute {
            name: Cow::Owned(name),
            value: value.into_owned(),
        });
    }
    let name = local.as_ref().to_owned();
    builder.open(Cow::Owned(name), &namespace, attributes, offset)
}

/// The name of a namespace, which the resolver gives as it stands in its attribute.
fn namespace_name(value: &str) -> Result<Cow<'_, str>, CodecFault> {
    if value.contains('<') {
        return Err(CodecFault::NotWellFormed);
    }
    // White space that a reader would have to normalise is in no URI
    if value.contains(['\t', '\n', '\r']) {
        return Err(CodecFault::BadNamespace);
    }
    let name = unescape(value).map_err(|error| fault_of(&error.into()))?;
    check_characters(&name)?;
    Ok(name)
}

fn characters(builder: &mut Builder, text: &str, offset: usize) -> Result<(), CodecError> {
    check_characters(text).map_err(|fault| fault.at(offset))?;
    if builder.depth() > 0 {
        return builder.text(text, offset);
    }
    if text.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n')) {
        return Ok(());
    }
    Err(outside(builder).at(offset))
}

fn outside(builder: &Builder) -> CodecFault {
    if builder.is_complete() {
        CodecFault::TrailingData
    } else {
        CodecFault::NotWellFormed
    }
}

fn check_characters(text: &str) -> Result<(), CodecFault> {
    if text.chars().all(is_xml_character) {
        Ok(())
    } else {
        Err(CodecFault::BadCharacter)
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, CodecFault> {
    if reference.is_char_ref() {
        return match reference.resolve_char_ref() {
            Ok(Some(character)) if is_xml_character(character) => Ok(character),
            _ => Err(CodecFault::BadCharacter),
        };
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(CodecFault::UnknownEntity),
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), CodecFault> {
    let version = declaration
        .version()
        .map_err(|_| CodecFault::NotWellFormed)?;
    if &*version != "1.0" {
        return Err(CodecFault::UnknownVersion);
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("us-ascii") => Ok(()),
        Some(Ok(_)) => Err(CodecFault::UnsupportedCharset),
        Some(Err(_)) => Err(CodecFault::NotWellFormed),
    }
}

fn fault_of(error: &Error) -> CodecFault {
    use quick_xml::events::attributes::AttrError;
    match error {
        Error::Syntax(
            SyntaxError::UnclosedTag
            | SyntaxError::UnclosedCData
            | SyntaxError::UnclosedComment
            | SyntaxError::UnclosedPI
            | SyntaxError::UnclosedDoctype,
        )
        | Error::IllFormed(IllFormedError::MissingEndTag(_)) => CodecFault::Truncated,
        Error::InvalidAttr(AttrError::Duplicated(..)) => CodecFault::DuplicateAttribute,
        Error::Escape(EscapeError::UnrecognizedEntity(..)) => CodecFault::UnknownEntity,
        Error::Escape(_) => CodecFault::BadCharacter,
        Error::Encoding(_) => CodecFault::BadText,
        Error::Namespace(_) => CodecFault::BadNamespace,
        _ => CodecFault::NotWellFormed,
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
