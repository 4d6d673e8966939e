//! What command and response packets have in common: check, padding, encryption, lengths.

use zeroize::Zeroizing;

use super::keys::KeySet;
use super::spi::Check;
use crate::error::CryptoError;
use crate::secret::equal;

/// Bytes of CNTR and PCNTR.
const COUNTERS: usize = 6;

/// The security of one packet.
#[derive(Clone, Copy)]
pub(super) struct Protection {
    pub(super) check: Check,
    pub(super) ciphered: bool,
    /// What the check covers before the packet itself.
    pub(super) prefix: &'static [u8],
    /// Where CNTR is: encryption begins there.
    pub(super) clear: usize,
    /// Bytes between PCNTR and the check.
    pub(super) status: usize,
}

/// A packet, verified and decrypted.
pub(super) struct Opened {
    /// The packet as the check covers it: without the check.
    covered: Zeroizing<Vec<u8>>,
    clear: usize,
    status: usize,
    padding: usize,
}

impl Protection {
    const fn fixed(self) -> usize {
        self.clear + COUNTERS + self.status
    }

    /// A packet from its clear header behind the two lengths, the counter, the status and the data.
    pub(super) fn seal(
        self,
        keys: &KeySet,
        header: &[u8],
        counter: u64,
        status: &[u8],
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        super::counter::check_range(counter)?;
        let code_length = keys.code_length(self.check)?;
        let secret = COUNTERS + self.status + code_length + data.len();
        let padding = keys.padding(self.ciphered, secret)?;
        let total = self.clear + secret + padding;
        let length = u16::try_from(total - 2).map_err(|_| CryptoError::TooLong {
            field: "secured data",
            limit: usize::from(u16::MAX) + 2 - self.fixed() - code_length - padding,
            actual: data.len(),
        })?;
        // The third byte counts from the fourth to the end of the code
        let header_length = self.fixed() - 3 + code_length;
        let mut packet = Vec::with_capacity(self.prefix.len() + total);
        packet.extend(self.prefix);
        packet.extend(length.to_be_bytes());
        packet.extend(u8::try_from(header_length));
        packet.extend(header);
        packet.extend(&counter.to_be_bytes()[3..]);
        packet.extend(u8::try_from(padding));
        packet.extend(status);
        packet.extend(data);
        packet.resize(self.prefix.len() + total - code_length, 0);
        let code = keys.code(self.check, &packet)?;
        packet.drain(..self.prefix.len());
        let at = self.fixed();
        packet.splice(at..at, code.as_slice().iter().copied());
        if self.ciphered {
            keys.encrypt(&mut packet[self.clear..])?;
        }
        Ok(packet)
    }

    /// Decrypts, then verifies, and only then looks at what it has decrypted.
    pub(super) fn open(self, keys: &KeySet, packet: &[u8]) -> Result<Opened, CryptoError> {
        let code_length = keys.code_length(self.check)?;
        check_lengths(packet, self.fixed() - 3 + code_length)?;
        let mut covered = Zeroizing::new(Vec::with_capacity(self.prefix.len() + packet.len()));
        covered.extend(self.prefix);
        covered.extend(packet);
        let start = self.prefix.len();
        if self.ciphered {
            keys.decrypt(&mut covered[start + self.clear..])?;
        }
        let at = start + self.fixed();
        let mut presented = [0; 8];
        presented[..code_length].copy_from_slice(&covered[at..at + code_length]);
        covered.drain(at..at + code_length);
        let expected = keys.code(self.check, &covered)?;
        let fits = equal(expected.as_slice(), &presented[..code_length]);
        let padding = usize::from(covered[start + self.clear + COUNTERS - 1]);
        let data_length = covered.len() - at;
        if !fits || !keys.is_padding(self.ciphered, padding) || padding > data_length {
            return Err(CryptoError::BadMac);
        }
        covered.drain(..start);
        Ok(Opened {
            covered,
            clear: self.clear,
            status: self.status,
            padding,
        })
    }
}

impl Opened {
    pub(super) fn counter(&self) -> u64 {
        let bytes = &self.covered[self.clear..self.clear + COUNTERS - 1];
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    pub(super) fn status(&self) -> u8 {
        self.covered[self.clear + COUNTERS]
    }

    pub(super) fn data(&self) -> Vec<u8> {
        let start = self.clear + COUNTERS + self.status;
        self.covered[start..self.covered.len() - self.padding].to_vec()
    }
}

/// The two lengths at the beginning must be those that the packet has, and leave room for its fields.
fn check_lengths(packet: &[u8], header_length: usize) -> Result<(), CryptoError> {
    let malformed = |reason| CryptoError::BadInput {
        field: "packet",
        reason,
    };
    let Some((&[high, low, stated], rest)) = packet.split_first_chunk() else {
        return Err(malformed("is shorter than its header"));
    };
    if usize::from(u16::from_be_bytes([high, low])) != rest.len() + 1 {
        return Err(malformed("has another length than it says"));
    }
    if rest.len() < header_length {
        return Err(malformed("is shorter than its header"));
    }
    if usize::from(stated) != header_length {
        return Err(malformed(
            "has a header of another length than its security needs",
        ));
    }
    Ok(())
}
