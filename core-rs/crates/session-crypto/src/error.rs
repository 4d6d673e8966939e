//! What can be wrong. Errors name lengths and fields, never values: values may be keys.

use thiserror::Error;
use zeroize::Zeroizing;

/// An input of a wrong shape, or a check that failed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// A field of another length than its definition says.
    #[error("{field} has {actual} bytes, not {expected}")]
    WrongLength {
        /// The name of the field.
        field: &'static str,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// A field that its formula cannot take.
    #[error("{field}: {reason}")]
    BadInput {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A message authentication code or credential that does not fit, or padding that is none: one
    /// error for both, so that nobody learns which.
    #[error("the presented value does not fit")]
    BadMac,
    /// A field that would grow beyond what its length can say.
    #[error("{field} has {actual} bytes; {limit} is the most")]
    TooLong {
        /// The name of the field.
        field: &'static str,
        /// The most that fits.
        limit: usize,
        /// The length it has.
        actual: usize,
    },
    /// A step that is not due: steps are taken in their order, and none after a failed check.
    #[error("{step} is not possible: {reason}")]
    WrongState {
        /// What was asked for.
        step: &'static str,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// The card has said no.
    #[error("{command} was refused with {status:04X}")]
    Refused {
        /// The name of the command.
        command: &'static str,
        /// The status word.
        status: u16,
    },
    /// A counter that is not higher than the last one: a message played again, or out of order.
    #[error("the counter is too low")]
    CounterLow,
    /// A counter that has left out values which must not be left out.
    #[error("the counter is too high")]
    CounterHigh,
    /// A counter that has reached its end: nothing is accepted any more.
    #[error("the counter is blocked")]
    CounterBlocked,
}

impl CryptoError {
    /// The name that programs act on.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::WrongLength { .. } => "wrong_length",
            Self::BadInput { .. } => "bad_input",
            Self::BadMac => "bad_mac",
            Self::TooLong { .. } => "too_long",
            Self::WrongState { .. } => "wrong_state",
            Self::Refused { .. } => "card_refused",
            Self::CounterLow => "counter_low",
            Self::CounterHigh => "counter_high",
            Self::CounterBlocked => "counter_blocked",
        }
    }
}

/// `bytes` as an array, or an error that names the field.
pub(crate) fn array<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], CryptoError> {
    bytes.try_into().map_err(|_| CryptoError::WrongLength {
        field,
        expected: N,
        actual: bytes.len(),
    })
}

/// As [`array`], for keys: the copy is made in place and wiped on drop.
pub(crate) fn key_array<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<Zeroizing<[u8; N]>, CryptoError> {
    let mut copy = Zeroizing::new([0; N]);
    if bytes.len() != N {
        return Err(CryptoError::WrongLength {
            field,
            expected: N,
            actual: bytes.len(),
        });
    }
    copy.copy_from_slice(bytes);
    Ok(copy)
}
