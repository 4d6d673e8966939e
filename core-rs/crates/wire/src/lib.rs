//! Codecs for hostile bytes: BER-TLV, WBXML and XML. Total functions, no panics, size and depth caps.
//!
//! Whatever comes off a card or a network passes here first. Every decoder either returns a value
//! that keeps the model's invariants or an error that names the cause and the offset.

mod builder;
mod element;
mod error;
pub mod tlv;
pub mod wbxml;
pub mod xml;

pub use element::{Attribute, Content, Element, Limits, MAX_DEPTH, MAX_ELEMENTS};
pub use error::{CodecError, CodecFault, TlvError, TlvFault};
