//! The binary form (WAP-192-WBXML, versions 1.1 to 1.3).
//!
//! Document types: PROV 1.0 (client provisioning), SyncML 1.1 and 1.2 with meta information on code
//! page 1 and management tree data on code page 2, and DM DDF 1.2 (management tree data by itself).

mod cursor;
mod decode;
mod encode;
mod tables;

pub use decode::decode;
pub use encode::encode;

/// Global tokens (WAP-192 §7.1).
mod token {
    pub(super) const SWITCH_PAGE: u8 = 0x00;
    pub(super) const END: u8 = 0x01;
    pub(super) const ENTITY: u8 = 0x02;
    pub(super) const STR_I: u8 = 0x03;
    pub(super) const LITERAL: u8 = 0x04;
    pub(super) const EXT_I_0: u8 = 0x40;
    pub(super) const EXT_I_2: u8 = 0x42;
    pub(super) const PI: u8 = 0x43;
    pub(super) const EXT_T_0: u8 = 0x80;
    pub(super) const EXT_T_2: u8 = 0x82;
    pub(super) const STR_T: u8 = 0x83;
    pub(super) const EXT_0: u8 = 0xC0;
    pub(super) const EXT_2: u8 = 0xC2;
    pub(super) const OPAQUE: u8 = 0xC3;

    /// In a tag: attributes follow (§5.8.2).
    pub(super) const WITH_ATTRIBUTES: u8 = 0x80;
    /// In a tag: content follows (§5.8.2).
    pub(super) const WITH_CONTENT: u8 = 0x40;
}

/// Character sets by their IANA MIBenum (WAP-192 §5.5).
mod charset {
    pub(super) const UNKNOWN: u32 = 0;
    pub(super) const US_ASCII: u32 = 3;
    pub(super) const ISO_8859_1: u32 = 4;
    pub(super) const UTF_8: u32 = 106;
}
