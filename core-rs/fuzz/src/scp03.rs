//! The card's side of SCP03 (GPCS Amendment D), in the mode S16, which shows codes whole.

use session_crypto::cmac::Cmac;
use session_crypto::scp03::{Host, Level, Parameters, Session};

use crate::{KEY, response};

const HOST_CHALLENGE: [u8; 16] = [0x11; 16];
const CARD_CHALLENGE: [u8; 16] = [0x22; 16];

/// A card in an open session.
pub struct Card {
    rmac: Cmac,
}

/// A session of the level that the byte chooses, and its card.
pub fn opened(choice: u8) -> (Session, Card) {
    let levels = [0x01, 0x03, 0x11, 0x13, 0x33];
    let level = Level::try_from(levels[usize::from(choice) % levels.len()]).unwrap();
    let host = Host::new(&KEY, &KEY, &HOST_CHALLENGE, Parameters::new(level)).unwrap();
    let opening = host.receive(&answer()).unwrap();
    let session = opening.confirm(&[0x90, 0]).unwrap();
    let rmac = Cmac::new("S-RMAC", &derived(&KEY, 0x07)).unwrap();
    (session, Card { rmac })
}

/// A host of the mode S16 that awaits [`answer`].
pub fn host() -> Host {
    Host::new(&KEY, &KEY, &HOST_CHALLENGE, Parameters::new(Level::CMac)).unwrap()
}

/// The right response to INITIALIZE UPDATE.
pub fn answer() -> Vec<u8> {
    let cryptogram = derived(&derived(&KEY, 0x06), 0x00);
    let information = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 1];
    [&information[..], &CARD_CHALLENGE, &cryptogram, &[0x90, 0]].concat()
}

impl Card {
    /// A response with its code, after a command as the host has sent it.
    pub fn authenticated(&self, command: &[u8], bytes: &[u8]) -> Vec<u8> {
        let (data, status) = response(bytes);
        // Lc is one byte, or two behind a zero
        let end = match command[4] {
            0 => 7 + usize::from(u16::from_be_bytes([command[5], command[6]])),
            length => 5 + usize::from(length),
        };
        let chain = &command[end - 16..end];
        let code = self.rmac.tag(&[chain, data, &status].concat());
        [data, &code, &status].concat()
    }
}

/// 16 bytes by the derivation of §4.1.5.
fn derived(key: &[u8], constant: u8) -> [u8; 16] {
    let mut input = [0; 48];
    input[11] = constant;
    input[14] = 128; // bits
    input[15] = 1; // the counter
    input[16..32].copy_from_slice(&HOST_CHALLENGE);
    input[32..].copy_from_slice(&CARD_CHALLENGE);
    Cmac::new("key", key).unwrap().tag(&input)
}
