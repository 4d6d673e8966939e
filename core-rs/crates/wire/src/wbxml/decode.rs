//! WBXML to elements.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::tables::{DocumentType, EARLY_VALUES};
use super::token;
use crate::builder::Builder;
use crate::element::{Attribute, Element, Limits, MAX_ATTRIBUTES, is_xml_character};
use crate::error::{CodecError, CodecFault};

/// The root element of a WBXML document; OPAQUE becomes binary content.
///
/// White space between child elements is dropped. Processing instructions are skipped. A document
/// that does not tell its type is recognised by its root token.
///
/// # Errors
/// A fault with its offset.
pub fn decode(data: &[u8], limits: Limits) -> Result<Element, CodecError> {
    let mut decoder = Decoder {
        builder: Builder::new(limits, data)?,
        cursor: Cursor::new(data),
        document: None,
        tag_page: 0,
        attribute_page: 0,
    };
    decoder.header()?;
    decoder.body()?;
    decoder.builder.finish(data.len())
}

struct Decoder<'a> {
    builder: Builder,
    cursor: Cursor<'a>,
    document: Option<&'static DocumentType>,
    tag_page: u8,
    attribute_page: u8,
}

impl<'a> Decoder<'a> {
    /// `version publicid charset strtbl` (WAP-192 §5.3).
    fn header(&mut self) -> Result<(), CodecError> {
        // §5.4: major version minus one, minor version. 1.0 has no character set field and no
        // OPAQUE; none of the document types here was ever defined for it.
        let version = self.cursor.byte()?;
        if !(0x01..=0x03).contains(&version) {
            return Err(CodecFault::UnknownVersion.at(0));
        }
        let at = self.cursor.offset();
        let number = self.cursor.integer()?;
        // §5.6: zero says that the identifier is in the string table
        let index = match number {
            0 => Some(self.cursor.integer()?),
            _ => None,
        };
        let charset_at = self.cursor.offset();
        let charset = self.cursor.integer()?;
        self.cursor.set_charset(charset, charset_at)?;
        self.cursor.read_table()?;
        self.document = match (number, index) {
            (_, Some(index)) => {
                let formal_id = self.cursor.string_at(index, at)?;
                let known = DocumentType::by_formal_id(&formal_id);
                Some(known.ok_or(CodecFault::UnknownDocumentType.at(at))?)
            }
            // §7.2: one says that the type is unknown or missing
            (1, None) => None,
            (number, None) => {
                let known = DocumentType::by_number(number);
                Some(known.ok_or(CodecFault::UnknownDocumentType.at(at))?)
            }
        };
        Ok(())
    }

    fn body(&mut self) -> Result<(), CodecError> {
        while !self.cursor.is_at_end() {
            let at = self.cursor.offset();
            let byte = self.cursor.byte()?;
            match byte {
                token::SWITCH_PAGE => self.tag_page = self.cursor.byte()?,
                token::END => self.builder.close(at)?,
                token::ENTITY => {
                    let character = self.entity(at)?;
                    self.builder.text(character.encode_utf8(&mut [0; 4]), at)?;
                }
                token::STR_I => {
                    let text = self.cursor.inline_string()?;
                    self.builder.text(&text, at)?;
                }
                token::STR_T => {
                    let text = self.cursor.table_string()?;
                    self.builder.text(&text, at)?;
                }
                token::OPAQUE => {
                    let data = self.cursor.opaque()?;
                    self.builder.data(data, at)?;
                }
                token::PI => self.instruction(at)?,
                token::EXT_I_0..=token::EXT_I_2
                | token::EXT_T_0..=token::EXT_T_2
                | token::EXT_0..=token::EXT_2 => {
                    return Err(CodecFault::UnsupportedExtension.at(at));
                }
                tag => self.element(tag, at)?,
            }
        }
        Ok(())
    }

    fn element(&mut self, tag: u8, at: usize) -> Result<(), CodecError> {
        let code = tag & !(token::WITH_ATTRIBUTES | token::WITH_CONTENT);
        let (name, namespace) = if code == token::LITERAL {
            let name = self.cursor.table_string()?;
            (Cow::Owned(name.into_owned()), self.literal_namespace())
        } else {
            let document = self
                .document
                .or_else(|| DocumentType::by_root_token(self.tag_page, code))
                .ok_or(CodecFault::UnknownDocumentType.at(at))?;
            self.document = Some(document);
            let (name, namespace) = document
                .tag(self.tag_page, code)
                .ok_or(CodecFault::UnknownTag.at(at))?;
            (Cow::Borrowed(name), Cow::Borrowed(namespace))
        };
        let attributes = if tag & token::WITH_ATTRIBUTES == 0 {
            Vec::new()
        } else {
            self.attributes()?
        };
        self.builder.open(name, &namespace, attributes, at)?;
        if tag & token::WITH_CONTENT == 0 {
            self.builder.close(at)?;
        }
        Ok(())
    }

