//! As much of HTTP/2's header compression (RFC 7541) as it takes to see whether headers are text.
//!
//! Of the dynamic table only sizes are kept, and what values the names may have: an entry's own value
//! was looked at when it came.

use std::collections::VecDeque;

use crate::hpack_tables::STATIC_NAME_LENGTHS;
use crate::huffman;

/// The table that a peer may use unless told otherwise, which gRPC's core does not (§4.2).
const TABLE: usize = 4096;
/// What an entry counts beside name and value (§4.1).
const ENTRY: usize = 32;

/// The dynamic table of one direction of a connection.
pub(crate) struct Headers {
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

#[derive(Clone, Copy)]
struct Name {
    length: usize,
    values: Values,
}

/// What gRPC allows (its protocol over HTTP/2, "Requests").
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Of `:path`: visible ASCII.
    Path,
    /// Of names with "-bin": anything, which cores send to each other as it is.
    Binary,
    /// Of all others: visible ASCII and spaces.
    Text,
}

struct Entry {
    name: Name,
    size: usize,
}

impl Headers {
    pub(crate) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            limit: TABLE,
        }
    }

    /// Reads a whole header block: `None` if it is none, or if what should be text is not.
    pub(crate) fn check(&mut self, block: &[u8]) -> Option<()> {
        let mut rest = Reader(block);
        while let Some(&first) = rest.0.first() {
            // §6: the first bits tell the form of a field
            if first & 0x80 != 0 {
                let index = rest.integer(7)?;
                self.name(index)?;
            } else if first & 0xC0 == 0x40 {
                let (name, value) = self.literal(&mut rest, 6)?;
                self.insert(name, value);
            } else if first & 0xE0 == 0x20 {
                self.limit = Some(rest.integer(5)?).filter(|limit| *limit <= TABLE)?;
                self.evict(0);
            } else {
                self.literal(&mut rest, 4)?;
            }
        }
        Some(())
    }

    /// A field's name, and the length of its value.
    fn literal(&self, rest: &mut Reader<'_>, bits: u32) -> Option<(Name, usize)> {
        let name = match rest.integer(bits)? {
            0 => Name::new(&rest.string()?)?,
            index => self.name(index)?,
        };
        let value = rest.string()?;
        let allowed = value.iter().all(|byte| match name.values {
            Values::Path => byte.is_ascii_graphic(),
            Values::Binary => true,
            Values::Text => byte.is_ascii_graphic() || *byte == b' ',
        });
        allowed.then_some((name, value.len()))
    }

    fn name(&self, index: usize) -> Option<Name> {
        let index = index.checked_sub(1)?;
        match STATIC_NAME_LENGTHS.get(index) {
            Some(&length) => Some(Name {
                length: length.into(),
                // Appendix A: 4 is ":path /", 5 ":path /index.html"
                values: match index + 1 {
                    4 | 5 => Values::Path,
                    _ => Values::Text,
                },
            }),
            None => {
                let entry = self.entries.get(index - STATIC_NAME_LENGTHS.len())?;
                Some(entry.name)
            }
        }
    }

    fn insert(&mut self, name: Name, value: usize) {
        let size = name.length + value + ENTRY;
        self.evict(size);
        // §4.4: what is larger than the table empties it
        if size <= self.limit {
            self.entries.push_front(Entry { name, size });
            self.size += size;
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.limit {
            match self.entries.pop_back() {
                Some(entry) => self.size -= entry.size,
                None => return,
            }
        }
    }
}

