//! Elements to XML.

use crate::element::{Content, Element, is_xml_character};
use crate::error::{CodecError, CodecFault};

/// The document in UTF-8, without declaration and indentation.
///
/// Binary content is written as text where it is text; XML has no other form for it.
///
/// # Errors
/// Binary content that is not text, and characters that XML does not allow.
pub fn encode(root: &Element) -> Result<Vec<u8>, CodecError> {
    let mut out = String::new();
    element(&mut out, root, "")?;
    Ok(out.into_bytes())
}

/// Recursion is bounded: no element exceeds `MAX_DEPTH`.
fn element(out: &mut String, element: &Element, outer: &str) -> Result<(), CodecError> {
    out.push('<');
    out.push_str(element.name());
    if element.namespace() != outer {
        attribute(out, "xmlns", element.namespace())?;
    }
    for item in element.attributes() {
        attribute(out, &item.name, &item.value)?;
    }
    if element.content().is_empty() {
        out.push_str("/>");
        return Ok(());
    }
    out.push('>');
    for piece in element.content() {
        match piece {
            Content::Element(child) => self::element(out, child, element.namespace())?,
            Content::Text(text) => escape(out, text, false)?,
            Content::Data(data) => {
                let text = std::str::from_utf8(data).map_err(|_| CodecFault::BinaryContent)?;
                escape(out, text, false).map_err(|_| CodecFault::BinaryContent)?;
            }
        }
    }
    out.push_str("</");
    out.push_str(element.name());
    out.push('>');
    Ok(())
}

fn attribute(out: &mut String, name: &str, value: &str) -> Result<(), CodecError> {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value, true)?;
    out.push('"');
    Ok(())
}

fn escape(out: &mut String, text: &str, in_attribute: bool) -> Result<(), CodecError> {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' if in_attribute => out.push_str("&quot;"),
            // XML 1.0 §2.11 and §3.3.3: unescaped, a reader would normalise these away
            '\r' => out.push_str("&#13;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            other if is_xml_character(other) => out.push(other),
            _ => return Err(CodecFault::BadCharacter.into()),
        }
    }
    Ok(())
}
