//! What a client sends, looked at in passing: a connection that would break the server is ended.
//!
//! grpcio's asyncio server decodes the path of each request in the loop that serves all of them; a
//! path that is not UTF-8 ends the loop, and with it the server; any other header that is not fills
//! its log. So none of them gets there: what passes is the ASCII that gRPC's protocol wants. A header
//! block is held back until it is whole, for gRPC's core acts on the first part of one that is cut off.

use crate::hpack::Headers;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
// RFC 9113 §6
const HEADERS: u8 = 0x1;
const PUSH_PROMISE: u8 = 0x5;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// gRPC's core takes headers of a quarter of this.
const MOST_HEADERS: usize = 1 << 16;
/// Of a block in frames that are nearly empty.
const MOST_HELD: usize = 4 * MOST_HEADERS;

/// A connection that is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// The direction from client to server of one connection.
pub struct Watch {
    part: Part,
    /// What has come of that part, and how much there has to be.
    collected: Vec<u8>,
    wanted: usize,
    /// How much is passed over before it.
    skipped: usize,
    /// The header block that is under way, in one frame or in several.
    block: Option<Vec<u8>>,
    table: Headers,
    /// What the server has not got yet, and what it gets now.
    held: Vec<u8>,
    passed: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Part {
    Preface,
    FrameHeader,
    Headers { kind: u8, flags: u8 },
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            part: Part::Preface,
            collected: Vec::new(),
            wanted: PREFACE.len(),
            skipped: 0,
            block: None,
            table: Headers::new(),
            held: Vec::new(),
            passed: Vec::new(),
        }
    }
}

impl Watch {
    /// Takes the next bytes, in pieces of any length, and gives what the server may get now.
    ///
    /// # Errors
    /// Bytes that no client of HTTP/2 sends, headers that do not decode or are not ASCII.
    pub fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Result<&'a [u8], Refused> {
        self.look(bytes)?;
        if self.block.is_some() {
            self.held.extend(bytes);
            return if self.held.len() > MOST_HELD {
                Err(Refused)
            } else {
                Ok(&[])
            };
        }
        if self.held.is_empty() {
            return Ok(bytes);
        }
        self.passed = std::mem::take(&mut self.held);
        self.passed.extend(bytes);
        Ok(&self.passed)
    }

    fn look(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        loop {
            let passed = self.skipped.min(bytes.len());
            self.skipped -= passed;
            bytes = &bytes[passed..];
            let missing = self.wanted - self.collected.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.collected.extend(taken);
            bytes = rest;
            if self.skipped > 0 || self.collected.len() < self.wanted {
                return Ok(());
            }
            let part = std::mem::take(&mut self.collected);
            self.complete(&part).ok_or(Refused)?;
        }
    }

    /// Takes a part, and says what comes after it.
    fn complete(&mut self, part: &[u8]) -> Option<()> {
        let kind = std::mem::replace(&mut self.part, Part::FrameHeader);
        self.wanted = FRAME_HEADER;
        match kind {
            Part::Preface => (part == PREFACE).then_some(()),
            Part::FrameHeader => self.frame(part),
            Part::Headers { kind, flags } => self.headers(kind, flags, part),
        }
    }

    fn frame(&mut self, header: &[u8]) -> Option<()> {
        let &[high, mid, low, kind, flags, ..] = header else {
            return None;
        };
        let length = u32::from_be_bytes([0, high, mid, low]) as usize;
        // §6.10: nothing else comes between the frames of a block. §8.4: only servers push
        if self.block.is_some() != (kind == CONTINUATION) || kind == PUSH_PROMISE {
            return None;
        }
        if kind != HEADERS && kind != CONTINUATION {
            self.skipped = length;
            return Some(());
        }
        let block = self.block.get_or_insert_default();
        (self.part, self.wanted) = (Part::Headers { kind, flags }, length);
        (block.len() + length <= MOST_HEADERS).then_some(())
    }

    fn headers(&mut self, kind: u8, flags: u8, payload: &[u8]) -> Option<()> {
        let fragment = match kind {
            HEADERS => without_extras(flags, payload)?,
            _ => payload,
        };
        let block = self.block.get_or_insert_default();
        block.extend(fragment);
        if flags & END_HEADERS != 0 {
            self.table.check(&self.block.take()?)?;
        }
        Some(())
    }
}