    /// A name from the string table belongs to no code page: it takes its parent's namespace.
    fn literal_namespace(&self) -> Cow<'static, str> {
        match (self.builder.namespace(), self.document) {
            (Some(namespace), _) => Cow::Owned(namespace.to_owned()),
            (None, Some(document)) => Cow::Borrowed(document.namespace()),
            (None, None) => Cow::Borrowed(""),
        }
    }

    /// Attributes up to their END (WAP-192 §5.8.3).
    fn attributes(&mut self) -> Result<Vec<Attribute>, CodecError> {
        let mut attributes = Vec::new();
        loop {
            let at = self.cursor.offset();
            match self.cursor.byte()? {
                token::SWITCH_PAGE => self.attribute_page = self.cursor.byte()?,
                token::END => return Ok(attributes),
                byte => {
                    if attributes.len() >= MAX_ATTRIBUTES {
                        return Err(CodecFault::TooManyAttributes.at(at));
                    }
                    attributes.push(self.attribute(byte, at)?);
                }
            }
        }
    }

    fn attribute(&mut self, start: u8, at: usize) -> Result<Attribute, CodecError> {
        let (name, first) = match start {
            token::LITERAL => {
                let name = self.cursor.table_string()?;
                self.builder.spend(name.len(), at)?;
                (Cow::Owned(name.into_owned()), "")
            }
            _ => {
                let known = self
                    .document
                    .filter(|_| start < 0x80)
                    .and_then(|document| document.attribute(self.attribute_page, start))
                    .ok_or(CodecFault::UnknownAttribute.at(at))?;
                (Cow::Borrowed(known.name), known.value.unwrap_or_default())
            }
        };
        let mut value = first.to_owned();
        let mut early = false;
        while let Some(part) = self.value_part(&mut early)? {
            self.builder.spend(part.len(), at)?;
            value.push_str(&part);
        }
        if !value.chars().all(is_xml_character) {
            return Err(CodecFault::BadCharacter.at(at));
        }
        Ok(Attribute { name, value })
    }

    /// The next part of an attribute value; `None` before the token that ends it.
    fn value_part(&mut self, early: &mut bool) -> Result<Option<Cow<'a, str>>, CodecError> {
        loop {
            let at = self.cursor.offset();
            let Some(byte) = self.cursor.peek() else {
                return Err(CodecFault::Truncated.at(at));
            };
            // A page switch may stand before a value part as well as before the next attribute
            if byte == token::SWITCH_PAGE {
                self.cursor.byte()?;
                self.attribute_page = self.cursor.byte()?;
                continue;
            }
            if byte == token::END || byte == token::LITERAL || (0x05..0x40).contains(&byte) {
                return Ok(None);
            }
            if let Some(text) = self.early_value(byte, *early) {
                self.cursor.byte()?;
                *early = true;
                return Ok(Some(Cow::Borrowed(text)));
            }
            let part = match byte {
                token::ENTITY => {
                    self.cursor.byte()?;
                    Cow::Owned(self.entity(at)?.to_string())
                }
                token::STR_I => {
                    self.cursor.byte()?;
                    self.cursor.inline_string()?
                }
                token::STR_T => {
                    self.cursor.byte()?;
                    self.cursor.table_string()?
                }
                token::OPAQUE => {
                    self.cursor.byte()?;
                    let bytes = self.cursor.opaque()?;
                    self.cursor.text(bytes, at)?
                }
                token::EXT_I_0..=token::EXT_I_2
                | token::EXT_T_0..=token::EXT_T_2
                | token::EXT_0..=token::EXT_2 => {
                    return Err(CodecFault::UnsupportedExtension.at(at));
                }
                token::PI => return Err(CodecFault::UnexpectedToken.at(at)),
                0x00..0x80 => return Ok(None),
                value => {
                    self.cursor.byte()?;
                    let text = self
                        .document
                        .and_then(|document| document.value(self.attribute_page, value))
                        .ok_or(CodecFault::UnknownAttribute.at(at))?;
                    Cow::Borrowed(text)
                }
            };
            return Ok(Some(part));
        }
    }

    /// A value token of the early provisioning tables, which collide with global tokens.
    ///
    /// 80 to 82 are extension tokens, which provisioning documents have none of. 83 is a string
    /// table reference, unless there is no table or another early token went before it.
    fn early_value(&self, byte: u8, after_early: bool) -> Option<&'static str> {
        let document = self.document?;
        if document.attributes.is_empty() || self.attribute_page != 1 {
            return None;
        }
        if byte == token::STR_T && self.cursor.has_table() && !after_early {
            return None;
        }
        let entry = EARLY_VALUES.iter().find(|entry| entry.0 == byte)?;
        Some(entry.1)
    }

    /// A processing instruction: an attribute, with END; nothing here uses one (WAP-192 §5.8.4.4).
    fn instruction(&mut self, at: usize) -> Result<(), CodecError> {
        let start = self.cursor.byte()?;
        self.attribute(start, at)?;
        match self.cursor.byte()? {
            token::END => Ok(()),
            _ => Err(CodecFault::UnexpectedToken.at(at)),
        }
    }

    fn entity(&mut self, at: usize) -> Result<char, CodecError> {
        let code = self.cursor.integer()?;
        char::from_u32(code)
            .filter(|&character| is_xml_character(character))
            .ok_or(CodecFault::BadCharacter.at(at))
    }
}
