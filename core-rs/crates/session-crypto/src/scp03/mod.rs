//! Secure Channel Protocol 03 (GlobalPlatform Card Specification, Amendment D): the host's side.
//!
//! Nothing here talks to a card. [`Host`] gives INITIALIZE UPDATE and takes the response, which makes
//! an [`Opening`]; that gives EXTERNAL AUTHENTICATE and takes the response, which makes a [`Session`];
//! that protects commands and opens responses.

mod handshake;
mod kdf;
mod session;

pub use handshake::{Host, Opening, Parameters};
pub use kdf::card_challenge;
pub use session::Session;

use crate::error::CryptoError;

/// What a session protects (Amendment D §7.1.2.1, P1 of EXTERNAL AUTHENTICATE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Level {
    /// Commands are authenticated.
    CMac = 0x01,
    /// Commands are authenticated and encrypted.
    CMacCEnc = 0x03,
    /// Commands and responses are authenticated.
    CMacRMac = 0x11,
    /// Commands are authenticated and encrypted, responses authenticated.
    CMacCEncRMac = 0x13,
    /// Commands and responses are authenticated and encrypted.
    CMacCEncRMacREnc = 0x33,
}

/// What the encryption counter does at a command without data. Amendment D §6.2.6 says that it
/// advances; there are cards on which it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataLessCounter {
    /// It advances.
    #[default]
    Advances,
    /// It stands still.
    Stands,
}

/// The size of challenges, cryptograms and codes, told by the host's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    S8,
    S16,
}

impl Level {
    const fn encrypts_commands(self) -> bool {
        self as u8 & 0x02 != 0
    }

    const fn authenticates_responses(self) -> bool {
        self as u8 & 0x10 != 0
    }

    const fn encrypts_responses(self) -> bool {
        self as u8 & 0x20 != 0
    }
}

impl TryFrom<u8> for Level {
    type Error = CryptoError;

    fn try_from(level: u8) -> Result<Self, CryptoError> {
        match level {
            0x01 => Ok(Self::CMac),
            0x03 => Ok(Self::CMacCEnc),
            0x11 => Ok(Self::CMacRMac),
            0x13 => Ok(Self::CMacCEncRMac),
            0x33 => Ok(Self::CMacCEncRMacREnc),
            _ => Err(CryptoError::BadInput {
                field: "security level",
                reason: "is none of 01, 03, 11, 13, 33",
            }),
        }
    }
}

impl Mode {
    const fn length(self) -> usize {
        match self {
            Self::S8 => 8,
            Self::S16 => 16,
        }
    }
}