/// A fragment without padding and priority (§6.2).
fn without_extras(flags: u8, mut payload: &[u8]) -> Option<&[u8]> {
    if flags & PADDED != 0 {
        let (&padding, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(padding.into())?)?;
    }
    if flags & PRIORITY != 0 {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::{MOST_HELD, PREFACE, Refused, Watch};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let header = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        [&header[..], payload].concat()
    }

    /// A connection's verdict, the same however its bytes are cut; what passes, passes unchanged.
    fn verdict(frames: &[Vec<u8>]) -> Result<(), Refused> {
        let all = [PREFACE.to_vec(), frames.concat()].concat();
        let whole = Watch::default()
            .take(&all)
            .map(|passed| assert_eq!(passed, all));
        for size in [1, 2, 7] {
            let (mut watch, mut passed) = (Watch::default(), Vec::<u8>::new());
            let verdict = all
                .chunks(size)
                .try_for_each(|piece| watch.take(piece).map(|part| passed.extend(part)));
            assert_eq!(verdict, whole);
            assert!(verdict.is_err() || passed == all);
        }
        whole
    }

    #[test]
    fn a_path_is_looked_at_wherever_its_frame_is_cut_or_padded() {
        for (path, expected) in [(b'a', Ok(())), (0xFF, Err(Refused))] {
            let block = [0x83, 0x04, 0x02, b'/', path];
            let data = frame(0, 1, &[0xFF; 40]);
            for headers in [
                vec![frame(1, 0x05, &block)],
                vec![frame(1, 0x0D, &[&[2][..], &block, &[0, 0]].concat())],
                vec![frame(1, 0x25, &[&[0; 5][..], &block].concat())],
                vec![frame(1, 0x01, &block[..4]), frame(9, 0x04, &block[4..])],
                vec![frame(1, 0, &[]), frame(9, 0, &block), frame(9, 4, &[])],
            ] {
                let settings = frame(4, 0, &[]);
                assert_eq!(
                    verdict(&[&[settings], &headers[..], std::slice::from_ref(&data)].concat()),
                    expected
                );
            }
        }
    }

    #[test]
    fn a_header_block_is_held_back_until_it_is_whole() {
        let headers = frame(1, 0x04, &[0x83, 0x04, 0x02, b'/', b'a']);
        let start = [PREFACE, &frame(4, 0, &[]), &headers[..12]].concat();
        let mut watch = Watch::default();
        assert_eq!(watch.take(&start), Ok(&[][..]));
        let whole = [&start[..], &headers[12..]].concat();
        assert_eq!(watch.take(&headers[12..]), Ok(&whole[..]));
        assert_eq!(watch.take(b"\0"), Ok(&[0][..]));
        let nearly_empty = frame(9, 0, &[]).repeat(MOST_HELD / 9 + 1);
        assert_eq!(verdict(&[frame(1, 0, &[]), nearly_empty]), Err(Refused));
    }

    #[test]
    fn what_no_client_sends_is_refused() {
        let other = b"GET / HTTP/1.1\r\nHost: cardd\r\n";
        assert_eq!(Watch::default().take(other), Err(Refused));
        let open = frame(1, 0, &[0x83]);
        assert_eq!(verdict(&[open.clone(), frame(0, 0, &[])]), Err(Refused));
        assert_eq!(verdict(&[open.clone(), open.clone()]), Err(Refused));
        assert_eq!(verdict(&[frame(9, 4, &[])]), Err(Refused));
        assert_eq!(verdict(&[frame(5, 4, &[])]), Err(Refused));
        assert_eq!(verdict(&[frame(1, 0x0C, &[9])]), Err(Refused));
        assert_eq!(verdict(&[frame(1, 0x24, &[0; 4])]), Err(Refused));
        let endless = vec![frame(9, 0, &[0x83; 16_384]); 4];
        assert_eq!(verdict(&[&[open], &endless[..]].concat()), Err(Refused));
    }
}
