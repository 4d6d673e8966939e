//! Secured packets (TS 102 225; TS 31.115 for short messages), at both ends: a server builds command
//! packets and opens response packets, a card the reverse.
//!
//! ```text
//! command   CPL 2 | CHL 1 | SPI 2 | KIc 1 | KID 1 | TAR 3 | CNTR 5 | PCNTR 1 | RC/CC | data
//! response  RPL 2 | RHL 1 | TAR 3 |                         CNTR 5 | PCNTR 1 | STS 1 | RC/CC | data
//! ```
//! The check comes first, over everything but itself and with the padding; then all from CNTR on is
//! encrypted. A receiver of an encrypted packet therefore has to decrypt before it can verify: it
//! looks at nothing that it has decrypted, the padding counter included, until the check fits.

mod command;
mod counter;
mod keys;
mod many;
mod response;
mod seal;
mod spi;

pub use command::{Command, Header};
pub use counter::{MOST_COUNTER, advance};
pub use keys::KeySet;
pub(crate) use many::{Group, Receipts};
pub use response::{Response, Status};
pub use spi::{Check, CounterMode, Receipt, Spi};
