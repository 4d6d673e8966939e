//! Session cryptography: secure channels and secured packets to cards, MILENAGE and TUAK, keys of GBA
//! and 5G AKA, sequence numbers, OMA DM and HTTP digest credentials.
//!
//! One file per primitive. Keys live in types that are wiped on drop and have no `Debug`; tags are
//! compared in constant time; nothing here reads a clock or draws random numbers. `unsafe` is
//! written in `chains::ni` and nowhere else.

mod apdu;
pub mod batch;
pub mod chains;
pub mod cmac;
pub mod crc;
pub mod des;
pub mod dm_auth;
mod error;
pub mod five_g;
pub mod gba;
mod hash;
pub mod http_digest;
mod kdf;
pub mod milenage;
pub mod push;
pub mod scp02;
pub mod scp03;
pub mod scp80;
mod secret;
pub mod sms;
pub mod sqn;
pub mod tuak;

pub use error::CryptoError;
pub use secret::{Secret, equal};
