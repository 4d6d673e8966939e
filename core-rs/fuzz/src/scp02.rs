//! The card's side of SCP02 (GPCS 2.3 appendix E).

use session_crypto::des::{Block, Des, RetailMac};
use session_crypto::scp02::{Host, Level, Parameters, Session};

use crate::{KEY, response};

const HOST_CHALLENGE: Block = [0x11; 8];

/// The sequence counter, and six bytes drawn at random.
const fn card_challenge(counter: u8) -> Block {
    [0, counter, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22]
}

/// A card in an open session.
pub struct Card {
    rmac: RetailMac,
    chain: Block,
}

/// A session of the level that the byte chooses, and its card. By the counter it has keys of its own.
pub fn opened(choice: u8, counter: u8) -> (Session, Card) {
    let levels = [0x01, 0x03, 0x10, 0x11, 0x13];
    let level = Level::try_from(levels[usize::from(choice) % levels.len()]).unwrap();
    let host = Host::new(&KEY, &KEY, &HOST_CHALLENGE, Parameters::new(level)).unwrap();
    let opening = host.receive(&answer(counter)).unwrap();
    let command = opening.external_authenticate();
    let chain = *command.last_chunk().unwrap();
    let session = opening.confirm(&[0x90, 0]).unwrap();
    let rmac = RetailMac::new("S-RMAC", &session_key([1, 2], counter)).unwrap();
    (session, Card { rmac, chain })
}

/// A host that awaits an [`answer`].
pub fn host() -> Host {
    Host::new(&KEY, &KEY, &HOST_CHALLENGE, Parameters::new(Level::CMac)).unwrap()
}

/// The right response to INITIALIZE UPDATE.
pub fn answer(counter: u8) -> Vec<u8> {
    let challenge = card_challenge(counter);
    let enc = Des::new("S-ENC", &session_key([1, 0x82], counter)).unwrap();
    let mut cryptogram = [0; 8];
    let padding = [0x80, 0, 0, 0, 0, 0, 0, 0];
    enc.mac(&mut cryptogram, &[HOST_CHALLENGE, challenge, padding]);
    let information = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
    [&information[..], &challenge, &cryptogram, &[0x90, 0]].concat()
}

impl Card {
    /// A response with its code, after a command as the caller has given it to the host.
    pub fn authenticated(&mut self, command: &[u8], bytes: &[u8]) -> Vec<u8> {
        let (data, status) = response(bytes);
        let data = &data[..data.len().min(255)];
        let body = match command.get(5..) {
            Some(rest) if !rest.is_empty() => &rest[..usize::from(command[4])],
            _ => &[],
        };
        let mut covered = vec![command[0] & 0xF8, command[1], command[2], command[3]];
        covered.push(u8::try_from(body.len()).unwrap());
        covered.extend(body);
        covered.push(u8::try_from(data.len()).unwrap());
        covered.extend(data);
        covered.extend(status);
        self.chain = self.rmac.tag(&self.chain, &covered);
        [data, &self.chain, &status].concat()
    }
}

fn session_key(constant: [u8; 2], counter: u8) -> [u8; 16] {
    let mut key = [0; 16];
    key[..2].copy_from_slice(&constant);
    key[2..4].copy_from_slice(&card_challenge(counter)[..2]);
    let cipher = Des::new("key", &KEY).unwrap();
    cipher.cbc_encrypt(&[0; 8], key.as_chunks_mut().0);
    key
}
