//! The string code of RFC 7541 §5.2.

use crate::hpack_tables::CODE_LENGTHS;

const LONGEST: usize = 30;
const END: u16 = 256;

/// For each length: its first code, how many codes it has, and where their symbols begin.
struct Codes {
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    start: [u32; LONGEST + 1],
    symbols: [u16; 257],
}

static CODES: Codes = codes();

/// The string behind the code; `None` if it is none.
pub(crate) fn decode(code: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(code.len() * 8 / 5);
    let (mut value, mut length) = (0_u32, 0);
    for bit in code
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
    {
        value = value << 1 | u32::from(bit);
        length += 1;
        if length > LONGEST {
            return None;
        }
        let offset = value.wrapping_sub(CODES.first[length]);
        if offset < CODES.count[length] {
            let symbol = CODES.symbols[(CODES.start[length] + offset) as usize];
            text.push(u8::try_from(symbol).ok()?);
            (value, length) = (0, 0);
        }
    }
    // What is left is the beginning of the end's code: ones, less than a byte of them
    (length < 8 && value == (1 << length) - 1).then_some(text)
}

const fn codes() -> Codes {
    let mut codes = Codes {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        symbols: [END; 257],
    };
    let (mut length, mut code, mut used) = (1, 0, 0);
    while length <= LONGEST {
        code <<= 1;
        codes.first[length] = code;
        codes.start[length] = used;
        let mut symbol = 0;
        while symbol <= END {
            if CODE_LENGTHS[symbol as usize] as usize == length {
                codes.symbols[used as usize] = symbol;
                used += 1;
                code += 1;
            }
            symbol += 1;
        }
        codes.count[length] = used - codes.start[length];
        length += 1;
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 7541 C.4.1, C.4.2, C.6.1
        for (code, text) in [
            (
                &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..],
                "www.example.com",
            ),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x64\x02", "302"),
            (b"", ""),
        ] {
            assert_eq!(decode(code).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn every_byte_has_its_code() {
        // '0' is 00000; ones fill up to the byte
        assert_eq!(decode(&[0b0000_0111]).as_deref(), Some(&b"0"[..]));
        // 0xFF and the NUL, with the codes 3fffee/26 and 1ff8/13 (appendix B)
        assert_eq!(decode(b"\xff\xff\xfb\xbf").as_deref(), Some(&b"\xff"[..]));
        assert_eq!(decode(b"\xff\xc7").as_deref(), Some(&b"\x00"[..]));
    }

    #[test]
    fn wrong_padding_and_the_end_itself_are_refused() {
        assert_eq!(decode(&[0b0000_0110]), None);
        assert_eq!(decode(&[0b0000_0111, 0xFF]), None);
        assert_eq!(decode(b"\xff\xff\xff\xff"), None);
    }
}
