//! What can be wrong with the bytes, and where.

use std::fmt;

use thiserror::Error;

/// Why a BER-TLV could not be read or written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlvFault {
    /// The data ends inside a tag, a length or a value.
    #[error("the data ends inside an object")]
    Truncated,
    /// A tag of more than four bytes, or one that is not well formed.
    #[error("not a tag of one to four bytes")]
    BadTag,
    /// A length of more than four bytes, or the indefinite form.
    #[error("not a definite length of up to four bytes")]
    BadLength,
    /// More levels of constructed objects than allowed.
    #[error("nested too deeply")]
    TooDeep,
    /// More objects than any card file holds.
    #[error("too many objects")]
    TooMany,
    /// A value longer than four length bytes can tell.
    #[error("the value is too long")]
    TooLong,
}

impl TlvFault {
    /// The name that programs act on.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadTag => "bad_tag",
            Self::BadLength => "bad_length",
            Self::TooDeep => "too_deep",
            Self::TooMany => "too_many_objects",
            Self::TooLong => "too_long",
        }
    }
}

/// A fault in BER-TLV data at a byte offset.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("BER-TLV: {fault} (offset {offset})")]
pub struct TlvError {
    /// What is wrong.
    pub fault: TlvFault,
    /// Where the object, tag or length in question starts.
    pub offset: usize,
}

/// Why a document could not be read or written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecFault {
    /// The data ends too early.
    #[error("the document ends too early")]
    Truncated,
    /// More bytes than allowed, in the document or in what it expands to.
    #[error("the document is too large")]
    TooLarge,
    /// More nested elements than allowed.
    #[error("elements are nested too deeply")]
    TooDeep,
    /// More elements than allowed.
    #[error("too many elements")]
    TooManyElements,
    /// More attributes in one element than allowed.
    #[error("too many attributes")]
    TooManyAttributes,
    /// A multi-byte integer that does not fit 32 bits.
    #[error("an integer does not fit 32 bits")]
    IntegerOverflow,
    /// A WBXML version that is not 1.1 to 1.3.
    #[error("not WBXML 1.1 to 1.3 or XML 1.0")]
    UnknownVersion,
    /// A document type without token tables here.
    #[error("an unknown document type")]
    UnknownDocumentType,
    /// A character set other than UTF-8, US-ASCII and ISO-8859-1.
    #[error("an unsupported character set")]
    UnsupportedCharset,
    /// Bytes that are not text in the character set of the document.
    #[error("bytes that are not text in the document's character set")]
    BadText,
    /// A character that XML does not allow.
    #[error("a character that XML does not allow")]
    BadCharacter,
    /// A reference outside the string table, or an unterminated string there.
    #[error("a bad string table reference")]
    BadStringReference,
    /// A tag token that the document type does not define.
    #[error("an unknown tag token")]
    UnknownTag,
    /// An attribute token that the document type does not define.
    #[error("an unknown attribute token")]
    UnknownAttribute,
    /// A token that is not allowed at its place.
    #[error("an unexpected token")]
    UnexpectedToken,
    /// An extension token; none of the document types known here defines one.
    #[error("an extension token that the document type does not define")]
    UnsupportedExtension,
    /// An element or attribute name that XML does not allow.
    #[error("a name that XML does not allow")]
    BadName,
    /// Two attributes of one name in an element.
    #[error("an attribute occurs twice")]
    DuplicateAttribute,
    /// XML that is not well formed.
    #[error("not well-formed XML")]
    NotWellFormed,
    /// An internal document type subset: it could declare entities.
    #[error("an internal document type subset is not accepted")]
    DtdRefused,
    /// A reference to an entity that XML does not predefine.
    #[error("an entity that XML does not predefine")]
    UnknownEntity,
    /// A prefix without declaration, a prefixed attribute, or a namespace taken back.
    #[error("a namespace or prefix that cannot be represented")]
    BadNamespace,
    /// Bytes after the end of the root element.
    #[error("data after the end of the document")]
    TrailingData,
    /// Binary content where only text can be.
    #[error("binary content cannot be written as text")]
    BinaryContent,
}

impl CodecFault {
    /// The name that programs act on.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::TooManyElements => "too_many_elements",
            Self::TooManyAttributes => "too_many_attributes",
            Self::IntegerOverflow => "integer_overflow",
            Self::UnknownVersion => "unknown_version",
            Self::UnknownDocumentType => "unknown_document_type",
            Self::UnsupportedCharset => "unsupported_charset",
            Self::BadText => "bad_text",
            Self::BadCharacter => "bad_character",
            Self::BadStringReference => "bad_string_reference",
            Self::UnknownTag => "unknown_tag",
            Self::UnknownAttribute => "unknown_attribute",
            Self::UnexpectedToken => "unexpected_token",
            Self::UnsupportedExtension => "unsupported_extension",
            Self::BadName => "bad_name",
            Self::DuplicateAttribute => "duplicate_attribute",
            Self::NotWellFormed => "not_well_formed",
            Self::DtdRefused => "dtd_refused",
            Self::UnknownEntity => "unknown_entity",
            Self::BadNamespace => "bad_namespace",
            Self::TrailingData => "trailing_data",
            Self::BinaryContent => "binary_content",
        }
    }

    /// This fault, found at a byte offset of the input.
    #[must_use]
    pub const fn at(self, offset: usize) -> CodecError {
        CodecError {
            fault: self,
            offset: Some(offset),
        }
    }
}

/// A fault in a document; `offset` is absent where there is no input, when encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// What is wrong.
    pub fault: CodecFault,
    /// The byte offset in the input.
    pub offset: Option<usize>,
}

impl From<CodecFault> for CodecError {
    fn from(fault: CodecFault) -> Self {
        Self {
            fault,
            offset: None,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(formatter, "{} (offset {offset})", self.fault),
            None => write!(formatter, "{}", self.fault),
        }
    }
}

impl std::error::Error for CodecError {}
