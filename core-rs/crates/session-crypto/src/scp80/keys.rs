//! The keys of one card, told by KIc and KID (TS 102 225 §5.1.2, §5.1.3).

use crate::chains::Aes;
use crate::cmac::Cmac;
use crate::crc;
use crate::des::Des;
use crate::error::CryptoError;

use super::spi::Check;

/// The keys for encryption and checksums of one card, with the bytes that name them.
///
/// The lower half of each byte is the algorithm: 1 DES, 5 triple DES with two keys, 9 with three, 2
/// AES (CBC in KIc, CMAC in KID). The upper half is the version of the key. If a packet carries a
/// redundancy check instead of a checksum, 1 in KID means CRC 16 and 5 CRC 32.
pub struct KeySet {
    pub(super) kic: u8,
    pub(super) kid: u8,
    cipher: Option<Cipher>,
    checksum: Option<Checksum>,
    code_length: usize,
}

/// A code of at most eight bytes.
pub(super) struct Code {
    bytes: [u8; 8],
    length: usize,
}

enum Cipher {
    Des(Des),
    Aes(Aes),
}

enum Checksum {
    Des(Des),
    Aes(Cmac),
}

#[derive(Clone, Copy)]
enum Algorithm {
    Des(usize),
    Aes,
}

impl KeySet {
    /// From KIc with its key and KID with its key. An empty key means that there is none, and that no
    /// packet may ask for it. `code_length` is that of a cryptographic checksum: 8, or 4.
    ///
    /// # Errors
    /// A byte that names no algorithm, a key of a length that the algorithm does not have.
    pub fn new(
        kic: u8,
        cipher_key: &[u8],
        kid: u8,
        checksum_key: &[u8],
        code_length: usize,
    ) -> Result<Self, CryptoError> {
        if code_length != 4 && code_length != 8 {
            return Err(CryptoError::BadInput {
                field: "length of the checksum",
                reason: "is neither 4 nor 8",
            });
        }
        let cipher = match (cipher_key, algorithm("KIc", kic)) {
            ([], _) => None,
            (key, Ok(Algorithm::Aes)) => Some(Cipher::Aes(Aes::new("KIc key", key)?)),
            (key, Ok(Algorithm::Des(length))) => Some(Cipher::Des(des("KIc key", key, length)?)),
            (_, Err(fault)) => return Err(fault),
        };
        let checksum = match (checksum_key, algorithm("KID", kid)) {
            ([], _) => None,
            (key, Ok(Algorithm::Aes)) => Some(Checksum::Aes(Cmac::new("KID key", key)?)),
            (key, Ok(Algorithm::Des(length))) => Some(Checksum::Des(des("KID key", key, length)?)),
            (_, Err(fault)) => return Err(fault),
        };
        Ok(Self {
            kic,
            kid,
            cipher,
            checksum,
            code_length,
        })
    }

    /// KIc.
    #[must_use]
    pub const fn kic(&self) -> u8 {
        self.kic
    }

    /// KID.
    #[must_use]
    pub const fn kid(&self) -> u8 {
        self.kid
    }

    /// The same with the keys of another card.
    pub(super) fn with_keys(
        &self,
        cipher_key: &[u8],
        checksum_key: &[u8],
    ) -> Result<Self, CryptoError> {
        let Self {
            kic,
            kid,
            code_length,
            ..
        } = *self;
        Self::new(kic, cipher_key, kid, checksum_key, code_length)
    }

    /// Whether encryption, and whether checksums are DES's: for these many packets have a faster way.
    pub(super) const fn is_des(&self) -> [bool; 2] {
        [
            matches!(self.cipher, Some(Cipher::Des(_))),
            matches!(self.checksum, Some(Checksum::Des(_))),
        ]
    }

    /// How many bytes of padding encryption needs.
    pub(super) fn padding(&self, ciphered: bool, length: usize) -> Result<usize, CryptoError> {
        if !ciphered {
            return Ok(0);
        }
        Ok(length.next_multiple_of(self.cipher()?.block_length()) - length)
    }

    pub(super) fn code_length(&self, check: Check) -> Result<usize, CryptoError> {
        Ok(match check {
            Check::None => 0,
            Check::Redundancy => match self.kid & 0x0F {
                1 => 2,
                5 => 4,
                _ => return Err(no_key("KID", "names no redundancy check")),
            },
            Check::Cryptographic => self.code_length,
            Check::Signature => {
                return Err(no_key(
                    "SPI",
                    "asks for a digital signature, which has no algorithm",
                ));
            }
        })
    }

