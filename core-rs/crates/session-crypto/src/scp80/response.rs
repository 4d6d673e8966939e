//! Response packets, the proofs of receipt (TS 102 225 §5.2; TS 31.115 §4.3).

use zeroize::Zeroizing;

use super::keys::KeySet;
use super::seal::Protection;
use super::spi::Spi;
use crate::error::{CryptoError, array};

/// RPL, RHL, TAR.
const CLEAR: usize = 6;
/// The check of a response begins with the user data header that marks it (TS 31.115 §4.3).
const PREFIX: [u8; 3] = [0x02, 0x71, 0x00];

/// A response packet, verified and decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The application that answers.
    pub tar: [u8; 3],
    /// The counter of the command that is answered.
    pub counter: u64,
    /// What became of the command.
    pub status: Status,
    /// What the application has to say.
    pub data: Vec<u8>,
}

/// The response status code (TS 102 225 table 5, TS 31.115 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    /// The command was received.
    pub const OK: Self = Self(0x00);
    /// Its check did not fit.
    pub const CHECK_FAILED: Self = Self(0x01);
    /// Its counter was too low.
    pub const COUNTER_LOW: Self = Self(0x02);
    /// Its counter was too high.
    pub const COUNTER_HIGH: Self = Self(0x03);
    /// The counter has come to its end.
    pub const COUNTER_BLOCKED: Self = Self(0x04);
    /// It could not be decrypted.
    pub const CIPHERING_ERROR: Self = Self(0x05);
    /// Some other failure of security.
    pub const SECURITY_ERROR: Self = Self(0x06);
    /// The card has too little memory for it.
    pub const INSUFFICIENT_MEMORY: Self = Self(0x07);
    /// The card needs more time.
    pub const MORE_TIME: Self = Self(0x08);
    /// The card has no such application.
    pub const TAR_UNKNOWN: Self = Self(0x09);
    /// The application wants more security.
    pub const INSUFFICIENT_SECURITY: Self = Self(0x0A);
    /// The answer follows in a message of its own.
    pub const BY_SUBMIT: Self = Self(0x0B);
    /// The answer follows as USSD.
    pub const BY_USSD: Self = Self(0x0C);
}

impl KeySet {
    /// A response packet, from RPL on, secured as the command's indicator has asked for.
    ///
    /// # Errors
    /// A security that these keys cannot give, a TAR that has not three bytes, a counter or data
    /// beyond what their fields can hold.
    pub fn build_response(
        &self,
        spi: Spi,
        tar: &[u8],
        counter: u64,
        status: Status,
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let tar: [u8; 3] = array("TAR", tar)?;
        response(spi).seal(self, (&tar, counter, &[status.0]), data)
    }

    /// Opens a response packet that begins with RPL, to a command with this indicator.
    ///
    /// A card that could not use its keys answers without security. To read such an answer, which
    /// anybody may have made, ask for it: with an indicator that wants none.
    ///
    /// # Errors
    /// A packet that is malformed or secured in another way; a check or padding that does not fit.
    pub fn open_response(&self, spi: Spi, packet: &[u8]) -> Result<Response, CryptoError> {
        let mut covered = Zeroizing::default();
        let opened = response(spi).open(self, packet, &mut covered)?;
        Ok(Response {
            tar: array("TAR", packet.get(3..CLEAR).unwrap_or_default())?,
            counter: opened.counter(),
            status: Status(opened.status()),
            data: opened.data().to_vec(),
        })
    }
}

pub(super) const fn response(spi: Spi) -> Protection {
    Protection {
        check: spi.receipt_check,
        ciphered: spi.receipt_ciphered,
        prefix: &PREFIX,
        clear: CLEAR,
        status: 1,
    }
}
