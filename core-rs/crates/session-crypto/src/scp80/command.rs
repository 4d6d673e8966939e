//! Command packets (TS 102 225 §5.1; TS 31.115 §4.2).

use zeroize::Zeroizing;

use super::keys::KeySet;
use super::seal::Protection;
use super::spi::Spi;
use crate::error::{CryptoError, array};

/// CPL, CHL, SPI, KIc, KID, TAR.
const CLEAR: usize = 10;

/// What can be read of a command packet without keys: how to choose them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the packet is secured.
    pub spi: Spi,
    /// Which key encrypts.
    pub kic: u8,
    /// Which key makes the checksum.
    pub kid: u8,
    /// The application that it is for.
    pub tar: [u8; 3],
}

/// A command packet, verified and decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// How it was secured, and for which application it is.
    pub header: Header,
    /// To be checked with [`super::advance`].
    pub counter: u64,
    /// What the application shall do.
    pub data: Vec<u8>,
}

impl Header {
    /// Of a packet that begins with CPL.
    ///
    /// # Errors
    /// A packet shorter than that, or an indicator with reserved bits.
    pub fn read(packet: &[u8]) -> Result<Self, CryptoError> {
        let Some(&[_, _, _, first, second, kic, kid, tar @ ..]) = packet.first_chunk::<CLEAR>()
        else {
            return Err(CryptoError::BadInput {
                field: "packet",
                reason: "is shorter than its header",
            });
        };
        Ok(Self {
            spi: Spi::try_from([first, second])?,
            kic,
            kid,
            tar,
        })
    }
}

impl KeySet {
    /// A command packet, from CPL on.
    ///
    /// # Errors
    /// A security that these keys cannot give, a TAR that has not three bytes, a counter or data
    /// beyond what their fields can hold.
    pub fn build_command(
        &self,
        spi: Spi,
        tar: &[u8],
        counter: u64,
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let header = self.command_header(spi, tar)?;
        command(spi).seal(self, (&header, counter, &[]), data)
    }

    /// SPI, KIc, KID, TAR.
    pub(super) fn command_header(&self, spi: Spi, tar: &[u8]) -> Result<[u8; 7], CryptoError> {
        let tar: [u8; 3] = array("TAR", tar)?;
        let [first, second] = spi.to_bytes();
        Ok([first, second, self.kic, self.kid, tar[0], tar[1], tar[2]])
    }

    /// Opens a command packet that begins with CPL. What security it must have is the caller's to
    /// say: `least` refuses a packet that has less.
    ///
    /// # Errors
    /// A packet that is malformed, names other keys or is secured too little; a check or padding that
    /// does not fit.
    pub fn open_command(&self, least: Spi, packet: &[u8]) -> Result<Command, CryptoError> {
        let header = Header::read(packet)?;
        let insufficient = |field, reason| Err(CryptoError::BadInput { field, reason });
        if header.kic != self.kic || header.kid != self.kid {
            return insufficient("packet", "names other keys");
        }
        if header.spi.is_weaker_than(least) {
            return insufficient("SPI", "secures less than it must");
        }
        let mut covered = Zeroizing::default();
        let opened = command(header.spi).open(self, packet, &mut covered)?;
        Ok(Command {
            header,
            counter: opened.counter(),
            data: opened.data().to_vec(),
        })
    }
}

impl Spi {
    /// The minimum security level of TS 102 226 §8.2.1.3.2.4 compares what guards a command: its
    /// check, its encryption and its counter, each on its own.
    const fn is_weaker_than(self, least: Self) -> bool {
        (self.check as u8) < least.check as u8
            || (!self.ciphered && least.ciphered)
            || (self.counter as u8) < least.counter as u8
    }
}

pub(super) const fn command(spi: Spi) -> Protection {
    Protection {
        check: spi.check,
        ciphered: spi.ciphered,
        prefix: &[],
        clear: CLEAR,
        status: 0,
    }
}
