//! Packets for as many cards as DES has lanes. AES goes card by card: its chains are fast enough.

use zeroize::Zeroizing;

use super::command::command;
use super::keys::KeySet;
use super::response::response;
use super::spi::{Check, Spi};
use crate::des::Lanes;
use crate::error::CryptoError;

/// At most 64 cards with keys for the same algorithms. Keys lie one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    /// What is the same for all; its keys are those of one of the cards.
    pub(crate) like: &'a KeySet,
    /// The keys for encryption and how long each is.
    pub(crate) cipher_keys: (&'a [u8], usize),
    /// The keys for checksums and how long each is.
    pub(crate) checksum_keys: (&'a [u8], usize),
    /// CNTR, five bytes each.
    pub(crate) counters: &'a [[u8; 5]],
}

/// What a group's cards have answered, and where it goes.
pub(crate) struct Receipts<'a> {
    /// Response packets of one length.
    pub(crate) packets: &'a [u8],
    /// A record each, of [`Receipts::record`] bytes, that is zero.
    pub(crate) records: &'a mut [u8],
}

impl Receipts<'_> {
    /// How long a record is, for packets of one length: whether it fits, the status, the length of the
    /// data, and the data with room for as much as the packet could hold.
    pub(crate) const fn record(packet: usize) -> usize {
        4 + packet
    }
}

impl Group<'_> {
    /// Command packets of one length, one after the other; `data` is that of a card by its number.
    pub(crate) fn build_commands<'d>(
        &self,
        spi: Spi,
        tar: &[u8],
        data: impl Fn(usize) -> &'d [u8],
        packets: &mut [u8],
    ) -> Result<(), CryptoError> {
        let protection = command(spi);
        let header = self.like.command_header(spi, tar)?;
        let layout = protection.layout(self.like, data(0).len())?;
        let stride = layout.covered.next_multiple_of(8);
        let mut covered = Zeroizing::new(vec![0; self.counters.len() * stride]);
        for (number, (covered, counter)) in
            covered.chunks_mut(stride).zip(self.counters).enumerate()
        {
            let fields = (header.as_slice(), number_of(counter), [].as_slice());
            protection.cover(&layout, fields, data(number), covered)?;
        }
        let sets = self.key_sets()?;
        let codes = self.codes(protection.check, &sets, &covered, (stride, layout.covered))?;
        let code_length = self.like.code_length(protection.check)?;
        let length = layout.packet(protection);
        let parts = covered.chunks(stride).zip(codes.iter());
        for (packet, (covered, code)) in packets.chunks_mut(length).zip(parts) {
            let covered = &covered[..layout.covered];
            protection.join(&layout, covered, &code[..code_length], packet);
        }
        if !protection.ciphered {
            return Ok(());
        }
        if let [true, _] = self.like.is_des() {
            self.cipher_lanes()?
                .cbc_encrypt(packets, length, protection.clear..length);
            return Ok(());
        }
        for (keys, packet) in sets.iter().zip(packets.chunks_mut(length)) {
            keys.encrypt(&mut packet[protection.clear..])?;
        }
        Ok(())
    }

    /// Opens response packets. A record stays zero if its packet is malformed, if its check or padding
    /// does not fit, or if it answers another command than that with the card's counter.
    pub(crate) fn open_responses(
        &self,
        spi: Spi,
        Receipts { packets, records }: Receipts<'_>,
    ) -> Result<(), CryptoError> {
        let protection = response(spi);
        let prefix = protection.prefix.len();
        let length = packets.len() / self.counters.len();
        let stride = (prefix + length).next_multiple_of(8);
        let code_length = self.like.code_length(protection.check)?;
        protection.check_room(self.like, length)?;
        let mut covered = Zeroizing::new(vec![0; self.counters.len() * stride]);
        for (covered, packet) in covered.chunks_mut(stride).zip(packets.chunks(length)) {
            covered[..prefix].copy_from_slice(protection.prefix);
            covered[prefix..prefix + length].copy_from_slice(packet);
        }
        let sets = self.key_sets()?;
        let secret = prefix + protection.clear..prefix + length;
        match self.like.is_des() {
            _ if !protection.ciphered => {}
            [true, _] => self
                .cipher_lanes()?
                .cbc_decrypt(&mut covered, stride, secret),
            _ => {
                for (keys, covered) in sets.iter().zip(covered.chunks_mut(stride)) {
                    keys.decrypt(&mut covered[secret.clone()])?;
                }
            }
        }
        let presented: Vec<_> = covered
            .chunks_mut(stride)
            .map(|covered| protection.lift(code_length, &mut covered[..prefix + length]))
            .collect();
        let end = prefix + length - code_length;
        let expected = self.codes(protection.check, &sets, &covered, (stride, end))?;
        let codes = expected.iter().zip(&presented);
        let cards = packets.chunks(length).zip(self.counters).zip(codes);
        let places = covered
            .chunks(stride)
            .zip(records.chunks_mut(Receipts::record(length)));
        for ((covered, record), ((packet, counter), (expected, presented))) in places.zip(cards) {
            let codes = [&expected[..code_length], &presented[..code_length]];
            let Ok(opened) = protection
                .check_lengths(self.like, packet)
                .and_then(|()| protection.judge(self.like, &covered[..end], codes))
            else {
                continue;
            };
            if opened.counter() != number_of(counter) {
                continue;
            }
            let data = opened.data();
            let [high, low] = u16::try_from(data.len()).unwrap_or_default().to_be_bytes();
            record[..4].copy_from_slice(&[1, opened.status(), high, low]);
            record[4..4 + data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    /// Checks over messages that lie `stride` bytes apart and have a length each, with zeros behind.
    fn codes(
        &self,
        check: Check,
        sets: &[KeySet],
        covered: &[u8],
        (stride, length): (usize, usize),
    ) -> Result<Zeroizing<Vec<[u8; 8]>>, CryptoError> {
        if let (Check::Cryptographic, [_, true]) = (check, self.like.is_des()) {
            let lanes = Lanes::new("KID keys", keys(self.checksum_keys))?;
            let codes = lanes.mac(covered, (stride, length));
            return Ok(Zeroizing::new(codes.to_vec()));
        }
        let mut codes = Zeroizing::new(vec![[0; 8]; sets.len()]);
        for ((keys, covered), code) in sets
            .iter()
            .zip(covered.chunks(stride))
            .zip(codes.iter_mut())
        {
            let made = keys.code(check, &covered[..length])?;
            code[..made.as_slice().len()].copy_from_slice(made.as_slice());
        }
        Ok(codes)
    }

    /// The keys of each card, but for those that go into lanes.
    fn key_sets(&self) -> Result<Vec<KeySet>, CryptoError> {
        let [cipher, checksum] = self.like.is_des();
        (0..self.counters.len())
            .map(|number| {
                let of_card = |(_, length): (&[u8], usize), in_lanes: bool| {
                    let length = if in_lanes { 0 } else { length };
                    number * length..(number + 1) * length
                };
                let cipher_key = &self.cipher_keys.0[of_card(self.cipher_keys, cipher)];
                let checksum_key = &self.checksum_keys.0[of_card(self.checksum_keys, checksum)];
                self.like.with_keys(cipher_key, checksum_key)
            })
            .collect()
    }

    fn cipher_lanes(&self) -> Result<Lanes, CryptoError> {
        Lanes::new("KIc keys", keys(self.cipher_keys))
    }
}

fn keys((keys, length): (&[u8], usize)) -> impl Iterator<Item = &[u8]> {
    keys.chunks_exact(length)
}

fn number_of(counter: &[u8; 5]) -> u64 {
    counter
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