impl Name {
    /// A name as RFC 9113 §8.2.1 has it: visible ASCII in lower case.
    fn new(name: &[u8]) -> Option<Self> {
        let values = match name {
            b":path" => Values::Path,
            _ if name.ends_with(b"-bin") => Values::Binary,
            _ => Values::Text,
        };
        let allowed = |byte: &u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        name.iter().all(allowed).then_some(Self {
            length: name.len(),
            values,
        })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// §5.1: a number in the low bits of a byte, and in more bytes if it does not fit.
    fn integer(&mut self, bits: u32) -> Option<usize> {
        let most = (1 << bits) - 1;
        let mut number = usize::from(self.byte()?) & most;
        if number < most {
            return Some(number);
        }
        // No length or index of use is longer
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number += usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// §5.2: a string, plain or coded.
    fn string(&mut self) -> Option<Vec<u8>> {
        let coded = self.0.first()? & 0x80 != 0;
        let length = self.integer(7)?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        if coded {
            huffman::decode(string)
        } else {
            Some(string.to_vec())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::{Headers, TABLE};

    /// RFC 7541 C.4: three requests of one connection.
    const REQUESTS: [&[u8]; 3] = [
        b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
    ];

    #[test]
    fn the_table_grows_as_in_the_examples_of_the_standard() {
        let mut headers = Headers::new();
        for (request, size) in REQUESTS.iter().zip([57, 110, 164]) {
            assert_eq!(headers.check(request), Some(()));
            assert_eq!(headers.size, size);
        }
        assert_eq!(headers.check(b"\xc0"), Some(())); // 64, the oldest
        assert_eq!(headers.check(b"\xc1"), None);
        assert_eq!(headers.check(b"\x20"), Some(())); // a table of nothing
        assert_eq!((headers.size, headers.entries.len()), (0, 0));
        assert_eq!(headers.check(b"\xbe"), None);
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_however_it_is_named() {
        for good in [
            &b"\x04\x02/a"[..],
            b"\x00\x05:path\x02/a",
            b"\x44\x02/a",
            b"\x14\x01~",
        ] {
            assert_eq!(Headers::new().check(good), Some(()), "{good:x?}");
        }
        for bad in [
            &b"\x04\x02/\xff"[..],
            b"\x05\x02/\x80",
            b"\x00\x05:path\x01 ",
            b"\x10\x05:path\x01\x00",
            b"\x44\x02/\x7f",
            b"\x04\x84\xff\xff\xfb\xbf", // ff, coded
            b"\x00\x01a\x01\xff",
            b"\x0f\x2b\x01\x0a", // user-agent, by its index
        ] {
            assert_eq!(Headers::new().check(bad), None, "{bad:x?}");
        }
        // A name from the dynamic table
        assert_eq!(Headers::new().check(b"\x44\x02/a\x0f\x2f\x02/b"), Some(()));
        assert_eq!(Headers::new().check(b"\x44\x02/a\x0f\x2f\x02/\xff"), None);
        // Binary ones are nobody's business here
        assert_eq!(
            Headers::new().check(b"\x40\x05x-bin\x01\xff\x0f\x2f\x01\xfe"),
            Some(())
        );
    }

    #[test]
    fn a_name_that_is_no_text_in_lower_case_is_refused() {
        for name in [b"a\xff", b"a ", b"aA", b"a\x00"] {
            let block = [b"\x00\x02", &name[..], b"\x01x"].concat();
            assert_eq!(Headers::new().check(&block), None, "{name:x?}");
        }
        assert_eq!(Headers::new().check(b"\x00\x02te\x08trailers"), Some(()));
    }

    #[test]
    fn what_is_no_header_block_is_refused() {
        for block in [
            &b"\x80"[..],
            b"\xff\xff\xff\xff\xff\x7f",
            b"\x40",
            b"\x04\x05/",
            b"\x3f\xe2\x1f",
        ] {
            assert_eq!(Headers::new().check(block), None, "{block:x?}");
        }
        assert_eq!(Headers::new().check(b"\x3f\xe1\x1f"), Some(())); // a table of 4096
    }

    #[test]
    fn an_entry_larger_than_the_table_empties_it() {
        let mut headers = Headers::new();
        headers.check(b"\x44\x02/a").unwrap();
        let mut block = b"\x40\x01a\x7f\x81\x1f".to_vec(); // a value of 4096 bytes
        block.extend([b'x'; TABLE]);
        assert_eq!(headers.check(&block), Some(()));
        assert_eq!((headers.size, headers.entries.len()), (0, 0));
    }
}
