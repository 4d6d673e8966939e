//! Elements to WBXML.

use super::charset;
use super::tables::DocumentType;
use super::token;
use crate::element::{Attribute, Content, Element};
use crate::error::{CodecError, CodecFault};

/// The document in WBXML 1.3 and UTF-8, its type told by the root element.
///
/// Text is written inline, data as OPAQUE; names without token go to the string table.
///
/// # Errors
/// A root element of no known document type, a foreign namespace, or a NUL character in text.
pub fn encode(root: &Element) -> Result<Vec<u8>, CodecError> {
    let document = DocumentType::by_root(root.name(), root.namespace())
        .ok_or(CodecFault::UnknownDocumentType)?;
    let mut encoder = Encoder {
        document,
        body: Vec::new(),
        table: Vec::new(),
        tag_page: 0,
        attribute_page: 0,
    };
    let formal_id = match document.public_id {
        Some(_) => None,
        None => Some(encoder.table_index(document.formal_id)?),
    };
    encoder.element(root, root.namespace())?;

    let mut out = vec![0x03];
    match (document.public_id, formal_id) {
        (Some(number), _) => integer(&mut out, number),
        (None, index) => {
            out.push(0x00);
            integer(&mut out, index.unwrap_or_default());
        }
    }
    integer(&mut out, charset::UTF_8);
    integer(&mut out, length(encoder.table.len())?);
    out.append(&mut encoder.table);
    out.append(&mut encoder.body);
    Ok(out)
}

struct Encoder {
    document: &'static DocumentType,
    body: Vec<u8>,
    table: Vec<u8>,
    tag_page: u8,
    attribute_page: u8,
}

impl Encoder {
    /// Recursion is bounded: no element exceeds `MAX_DEPTH`.
    fn element(&mut self, element: &Element, outer: &str) -> Result<(), CodecError> {
        let mut flags = 0;
        if !element.attributes().is_empty() {
            flags |= token::WITH_ATTRIBUTES;
        }
        if !element.content().is_empty() {
            flags |= token::WITH_CONTENT;
        }
        let known = self
            .document
            .tag_token(element.name(), element.namespace(), self.tag_page);
        match known {
            Some((page, tag)) => {
                switch(&mut self.body, &mut self.tag_page, page);
                self.body.push(tag | flags);
            }
            // A literal belongs to no code page: a reader gives it its parent's namespace
            None if element.namespace() != outer => return Err(CodecFault::BadNamespace.into()),
            None => {
                self.body.push(token::LITERAL | flags);
                self.table_reference(element.name())?;
            }
        }
        if !element.attributes().is_empty() {
            for attribute in element.attributes() {
                self.attribute(attribute)?;
            }
            self.body.push(token::END);
        }
        if element.content().is_empty() {
            return Ok(());
        }
        for piece in element.content() {
            match piece {
                Content::Element(child) => self.element(child, element.namespace())?,
                Content::Text(text) => self.string(text)?,
                Content::Data(data) => {
                    self.body.push(token::OPAQUE);
                    integer(&mut self.body, length(data.len())?);
                    self.body.extend_from_slice(data);
                }
            }
        }
        self.body.push(token::END);
        Ok(())
    }

    fn attribute(&mut self, attribute: &Attribute) -> Result<(), CodecError> {
        let Attribute { name, value } = attribute;
        let known = self
            .document
            .attribute_token(name, value, self.attribute_page);
        match known {
            Some((page, start)) => {
                switch(&mut self.body, &mut self.attribute_page, page);
                self.body.push(start.token);
                if start.value.is_some() {
                    return Ok(());
                }
            }
            None => {
                self.body.push(token::LITERAL);
                self.table_reference(name)?;
            }
        }
        match self.document.value_tokens(value, self.attribute_page) {
            Some(tokens) => self.body.extend_from_slice(&tokens),
            None => self.string(value)?,
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), CodecError> {
        if text.contains('\0') {
            return Err(CodecFault::BadCharacter.into());
        }
        self.body.push(token::STR_I);
        self.body.extend_from_slice(text.as_bytes());
        self.body.push(0);
        Ok(())
    }

    fn table_reference(&mut self, text: &str) -> Result<(), CodecError> {
        let index = self.table_index(text)?;
        integer(&mut self.body, index);
        Ok(())
    }

    /// The index of a string in the string table, where it is put if it is not there yet.
    fn table_index(&mut self, text: &str) -> Result<u32, CodecError> {
        let mut at = 0;
        for entry in self.table.split_inclusive(|&byte| byte == 0) {
            if entry.strip_suffix(&[0]) == Some(text.as_bytes()) {
                return length(at);
            }
            at += entry.len();
        }
        self.table.extend_from_slice(text.as_bytes());
        self.table.push(0);
        length(at)
    }
}

fn switch(body: &mut Vec<u8>, current: &mut u8, page: u8) {
    if *current != page {
        body.extend_from_slice(&[token::SWITCH_PAGE, page]);
        *current = page;
    }
}

/// A multi-byte integer (WAP-192 §5.1).
fn integer(out: &mut Vec<u8>, value: u32) {
    for shift in [28, 21, 14, 7] {
        if value >> shift != 0 {
            out.push(0x80 | (value >> shift) as u8 & 0x7F);
        }
    }
    out.push(value as u8 & 0x7F);
}

fn length(length: usize) -> Result<u32, CodecError> {
    u32::try_from(length).map_err(|_| CodecFault::TooLarge.into())
}
