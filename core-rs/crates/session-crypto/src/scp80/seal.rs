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

/// Where the parts of a packet lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// How long it is as the check covers it: with the prefix, without the check.
    pub(super) covered: usize,
    /// Where in that the check will go.
    check_at: usize,
    check: usize,
    padding: u8,
    /// What the packet says of its own length and of its header's.
    lengths: [u8; 3],
}

/// A packet, verified and decrypted.
pub(super) struct Opened<'a> {
    /// The packet as the check covers it: without the check.
    covered: &'a [u8],
    clear: usize,
    status: usize,
    padding: usize,
}

impl Protection {
    const fn fixed(self) -> usize {
        self.clear + COUNTERS + self.status
    }

    /// The lengths of a packet with so much data.
    pub(super) fn layout(self, keys: &KeySet, data: usize) -> Result<Layout, CryptoError> {
        let check = keys.code_length(self.check)?;
        let secret = COUNTERS + self.status + check + data;
        let padding = keys.padding(self.ciphered, secret)?;
        let total = self.clear + secret + padding;
        let too_long = CryptoError::TooLong {
            field: "secured data",
            limit: usize::from(u16::MAX) + 2 - self.fixed() - check - padding,
            actual: data,
        };
        let [high, low] = u16::try_from(total - 2)
            .map_err(|_| too_long)?
            .to_be_bytes();
        // The third byte counts from the fourth to the end of the check
        let header = u8::try_from(self.fixed() - 3 + check).map_err(|_| too_long)?;
        Ok(Layout {
            covered: self.prefix.len() + total - check,
            check_at: self.prefix.len() + self.fixed(),
            check,
            padding: u8::try_from(padding).map_err(|_| too_long)?,
            lengths: [high, low, header],
        })
    }

    /// Fills a packet as its check will cover it: the clear header behind the two lengths, the counter,
    /// the status and the data; the padding is there already, as zeros.
    pub(super) fn cover(
        self,
        layout: &Layout,
        (header, counter, status): (&[u8], u64, &[u8]),
        data: &[u8],
        covered: &mut [u8],
    ) -> Result<(), CryptoError> {
        super::counter::check_range(counter)?;
        let counters = &counter.to_be_bytes()[3..];
        let padding = &[layout.padding];
        let mut at = 0;
        for part in [
            self.prefix,
            &layout.lengths,
            header,
            counters,
            padding,
            status,
            data,
        ] {
            covered[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    }

    /// Puts the check into its place. The packet is not encrypted yet.
    pub(super) fn join(self, layout: &Layout, covered: &[u8], code: &[u8], packet: &mut [u8]) {
        let (head, tail) = covered.split_at(layout.check_at);
        let head = &head[self.prefix.len()..];
        let (start, rest) = packet.split_at_mut(head.len());
        let (check, end) = rest.split_at_mut(layout.check);
        start.copy_from_slice(head);
        check.copy_from_slice(code);
        end.copy_from_slice(tail);
    }

    /// A packet from its clear header behind the two lengths, the counter, the status and the data.
    pub(super) fn seal(
        self,
        keys: &KeySet,
        fields: (&[u8], u64, &[u8]),
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let layout = self.layout(keys, data.len())?;
        let mut covered = Zeroizing::new(vec![0; layout.covered]);
        self.cover(&layout, fields, data, &mut covered)?;
        let code = keys.code(self.check, &covered)?;
        let mut packet = vec![0; layout.packet(self)];
        self.join(&layout, &covered, code.as_slice(), &mut packet);
        if self.ciphered {
            keys.encrypt(&mut packet[self.clear..])?;
        }
        Ok(packet)
    }

    /// Decrypts, then verifies, and only then looks at what it has decrypted.
    pub(super) fn open<'a>(
        self,
        keys: &KeySet,
        packet: &[u8],
        covered: &'a mut Zeroizing<Vec<u8>>,
    ) -> Result<Opened<'a>, CryptoError> {
        let length = keys.code_length(self.check)?;
        self.check_lengths(keys, packet)?;
        covered.reserve_exact(self.prefix.len() + packet.len());
        covered.extend(self.prefix);
        covered.extend(packet);
        if self.ciphered {
            keys.decrypt(&mut covered[self.prefix.len() + self.clear..])?;
        }
        let presented = self.lift(length, covered);
        let covered = &covered[..covered.len() - length];
        let expected = keys.code(self.check, covered)?;
        self.judge(keys, covered, [expected.as_slice(), &presented[..length]])
    }

    /// Takes the check out of a packet behind its prefix, and moves up what follows; zeros come behind.
    pub(super) fn lift(self, length: usize, packet: &mut [u8]) -> [u8; 8] {
        let at = self.prefix.len() + self.fixed();
        let mut check = [0; 8];
        check[..length].copy_from_slice(&packet[at..at + length]);
        packet.copy_within(at + length.., at);
        let end = packet.len() - length;
        packet[end..].fill(0);
        check
    }

    /// What a packet says, if its check is the expected one and its padding is none too much.
    pub(super) fn judge<'a>(
        self,
        keys: &KeySet,
        covered: &'a [u8],
        [expected, presented]: [&[u8]; 2],
    ) -> Result<Opened<'a>, CryptoError> {
        let covered_data = covered.len() - self.prefix.len() - self.fixed();
        let padding = usize::from(covered[self.prefix.len() + self.clear + COUNTERS - 1]);
        let fits = equal(expected, presented);
        if !fits || !keys.is_padding(self.ciphered, padding) || padding > covered_data {
            return Err(CryptoError::BadMac);
        }
        Ok(Opened {
            covered: &covered[self.prefix.len()..],
            clear: self.clear,
            status: self.status,
            padding,
        })
    }

    /// Whether packets of a length have room for their fields, and whole blocks where they are encrypted.
    pub(super) fn check_room(self, keys: &KeySet, length: usize) -> Result<(), CryptoError> {
        if length < self.fixed() + keys.code_length(self.check)? {
            return Err(CryptoError::BadInput {
                field: "packet",
                reason: "is shorter than its header",
            });
        }
        if self.ciphered {
            keys.check_blocks(length - self.clear)?;
        }
        Ok(())
    }

    /// The two lengths at the beginning must be those that the packet has, and leave room for its fields.
    pub(super) fn check_lengths(self, keys: &KeySet, packet: &[u8]) -> Result<(), CryptoError> {
        let malformed = |reason| CryptoError::BadInput {
            field: "packet",
            reason,
        };
        let header = self.fixed() - 3 + keys.code_length(self.check)?;
        let Some((&[high, low, stated], rest)) = packet.split_first_chunk() else {
            return Err(malformed("is shorter than its header"));
        };
        if usize::from(u16::from_be_bytes([high, low])) != rest.len() + 1 {
            return Err(malformed("has another length than it says"));
        }
        if rest.len() < header {
            return Err(malformed("is shorter than its header"));
        }
        if usize::from(stated) != header {
            return Err(malformed(
                "has a header of another length than its security needs",
            ));
        }
        Ok(())
    }
}

impl Layout {
    /// How long the packet is.
    pub(super) const fn packet(&self, protection: Protection) -> usize {
        self.covered + self.check - protection.prefix.len()
    }
}

impl Opened<'_> {
    pub(super) fn counter(&self) -> u64 {
        let bytes = &self.covered[self.clear..self.clear + COUNTERS - 1];
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    pub(super) fn status(&self) -> u8 {
        self.covered[self.clear + COUNTERS]
    }

    pub(super) fn data(&self) -> &[u8] {
        let start = self.clear + COUNTERS + self.status;
        &self.covered[start..self.covered.len() - self.padding]
    }
}
