//! The security parameter indicator (TS 102 225 §5.1.1, TS 31.115 §4.2).

use crate::error::CryptoError;

/// What guards a packet against change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Check {
    /// Nothing.
    #[default]
    None = 0,
    /// A redundancy check: against mistakes.
    Redundancy = 1,
    /// A cryptographic checksum: against anybody without the key.
    Cryptographic = 2,
    /// A digital signature, for which the standard has no algorithm: packets with it are refused.
    Signature = 3,
}

/// What the receiver of a command does with its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CounterMode {
    /// There is none.
    #[default]
    None = 0,
    /// It is there, and not looked at.
    Unchecked = 1,
    /// It must be higher than the last one.
    Higher = 2,
    /// It must be higher than the last one by one.
    Next = 3,
}

/// When the receiver of a command answers with a proof of receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Receipt {
    /// Never.
    #[default]
    Never = 0,
    /// Always.
    Always = 1,
    /// When it could not do what the command wants.
    OnError = 2,
}

/// How a command is secured, and how its answer shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spi {
    /// What guards the command.
    pub check: Check,
    /// Whether the command is encrypted.
    pub ciphered: bool,
    /// What its counter means.
    pub counter: CounterMode,
    /// Whether a proof of receipt shall come.
    pub receipt: Receipt,
    /// What shall guard it.
    pub receipt_check: Check,
    /// Whether it shall be encrypted.
    pub receipt_ciphered: bool,
    /// Whether it shall come in a message of its own (SMS-SUBMIT), not in the delivery report.
    pub receipt_by_submit: bool,
}

impl Spi {
    /// The two bytes of a packet.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        let command = self.check as u8 | (self.ciphered as u8) << 2 | (self.counter as u8) << 3;
        let receipt = self.receipt as u8
            | (self.receipt_check as u8) << 2
            | (self.receipt_ciphered as u8) << 4
            | (self.receipt_by_submit as u8) << 5;
        [command, receipt]
    }
}

impl TryFrom<[u8; 2]> for Spi {
    type Error = CryptoError;

    fn try_from([command, receipt]: [u8; 2]) -> Result<Self, CryptoError> {
        let reserved = |reason| CryptoError::BadInput {
            field: "SPI",
            reason,
        };
        if command & 0xE0 != 0 || receipt & 0xC0 != 0 {
            return Err(reserved("has reserved bits set"));
        }
        Ok(Self {
            check: Check::of_bits(command),
            ciphered: command & 0x04 != 0,
            counter: match command >> 3 & 3 {
                0 => CounterMode::None,
                1 => CounterMode::Unchecked,
                2 => CounterMode::Higher,
                _ => CounterMode::Next,
            },
            receipt: match receipt & 3 {
                0 => Receipt::Never,
                1 => Receipt::Always,
                2 => Receipt::OnError,
                _ => return Err(reserved("has a reserved value for the proof of receipt")),
            },
            receipt_check: Check::of_bits(receipt >> 2),
            receipt_ciphered: receipt & 0x10 != 0,
            receipt_by_submit: receipt & 0x20 != 0,
        })
    }
}

impl Check {
    const fn of_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Redundancy,
            2 => Self::Cryptographic,
            _ => Self::Signature,
        }
    }
}
