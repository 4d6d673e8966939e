//! What a client sends, looked at in passing: a connection that would break the server is ended.
//!
//! grpcio's asyncio server decodes the path of each request in the loop that serves all of them; a
//! path that is not UTF-8 ends the loop, and with it the server; any other header that is not fills
//! its log. So none of them gets there: what passes is the ASCII that gRPC's protocol wants.
//!
//! A header block is held back until it is whole, for gRPC's core acts on the first part of one that
//! is cut off. It goes on in frames of our own making, which hold what was looked at and nothing else:
//! the core takes the padding of a HEADERS frame (RFC 9113 §6.2) for a part of the block.

use crate::hpack::Headers;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
/// What every server takes (RFC 9113 §4.2).
const FRAME: usize = 1 << 14;
// §6
const HEADERS: u8 = 0x1;
const PUSH_PROMISE: u8 = 0x5;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// gRPC's core takes headers of a quarter of this.
const MOST_HEADERS: usize = 1 << 16;
/// Of the frames of one block, which may be nearly empty.
const MOST_IN_FRAMES: usize = 4 * MOST_HEADERS;

/// A connection that is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// The direction from client to server of one connection.
pub struct Watch {
    part: Part,
    /// What has come of that part, and how much there has to be.
    collected: Vec<u8>,
    wanted: usize,
    /// How much passes before it.
    skipped: usize,
    /// The header block that is under way, in one frame or in several.
    block: Option<Block>,
    table: Headers,
    /// What the server gets now.
    passed: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Part {
    Preface,
    FrameHeader,
    Headers { flags: u8 },
    Continuation { flags: u8 },
}

struct Block {
    stream: [u8; 4],
    /// The flag that says whether the block ends the stream.
    end_stream: u8,
    fragments: Vec<u8>,
    /// How much its frames have taken so far.
    in_frames: usize,
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
            passed: Vec::new(),
        }
    }
}

impl Watch {
    /// Takes the next bytes, in pieces of any length, and gives what the server may get now.
    ///
    /// # Errors
    /// Bytes that no client of HTTP/2 sends, headers that do not decode or are not ASCII.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<&[u8], Refused> {
        self.passed.clear();
        loop {
            let (passed, rest) = bytes.split_at(self.skipped.min(bytes.len()));
            self.passed.extend(passed);
            self.skipped -= passed.len();
            let missing = self.wanted - self.collected.len();
            let (taken, rest) = rest.split_at(missing.min(rest.len()));
            self.collected.extend(taken);
            if matches!(self.part, Part::Preface) {
                self.passed.extend(taken);
            }
            bytes = rest;
            if self.skipped > 0 || self.collected.len() < self.wanted {
                return Ok(&self.passed);
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
            Part::Headers { flags } => self.fragment(flags, without_extras(flags, part)?),
            Part::Continuation { flags } => self.fragment(flags, part),
        }
    }

    fn frame(&mut self, header: &[u8]) -> Option<()> {
        let &[high, mid, low, kind, flags, ref stream @ ..] = header else {
            return None;
        };
        let stream = stream.try_into().ok()?;
        let length = u32::from_be_bytes([0, high, mid, low]) as usize;
        match (kind, &mut self.block) {
            (HEADERS, None) => {
                self.part = Part::Headers { flags };
                self.block = Some(Block {
                    stream,
                    end_stream: flags & END_STREAM,
                    fragments: Vec::new(),
                    in_frames: length,
                });
            }
            // §6.10: nothing else comes between the frames of a block
            (CONTINUATION, Some(block)) if block.stream == stream => {
                self.part = Part::Continuation { flags };
                block.in_frames += FRAME_HEADER + length;
                let fits = block.fragments.len() + length <= MOST_HEADERS;
                (fits && block.in_frames <= MOST_IN_FRAMES).then_some(())?;
            }
            // §8.4: only servers push
            (CONTINUATION | PUSH_PROMISE, _) | (_, Some(_)) => return None,
            (_, None) => {
                self.passed.extend(header);
                self.skipped = length;
                return Some(());
            }
        }
        self.wanted = length;
        (length <= MOST_HEADERS).then_some(())
    }

    fn fragment(&mut self, flags: u8, fragment: &[u8]) -> Option<()> {
        let block = self.block.as_mut()?;
        block.fragments.extend(fragment);
        if flags & END_HEADERS != 0 {
            let block = self.block.take()?;
            self.table.check(&block.fragments)?;
            block.write(&mut self.passed);
        }
        Some(())
    }
}