    pub(super) fn code(&self, check: Check, message: &[u8]) -> Result<Code, CryptoError> {
        let mut code = Code {
            bytes: [0; 8],
            length: self.code_length(check)?,
        };
        match (check, &self.checksum) {
            (Check::Redundancy, _) if code.length == 2 => {
                code.bytes[..2].copy_from_slice(&crc::crc16(message));
            }
            (Check::Redundancy, _) => code.bytes[..4].copy_from_slice(&crc::crc32(message)),
            (Check::Cryptographic, Some(Checksum::Des(cipher))) => {
                // Zeros up to a block, which are not sent
                let (blocks, rest) = message.as_chunks();
                cipher.mac(&mut code.bytes, blocks);
                if !rest.is_empty() {
                    let mut last = [0; 8];
                    last[..rest.len()].copy_from_slice(rest);
                    cipher.mac(&mut code.bytes, &[last]);
                }
            }
            (Check::Cryptographic, Some(Checksum::Aes(cmac))) => {
                code.bytes.copy_from_slice(&cmac.tag(message)[..8]);
            }
            (Check::Cryptographic, None) => return Err(no_key("KID", "has no key here")),
            (Check::None | Check::Signature, _) => {}
        }
        Ok(code)
    }

    /// CBC with a vector of zeros: the counter in the first block makes packets differ.
    pub(super) fn encrypt(&self, secret: &mut [u8]) -> Result<(), CryptoError> {
        match self.cipher()? {
            Cipher::Des(cipher) => cipher.cbc_encrypt(&[0; 8], secret.as_chunks_mut().0),
            Cipher::Aes(cipher) => cipher.cbc_encrypt(&[0; 16], secret.as_chunks_mut().0),
        }
        Ok(())
    }

    pub(super) fn decrypt(&self, sealed: &mut [u8]) -> Result<(), CryptoError> {
        self.check_blocks(sealed.len())?;
        match self.cipher()? {
            Cipher::Des(cipher) => cipher.cbc_decrypt(&[0; 8], sealed.as_chunks_mut().0),
            Cipher::Aes(cipher) => cipher.cbc_decrypt(&[0; 16], sealed.as_chunks_mut().0),
        }
        Ok(())
    }

    pub(super) fn check_blocks(&self, sealed: usize) -> Result<(), CryptoError> {
        if sealed.is_multiple_of(self.cipher()?.block_length()) {
            return Ok(());
        }
        Err(CryptoError::BadInput {
            field: "packet",
            reason: "has no whole number of encrypted blocks",
        })
    }

    /// Padding is shorter than a block, and there is none without encryption.
    pub(super) fn is_padding(&self, ciphered: bool, count: usize) -> bool {
        match &self.cipher {
            Some(cipher) if ciphered => count < cipher.block_length(),
            _ => count == 0,
        }
    }

    fn cipher(&self) -> Result<&Cipher, CryptoError> {
        self.cipher.as_ref().ok_or(no_key("KIc", "has no key here"))
    }
}

impl Code {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Cipher {
    const fn block_length(&self) -> usize {
        match self {
            Self::Des(_) => 8,
            Self::Aes(_) => 16,
        }
    }
}

/// By the lower half of KIc or KID: both have the same.
const fn algorithm(field: &'static str, byte: u8) -> Result<Algorithm, CryptoError> {
    match byte & 0x0F {
        0x1 => Ok(Algorithm::Des(8)),
        0x5 => Ok(Algorithm::Des(16)),
        0x9 => Ok(Algorithm::Des(24)),
        0x2 => Ok(Algorithm::Aes),
        _ => Err(no_key(field, "names no algorithm of the standard")),
    }
}

fn des(field: &'static str, key: &[u8], expected: usize) -> Result<Des, CryptoError> {
    if key.len() == expected {
        return Des::new(field, key);
    }
    Err(CryptoError::WrongLength {
        field,
        expected,
        actual: key.len(),
    })
}

const fn no_key(field: &'static str, reason: &'static str) -> CryptoError {
    CryptoError::BadInput { field, reason }
}
