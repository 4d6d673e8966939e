//! Secured packets for many cards, and their answers.

use super::{GROUP, fits, share, spread};
use crate::error::CryptoError;
use crate::scp80::{Group, KeySet, Receipts, Spi};

/// Below this many packets a thread costs more than it brings.
const WORTH_A_THREAD: usize = 128;
/// Bytes of a counter in a packet.
const COUNTER: usize = 5;

/// What a record of [`receipts`] has before the data.
pub const RECEIPT: usize = Receipts::record(0);

/// The cards of a campaign, with what differs between them.
#[derive(Clone, Copy)]
pub struct Cards<'a> {
    /// Keys for encryption, all of one length; empty if nothing is encrypted.
    pub cipher_keys: &'a [u8],
    /// Keys for checksums, all of one length; empty if there are none.
    pub checksum_keys: &'a [u8],
    /// Counters of five bytes; their number is that of the cards.
    pub counters: &'a [u8],
}

/// What all packets of a campaign have in common.
#[derive(Clone, Copy)]
pub struct Packets<'a> {
    /// The encryption key's name and algorithm.
    pub kic: u8,
    /// The checksum key's name and algorithm.
    pub kid: u8,
    /// The length of a checksum, 4 or 8.
    pub code_length: usize,
    /// How the packets are secured.
    pub spi: Spi,
    /// The application that they are for.
    pub tar: &'a [u8],
}

/// Command packets, one for each card, all of one length and one after the other. `data` is everyone's,
/// or as much for each card, one after the other, if `own_data` is set.
///
/// # Errors
/// What [`KeySet::new`] and [`KeySet::build_command`] refuse, a buffer whose length does not fit the
/// number of cards.
pub fn command_packets(
    packets: Packets<'_>,
    cards: Cards<'_>,
    data: &[u8],
    own_data: bool,
) -> Result<Vec<u8>, CryptoError> {
    let Some(campaign) = Campaign::new(packets, cards)? else {
        return Ok(Vec::new());
    };
    let count = campaign.counters.len();
    let each = if own_data {
        share("data", data, count)?
    } else {
        0
    };
    let length = if own_data { each } else { data.len() };
    let data = |number: usize| &data[number * each..][..length];
    let Packets { spi, tar, .. } = packets;
    let first = campaign.first.build_command(spi, tar, 0, data(0))?;
    let mut built = vec![0; count * first.len()];
    spread(&mut built, first.len(), WORTH_A_THREAD, |start, packets| {
        for (number, packets) in packets.chunks_mut(GROUP * first.len()).enumerate() {
            let start = start + number * GROUP;
            let group = campaign.group(start, packets.len() / first.len());
            group.build_commands(spi, tar, |card| data(start + card), packets)?;
        }
        Ok(())
    })?;
    Ok(built)
}

/// What the cards have answered to [`command_packets`] with these counters: `responses` are their response
/// packets, all of one length and one after the other.
///
/// For each there is a record of [`RECEIPT`] bytes more than a packet has: 1 for a packet that fits, its
/// status, the length of its data in two bytes, the data, zeros. A packet that is malformed, not the
/// card's or no answer to this command has a record of zeros.
///
/// # Errors
/// What [`KeySet::new`] refuses, a buffer whose length does not fit the number of cards, packets too
/// short for their security.
pub fn receipts(
    packets: Packets<'_>,
    cards: Cards<'_>,
    responses: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let Some(campaign) = Campaign::new(packets, cards)? else {
        fits("packets", responses.len(), 0)?;
        return Ok(Vec::new());
    };
    let count = campaign.counters.len();
    let length = share("packets", responses, count)?;
    let (record, spi) = (Receipts::record(length), packets.spi);
    let mut records = vec![0; count * record];
    spread(&mut records, record, WORTH_A_THREAD, |start, records| {
        for (number, records) in records.chunks_mut(GROUP * record).enumerate() {
            let start = start + number * GROUP;
            let group = campaign.group(start, records.len() / record);
            let packets = &responses[start * length..][..records.len() / record * length];
            group.open_responses(spi, Receipts { packets, records })?;
        }
        Ok(())
    })?;
    Ok(records)
}

/// Cards whose buffers fit one another.
struct Campaign<'a> {
    first: KeySet,
    cipher_keys: (&'a [u8], usize),
    checksum_keys: (&'a [u8], usize),
    counters: &'a [[u8; COUNTER]],
}

impl<'a> Campaign<'a> {
    /// `None` for no cards.
    fn new(packets: Packets<'_>, cards: Cards<'a>) -> Result<Option<Self>, CryptoError> {
        let (counters, _) = cards.counters.as_chunks();
        let count = counters.len();
        fits("counters", cards.counters.len(), count * COUNTER)?;
        if count == 0 {
            return Ok(None);
        }
        let cipher = share("KIc keys", cards.cipher_keys, count)?;
        let checksum = share("KID keys", cards.checksum_keys, count)?;
        let (cipher_key, checksum_key) = (
            &cards.cipher_keys[..cipher],
            &cards.checksum_keys[..checksum],
        );
        let Packets {
            kic,
            kid,
            code_length,
            ..
        } = packets;
        Ok(Some(Self {
            first: KeySet::new(kic, cipher_key, kid, checksum_key, code_length)?,
            cipher_keys: (cards.cipher_keys, cipher),
            checksum_keys: (cards.checksum_keys, checksum),
            counters,
        }))
    }

    fn group(&self, start: usize, count: usize) -> Group<'_> {
        let part = |(keys, length): (&'a [u8], usize)| {
            (&keys[start * length..(start + count) * length], length)
        };
        Group {
            like: &self.first,
            cipher_keys: part(self.cipher_keys),
            checksum_keys: part(self.checksum_keys),
            counters: &self.counters[start..start + count],
        }
    }
}