impl Block {
    /// HEADERS, and as many CONTINUATION as it takes (§6.2, §6.10).
    fn write(&self, out: &mut Vec<u8>) {
        let (mut kind, mut flags, mut rest) = (HEADERS, self.end_stream, &self.fragments[..]);
        loop {
            let (fragment, after) = rest.split_at(rest.len().min(FRAME));
            if after.is_empty() {
                flags |= END_HEADERS;
            }
            // FRAME fits the two lower bytes of a length
            let [.., mid, low] = fragment.len().to_be_bytes();
            out.extend([0, mid, low, kind, flags]);
            out.extend(self.stream);
            out.extend(fragment);
            if after.is_empty() {
                return;
            }
            (kind, flags, rest) = (CONTINUATION, 0, after);
        }
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
    use super::{MOST_IN_FRAMES, PREFACE, Refused, Watch};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let header = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        [&header[..], payload].concat()
    }

    /// What the server gets of these frames: the same however the bytes are cut.
    fn passed(frames: &[Vec<u8>]) -> Result<Vec<u8>, Refused> {
        let all = [PREFACE.to_vec(), frames.concat()].concat();
        let whole = Watch::default().take(&all).map(<[u8]>::to_vec);
        for size in [1, 2, 7] {
            let (mut watch, mut passed) = (Watch::default(), Vec::<u8>::new());
            let verdict = all
                .chunks(size)
                .try_for_each(|piece| watch.take(piece).map(|part| passed.extend(part)));
            assert_eq!(verdict.map(|()| passed), whole);
        }
        whole.map(|all| all[PREFACE.len()..].to_vec())
    }

    #[test]
    fn the_server_gets_what_was_looked_at_and_nothing_else() {
        let (settings, data) = (frame(4, 0, &[]), frame(0, 1, &[0xFF; 40]));
        for (path, good) in [(b'a', true), (0xFF, false)] {
            let block = [0x83, 0x04, 0x02, b'/', path];
            let padded = [&[2][..], &block, &[0x83, 0x83]].concat();
            let weighted = [&[0; 5][..], &block].concat();
            for headers in [
                vec![frame(1, 0x05, &block)],
                vec![frame(1, 0x0D, &padded)],
                vec![frame(1, 0x25, &weighted)],
                vec![frame(1, 0x2D, &[&[1][..], &weighted, &[7]].concat())],
                vec![frame(1, 0x01, &block[..4]), frame(9, 0x04, &block[4..])],
                vec![frame(1, 1, &[]), frame(9, 0, &block), frame(9, 4, &[])],
                vec![frame(1, 0xD5, &block)], // flags without a meaning
            ] {
                let around = [&settings, &data].map(std::slice::from_ref);
                let sent = [around[0], &headers[..], around[1]];
                let plain = [&settings[..], &frame(1, 0x05, &block), &data].concat();
                assert_eq!(passed(&sent.concat()), good.then_some(plain).ok_or(Refused));
            }
        }
    }

    #[test]
    fn a_long_block_goes_on_in_frames_that_every_server_takes() {
        let long = [&[0x04, 0x7F, 0xA1, 0x9B, 0x01][..], &[b'/'; 20_000]].concat();
        let whole = passed(&[frame(1, 0x04, &long)]);
        let frames = [frame(1, 0, &long[..16_384]), frame(9, 4, &long[16_384..])];
        assert!(whole == Ok(frames.concat()) && passed(&frames) == whole);
    }

    #[test]
    fn a_header_block_is_held_back_until_it_is_whole() {
        let headers = frame(1, 0x04, &[0x83, 0x04, 0x02, b'/', b'a']);
        let before = [PREFACE, &frame(4, 0, &[])].concat();
        let mut watch = Watch::default();
        let start = [&before, &headers[..12]].concat();
        assert_eq!(watch.take(&start), Ok(&before[..]));
        assert_eq!(watch.take(&headers[12..]), Ok(&headers[..]));
        let nearly_empty = frame(9, 0, &[]).repeat(MOST_IN_FRAMES / 9 + 1);
        assert_eq!(passed(&[frame(1, 0, &[]), nearly_empty]), Err(Refused));
    }

    #[test]
    fn what_no_client_sends_is_refused() {
        let other = b"GET / HTTP/1.1\r\nHost: cardd\r\n";
        assert_eq!(Watch::default().take(other), Err(Refused));
        let open = frame(1, 0, &[0x83]);
        assert_eq!(passed(&[open.clone(), frame(0, 0, &[])]), Err(Refused));
        assert_eq!(passed(&[open.clone(), open.clone()]), Err(Refused));
        assert_eq!(passed(&[frame(9, 4, &[])]), Err(Refused));
        let mut of_another_stream = frame(9, 4, &[]);
        of_another_stream[8] = 3;
        assert_eq!(passed(&[open.clone(), of_another_stream]), Err(Refused));
        assert_eq!(passed(&[frame(5, 4, &[])]), Err(Refused));
        assert_eq!(passed(&[frame(1, 0x0C, &[9])]), Err(Refused));
        assert_eq!(passed(&[frame(1, 0x24, &[0; 4])]), Err(Refused));
        let endless = vec![frame(9, 0, &[0x83; 16_384]); 4];
        assert_eq!(passed(&[&[open], &endless[..]].concat()), Err(Refused));
    }
}
