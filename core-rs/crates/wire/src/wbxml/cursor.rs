//! Bytes, integers and strings of a WBXML document, each read with its bounds checked.

use std::borrow::Cow;

use super::charset;
use crate::error::{CodecError, CodecFault};

/// A place in the document, with what its strings need: character set and string table.
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    charset: u32,
    table: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            charset: charset::UTF_8,
            table: &[],
        }
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    pub(super) const fn has_table(&self) -> bool {
        !self.table.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self
            .data
            .get(self.at)
            .ok_or(CodecFault::Truncated.at(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    /// A multi-byte integer: seven bits a byte, high bit set on all but the last (WAP-192 §5.1).
    pub(super) fn integer(&mut self) -> Result<u32, CodecError> {
        let start = self.at;
        let mut value: u32 = 0;
        loop {
            let byte = self.byte()?;
            if value > u32::MAX >> 7 {
                return Err(CodecFault::IntegerOverflow.at(start));
            }
            value = (value << 7) | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            // Five bytes carry 32 bits; leading zero groups must not go on for ever
            if self.at - start >= 5 {
                return Err(CodecFault::IntegerOverflow.at(start));
            }
        }
    }

    pub(super) fn set_charset(&mut self, mib: u32, offset: usize) -> Result<(), CodecError> {
        self.charset = match mib {
            // §5.5: unknown; the transport would tell, and everything here is UTF-8 there
            charset::UNKNOWN => charset::UTF_8,
            charset::UTF_8 | charset::US_ASCII | charset::ISO_8859_1 => mib,
            _ => return Err(CodecFault::UnsupportedCharset.at(offset)),
        };
        Ok(())
    }

    /// Reads the string table: its length, then its bytes (§5.7).
    pub(super) fn read_table(&mut self) -> Result<(), CodecError> {
        self.table = self.opaque()?;
        Ok(())
    }

    /// A length and that many bytes (§5.8.4.6).
    pub(super) fn opaque(&mut self) -> Result<&'a [u8], CodecError> {
        let start = self.at;
        let length = self.integer()? as usize;
        let bytes = self
            .at
            .checked_add(length)
            .and_then(|end| self.data.get(self.at..end))
            .ok_or(CodecFault::Truncated.at(start))?;
        self.at += length;
        Ok(bytes)
    }

    /// A string up to its NUL byte (§5.8.4.1).
    pub(super) fn inline_string(&mut self) -> Result<Cow<'a, str>, CodecError> {
        let start = self.at;
        let rest = self.data.get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(CodecFault::Truncated.at(start))?;
        self.at += length + 1;
        self.text(&rest[..length], start)
    }

    /// An index into the string table, and the string there (§5.8.4.1).
    pub(super) fn table_string(&mut self) -> Result<Cow<'a, str>, CodecError> {
        let start = self.at;
        let index = self.integer()?;
        self.string_at(index, start)
    }

    /// The string at an index of the string table.
    pub(super) fn string_at(&self, index: u32, blame: usize) -> Result<Cow<'a, str>, CodecError> {
        let rest = self
            .table
            .get(index as usize..)
            .ok_or(CodecFault::BadStringReference.at(blame))?;
        let length = rest
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(CodecFault::BadStringReference.at(blame))?;
        self.text(&rest[..length], blame)
    }

    /// Bytes as text in the document's character set.
    pub(super) fn text(&self, bytes: &'a [u8], blame: usize) -> Result<Cow<'a, str>, CodecError> {
        let text = match self.charset {
            charset::ISO_8859_1 => {
                return Ok(bytes.iter().map(|&byte| char::from(byte)).collect());
            }
            charset::US_ASCII if !bytes.is_ascii() => None,
            _ => std::str::from_utf8(bytes).ok(),
        };
        text.map(Cow::Borrowed).ok_or(CodecFault::BadText.at(blame))
    }
}
