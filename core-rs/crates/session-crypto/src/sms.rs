//! Secured packets in short messages (TS 31.115 §4): the user data of one message or of several that
//! are concatenated (TS 23.040 §9.2.3.24).

use crate::error::CryptoError;

/// The most user data of a message, in bytes (TS 23.040 §9.2.3.16).
const MOST_DATA: usize = 140;
/// Information elements: concatenation with a reference of one byte and of two.
const CONCATENATED_8: u8 = 0x00;
const CONCATENATED_16: u8 = 0x08;

/// What a packet is (TS 31.115 §4): an information element in the header of its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A command packet.
    Command = 0x70,
    /// A response packet.
    Response = 0x71,
}

/// The user data of one message, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What the packet is: in the first message only.
    pub kind: Option<Kind>,
    /// What tells messages of one packet from those of another; `None` if it is whole.
    pub reference: Option<u16>,
    /// How many messages the packet has.
    pub total: u8,
    /// Which of them this is, from 1.
    pub index: u8,
    /// Its part of the packet.
    pub data: Vec<u8>,
}

/// The user data of as many messages as a packet needs, their headers included.
///
/// `reference` shall differ between packets that are under way to one card at a time.
///
/// # Errors
/// A packet that does not fit into 255 messages.
pub fn cut(kind: Kind, packet: &[u8], reference: u8) -> Result<Vec<Vec<u8>>, CryptoError> {
    let mark = [kind as u8, 0];
    if packet.len() + 3 <= MOST_DATA {
        return Ok(vec![message(&mark, packet)]);
    }
    // The length of the header, the concatenation, and in the first message the mark
    let room = MOST_DATA - 6;
    let (head, tail) = packet.split_at((room - mark.len()).min(packet.len()));
    let total = 1 + tail.len().div_ceil(room);
    let Ok(total) = u8::try_from(total) else {
        return Err(CryptoError::TooLong {
            field: "packet",
            limit: 255 * room - mark.len(),
            actual: packet.len(),
        });
    };
    let first = [CONCATENATED_8, 3, reference, total, 1, mark[0], mark[1]];
    let mut messages = vec![message(&first, head)];
    for (index, part) in (2..=total).zip(tail.chunks(room)) {
        messages.push(message(&[CONCATENATED_8, 3, reference, total, index], part));
    }
    Ok(messages)
}

/// The packet from the user data of all its messages, in any order; a message may come twice.
///
/// # Errors
/// Messages that are malformed, missing, of several packets, or no packet's at all.
pub fn assemble<'a>(
    messages: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Kind, Vec<u8>), CryptoError> {
    let mut segments = Vec::new();
    for message in messages {
        segments.push(Segment::read(message)?);
    }
    segments.sort_by_key(|segment| segment.index);
    segments.dedup();
    let Some(first) = segments.first() else {
        return Err(malformed("are none"));
    };
    let Some(kind) = first.kind else {
        return Err(malformed("do not begin with a packet's mark"));
    };
    let whole = segments.len() == usize::from(first.total)
        && (1..=first.total)
            .zip(&segments)
            .all(|(index, segment)| segment.index == index);
    let together = segments.iter().all(|segment| {
        segment.reference == first.reference
            && segment.total == first.total
            && segment.kind.is_some() == (segment.index == 1)
    });
    if !together || !whole {
        return Err(malformed("are not those of one packet"));
    }
    let parts = segments.into_iter().map(|segment| segment.data);
    Ok((kind, parts.collect::<Vec<_>>().concat()))
}

impl Segment {
    /// From the user data of a message with a header (TP-UDHI set). Elements that are none of ours are
    /// left out.
    ///
    /// # Errors
    /// A header that does not fit, or a place in a concatenation that does not exist.
    pub fn read(user_data: &[u8]) -> Result<Self, CryptoError> {
        let short = || malformed("are shorter than their header");
        let (&length, rest) = user_data.split_first().ok_or_else(short)?;
        let (mut header, data) = rest
            .split_at_checked(usize::from(length))
            .ok_or_else(short)?;
        let mut segment = Self {
            kind: None,
            reference: None,
            total: 1,
            index: 1,
            data: data.to_vec(),
        };
        while let Some((&[identifier, length], rest)) = header.split_first_chunk() {
            let (value, rest) = rest
                .split_at_checked(usize::from(length))
                .ok_or_else(short)?;
            segment.take(identifier, value);
            header = rest;
        }
        // A lone byte is an element that has been cut off
        if !header.is_empty() {
            return Err(short());
        }
        if segment.index == 0 || segment.index > segment.total {
            return Err(malformed("have a place that does not exist"));
        }
        Ok(segment)
    }

    fn take(&mut self, identifier: u8, value: &[u8]) {
        match (identifier, value) {
            (CONCATENATED_8, &[reference, total, index]) => {
                (self.reference, self.total, self.index) = (Some(reference.into()), total, index);
            }
            (CONCATENATED_16, &[high, low, total, index]) => {
                self.reference = Some(u16::from_be_bytes([high, low]));
                (self.total, self.index) = (total, index);
            }
            (0x70, []) => self.kind = Some(Kind::Command),
            (0x71, []) => self.kind = Some(Kind::Response),
            _ => {}
        }
    }
}

fn message(elements: &[u8], data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + elements.len() + data.len());
    message.extend(u8::try_from(elements.len()));
    message.extend(elements);
    message.extend(data);
    message
}

const fn malformed(reason: &'static str) -> CryptoError {
    CryptoError::BadInput {
        field: "messages",
        reason,
    }
}
