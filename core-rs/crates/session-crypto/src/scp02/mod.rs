//! Secure Channel Protocol 02 (GlobalPlatform Card Specification 2.3, appendix E): the host's side, in
//! the forms "i" = 15 and 55, which cards have. It is deprecated, as triple DES is: where a card speaks
//! SCP03, take that.
//!
//! Nothing here talks to a card. [`Host`] gives INITIALIZE UPDATE and takes the response, which makes
//! an [`Opening`]; that gives EXTERNAL AUTHENTICATE and takes the response, which makes a [`Session`];
//! that protects commands and opens responses.

mod handshake;
mod many;
mod session;

pub use handshake::{Host, Opening, Parameters};
pub(crate) use many::{Group, record_length, wrapped_length};
pub use session::Session;

use crate::apdu;
use crate::error::CryptoError;
use session::{CODE, HEADER};

/// What a session protects (table E-4, P1 of EXTERNAL AUTHENTICATE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Level {
    /// Commands are authenticated.
    CMac = 0x01,
    /// Commands are authenticated and encrypted.
    CMacCEnc = 0x03,
    /// Responses are authenticated, with their commands.
    RMac = 0x10,
    /// Commands and responses are authenticated.
    CMacRMac = 0x11,
    /// Commands are authenticated and encrypted, responses authenticated.
    CMacCEncRMac = 0x13,
}

impl Level {
    const fn authenticates_commands(self) -> bool {
        self as u8 & 0x01 != 0
    }

    const fn encrypts_commands(self) -> bool {
        self as u8 & 0x02 != 0
    }

    const fn authenticates_responses(self) -> bool {
        self as u8 & 0x10 != 0
    }

    /// How much data a command may have that is protected.
    const fn longest_data(self) -> usize {
        if self.encrypts_commands() {
            (255 - CODE) / 8 * 8 - 1
        } else if self.authenticates_commands() {
            255 - CODE
        } else {
            255
        }
    }

    /// How long a protected command is, from its length and those of its data and of Le.
    const fn sent(self, command: usize, data: usize, expected: usize) -> usize {
        if !self.authenticates_commands() {
            return command;
        }
        let body = if self.encrypts_commands() && data > 0 {
            (data / 8 + 1) * 8
        } else {
            data
        };
        HEADER + body + CODE + expected
    }

    /// Whether such a response has a code; an error status without data is protected by nothing.
    const fn protects_response(self, data: &[u8], status: u16) -> bool {
        self.authenticates_responses() && (!data.is_empty() || apdu::is_protected(status))
    }
}

impl TryFrom<u8> for Level {
    type Error = CryptoError;

    fn try_from(level: u8) -> Result<Self, CryptoError> {
        match level {
            0x01 => Ok(Self::CMac),
            0x03 => Ok(Self::CMacCEnc),
            0x10 => Ok(Self::RMac),
            0x11 => Ok(Self::CMacRMac),
            0x13 => Ok(Self::CMacCEncRMac),
            _ => Err(CryptoError::BadInput {
                field: "security level",
                reason: "is none of 01, 03, 10, 11, 13",
            }),
        }
    }
}
