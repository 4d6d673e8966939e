//! Bytes that are wiped when dropped, and comparison in constant time.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::CryptoError;

/// Key material or a derived value: wiped on drop, without `Debug` and `Display`.
///
/// The bytes stay in one heap allocation, so that moving a `Secret` leaves no copy behind.
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes a copy of the bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(Box::from(bytes)))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::new(&bytes)
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// That a presented code is the expected one, in a time that depends on their lengths only.
///
/// # Errors
/// [`CryptoError::BadMac`].
pub(crate) fn check(expected: &[u8], presented: &[u8]) -> Result<(), CryptoError> {
    if equal(expected, presented) {
        Ok(())
    } else {
        Err(CryptoError::BadMac)
    }
}
