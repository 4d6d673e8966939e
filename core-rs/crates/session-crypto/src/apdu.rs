//! Command APDUs as secure messaging sees them (ISO/IEC 7816-3 §12.1).

use crate::error::CryptoError;

/// A command taken apart.
pub(crate) struct Command<'a> {
    pub(crate) cla: u8,
    /// INS, P1, P2.
    pub(crate) fixed: [u8; 3],
    pub(crate) data: &'a [u8],
    /// Le as it stands: none, one byte, or two in the extended form.
    pub(crate) expected: &'a [u8],
    /// Whether the length fields are extended; without any they are not.
    pub(crate) extended: bool,
}

impl<'a> Command<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, CryptoError> {
        let Some((&[cla, ins, p1, p2], body)) = bytes.split_first_chunk() else {
            return Err(malformed("is shorter than its header"));
        };
        let (data, expected, extended) = fields(body)?;
        // Bit 8 apart, 0x04 marks secure messaging in the first form, 0x20 in the second
        if cla & secured_bit(cla) != 0 {
            return Err(malformed("is secured already"));
        }
        Ok(Self {
            cla,
            fixed: [ins, p1, p2],
            data,
            expected,
            extended,
        })
    }

    /// The class byte that goes over the wire (GPCS §11.1.4).
    pub(crate) const fn secured_class(&self) -> u8 {
        self.cla | secured_bit(self.cla)
    }

    /// The class byte that goes into the code: secured, logical channel 0 (GPCS §11.1.4).
    pub(crate) const fn authenticated_class(&self) -> u8 {
        (self.cla & 0x90) | 0x04
    }
}

/// Further interindustry classes carry channels 4 to 19 in the low bits (ISO/IEC 7816-4 §5.4.1).
const fn secured_bit(cla: u8) -> u8 {
    if cla & 0x40 == 0 { 0x04 } else { 0x20 }
}

type Fields<'a> = (&'a [u8], &'a [u8], bool);

fn fields(body: &[u8]) -> Result<Fields<'_>, CryptoError> {
    match *body {
        [] => Ok((&[], &[], false)),
        [_] => Ok((&[], body, false)),
        [0, _, _] => Ok((&[], &body[1..], true)),
        [0, high, low, ref rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            split(rest, length, 2, true)
        }
        [length, ref rest @ ..] => split(rest, usize::from(length), 1, false),
    }
}

fn split(
    rest: &[u8],
    length: usize,
    expected_length: usize,
    extended: bool,
) -> Result<Fields<'_>, CryptoError> {
    match rest.split_at_checked(length) {
        Some((data, expected))
            if length > 0 && (expected.is_empty() || expected.len() == expected_length) =>
        {
            Ok((data, expected, extended))
        }
        _ => Err(malformed("has lengths that contradict one another")),
    }
}

const fn malformed(reason: &'static str) -> CryptoError {
    CryptoError::BadInput {
        field: "command",
        reason,
    }
}

/// The data and the status word of a response.
pub(crate) fn response(bytes: &[u8]) -> Result<(&[u8], u16), CryptoError> {
    match bytes.split_last_chunk() {
        Some((data, status)) => Ok((data, u16::from_be_bytes(*status))),
        None => Err(CryptoError::BadInput {
            field: "response",
            reason: "is shorter than its status word",
        }),
    }
}

/// Whether a card sends data with this status, hence protects it: success and warnings.
pub(crate) const fn is_protected(status: u16) -> bool {
    status == 0x9000 || matches!(status >> 8, 0x62 | 0x63)
}
