//! The counter against replay (TS 102 225 §5.1.4).

use super::spi::CounterMode;
use crate::error::CryptoError;

/// The highest counter: five bytes. A receiver that has seen it accepts nothing more.
pub const MOST_COUNTER: u64 = (1 << 40) - 1;

/// The value to store after a command whose check has been found right.
///
/// The stored value is the caller's: it is changed only when the command is carried out, and the
/// two modes without a check leave it as it is.
///
/// # Errors
/// A counter that is too low, too high or blocked: statuses 02, 03 and 04 of a proof of receipt. A
/// number that five bytes cannot hold.
pub fn advance(mode: CounterMode, stored: u64, received: u64) -> Result<u64, CryptoError> {
    check_range(stored)?;
    check_range(received)?;
    match mode {
        CounterMode::None | CounterMode::Unchecked => Ok(stored),
        CounterMode::Higher | CounterMode::Next if stored == MOST_COUNTER => {
            Err(CryptoError::CounterBlocked)
        }
        CounterMode::Higher | CounterMode::Next if received <= stored => {
            Err(CryptoError::CounterLow)
        }
        CounterMode::Next if received > stored + 1 => Err(CryptoError::CounterHigh),
        CounterMode::Higher | CounterMode::Next => Ok(received),
    }
}

pub(super) const fn check_range(counter: u64) -> Result<(), CryptoError> {
    if counter > MOST_COUNTER {
        return Err(CryptoError::BadInput {
            field: "counter",
            reason: "is more than five bytes can hold",
        });
    }
    Ok(())
}
