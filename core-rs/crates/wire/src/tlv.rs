//! BER-TLV data objects as cards use them (ISO/IEC 7816-4 §5.2.2, ISO/IEC 8825-1).

use crate::error::{TlvError, TlvFault};

/// Nesting that `decode` never exceeds, whatever the caller asks for.
pub const MAX_DEPTH: usize = 64;
/// Objects that `decode` never exceeds: twice what a file of 32 KiB can hold.
pub const MAX_OBJECTS: usize = 1 << 15;

/// One data object. `value` is the bare content also when there are children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag bytes as one big-endian number: `0x7F21`, `0xA7`.
    pub tag: u32,
    /// Whether the tag says that the value consists of data objects.
    pub constructed: bool,
    /// The value bytes.
    pub value: &'a [u8],
    /// The data objects inside, for a constructed object.
    pub children: Vec<Tlv<'a>>,
}

/// The data objects in `data`. Bytes 00 and FF before, between and after them are padding.
///
/// # Errors
/// A fault with the offset of the object, tag or length in question.
pub fn decode(data: &[u8], max_depth: usize) -> Result<Vec<Tlv<'_>>, TlvError> {
    let mut reader = Reader {
        data,
        max_depth: max_depth.min(MAX_DEPTH),
        objects: 0,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = data.get(at) {
        // ISO/IEC 7816-4 §5.2.2.1: 00 and FF have no meaning around data objects
        if byte == 0x00 || byte == 0xFF {
            at += 1;
        } else {
            let (object, next) = reader.object(at, data.len(), 1)?;
            found.push(object);
            at = next;
        }
    }
    Ok(found)
}

/// One data object with the shortest length form.
///
/// # Errors
/// A number that is not a tag, or a value of 4 GiB and more.
pub fn encode(tag: u32, value: &[u8]) -> Result<Vec<u8>, TlvError> {
    let bytes = tag.to_be_bytes();
    let used = (4 - tag.leading_zeros() as usize / 8).max(1);
    let tag_bytes = &bytes[4 - used..];
    if tag == 0 || tag_length(tag_bytes) != Some(used) {
        return Err(TlvFault::BadTag.at(0));
    }
    let length = u32::try_from(value.len()).map_err(|_| TlvFault::TooLong.at(0))?;
    let length_bytes = length.to_be_bytes();
    let mut encoded = Vec::with_capacity(used + 5 + value.len());
    encoded.extend_from_slice(tag_bytes);
    let skipped = length.leading_zeros() as usize / 8;
    match length {
        0..=0x7F => encoded.push(length_bytes[3]),
        _ => {
            // ISO/IEC 8825-1 §8.1.3.5: first byte 80 + number of length bytes
            encoded.push([0x84, 0x83, 0x82, 0x81][skipped]);
            encoded.extend_from_slice(&length_bytes[skipped..]);
        }
    }
    encoded.extend_from_slice(value);
    Ok(encoded)
}

impl TlvFault {
    const fn at(self, offset: usize) -> TlvError {
        TlvError {
            fault: self,
            offset,
        }
    }
}

/// How many bytes the tag at the start of `bytes` has; `None` if it does not end within four.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    // ISO/IEC 8825-1 §8.1.2.4: all five number bits set means that more bytes follow
    if first & 0x1F != 0x1F {
        return Some(1);
    }
    let last = bytes
        .iter()
        .skip(1)
        .take(3)
        .position(|byte| byte & 0x80 == 0)?;
    Some(last + 2)
}

struct Reader<'a> {
    data: &'a [u8],
    max_depth: usize,
    objects: usize,
}

impl<'a> Reader<'a> {
    fn object(
        &mut self,
        start: usize,
        end: usize,
        depth: usize,
    ) -> Result<(Tlv<'a>, usize), TlvError> {
        if depth > self.max_depth {
            return Err(TlvFault::TooDeep.at(start));
        }
        self.objects += 1;
        if self.objects > MAX_OBJECTS {
            return Err(TlvFault::TooMany.at(start));
        }
        let (tag, constructed, length_at) = self.tag(start, end)?;
        let (length, value_at) = self.length(length_at, end)?;
        let value_end = value_at
            .checked_add(length)
            .filter(|&value_end| value_end <= end)
            .ok_or(TlvFault::Truncated.at(start))?;
        let value = self.slice(value_at, value_end, start)?;
        let mut children = Vec::new();
        if constructed {
            let mut at = value_at;
            while at < value_end {
                let (child, next) = self.object(at, value_end, depth + 1)?;
                children.push(child);
                at = next;
            }
        }
        let object = Tlv {
            tag,
            constructed,
            value,
            children,
        };
        Ok((object, value_end))
    }

    fn tag(&self, start: usize, end: usize) -> Result<(u32, bool, usize), TlvError> {
        let rest = self.slice(start, end, start)?;
        let Some(length) = tag_length(rest) else {
            let fault = if rest.len() < 4 {
                TlvFault::Truncated
            } else {
                TlvFault::BadTag
            };
            return Err(fault.at(start));
        };
        let bytes = self.slice(start, start + length, start)?;
        let first = bytes.first().copied().unwrap_or_default();
        // 00 is the end-of-contents mark of the indefinite form, never an object
        if first == 0 {
            return Err(TlvFault::BadTag.at(start));
        }
        let tag = bytes
            .iter()
            .fold(0, |tag: u32, &byte| (tag << 8) | u32::from(byte));
        Ok((tag, first & 0x20 != 0, start + length))
    }

    fn length(&self, at: usize, end: usize) -> Result<(usize, usize), TlvError> {
        let first = *self
            .slice(at, end, at)?
            .first()
            .ok_or(TlvFault::Truncated.at(at))?;
        if first < 0x80 {
            return Ok((usize::from(first), at + 1));
        }
        let count = usize::from(first & 0x7F);
        if !(1..=4).contains(&count) {
            return Err(TlvFault::BadLength.at(at));
        }
        if end - at <= count {
            return Err(TlvFault::Truncated.at(at));
        }
        let bytes = self.slice(at + 1, at + 1 + count, at)?;
        let length = bytes
            .iter()
            .fold(0, |length: usize, &byte| (length << 8) | usize::from(byte));
        Ok((length, at + 1 + count))
    }

    fn slice(&self, from: usize, to: usize, blame: usize) -> Result<&'a [u8], TlvError> {
        self.data.get(from..to).ok_or(TlvFault::Truncated.at(blame))
    }
}
