//! Mutual authentication (appendix E.4.2, E.5.1, E.5.2), started by the host.

use zeroize::Zeroizing;

use super::Level;
use super::session::{Keys, Session};
use crate::apdu;
use crate::des::{Block, Des};
use crate::error::{CryptoError, array, key_array};
use crate::secret::check;

/// Diversification data 10, key version 1, protocol 1, counter 2, challenge 6, cryptogram 8.
const RESPONSE: usize = 28;
const PROTOCOL: u8 = 0x02;

// Table E-3, for session keys
const C_MAC: [u8; 2] = [0x01, 0x01];
const R_MAC: [u8; 2] = [0x01, 0x02];
const S_ENC: [u8; 2] = [0x01, 0x82];

/// What the host chooses beside keys and challenge.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// What the session shall protect.
    pub level: Level,
    /// The key version number; 0 lets the card choose.
    pub key_version: u8,
    /// The application that is asked, for a card of the form "i" = 55: its challenge is recomputed and
    /// must fit.
    pub aid: Option<Vec<u8>>,
}

/// A host with its keys and its challenge, before the card has answered.
pub struct Host {
    enc: Box<Zeroizing<[u8; 16]>>,
    mac: Box<Zeroizing<[u8; 16]>>,
    challenge: Block,
    parameters: Parameters,
}

/// A card that has proved itself; the host has yet to.
pub struct Opening {
    command: Vec<u8>,
    diversification: [u8; 10],
    key_version: u8,
    sequence_counter: u16,
    session: Session,
}

impl Parameters {
    /// The level, and for the rest what most cards want.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            key_version: 0,
            aid: None,
        }
    }
}

impl Host {
    /// From the keys ENC and MAC of 16 bytes and a fresh random challenge of 8.
    ///
    /// # Errors
    /// A key or challenge of another length.
    pub fn new(
        enc: &[u8],
        mac: &[u8],
        challenge: &[u8],
        parameters: Parameters,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            enc: Box::new(key_array("ENC key", enc)?),
            mac: Box::new(key_array("MAC key", mac)?),
            challenge: array("host challenge", challenge)?,
            parameters,
        })
    }

    /// The command INITIALIZE UPDATE (E.5.1).
    #[must_use]
    pub fn initialize_update(&self) -> Vec<u8> {
        let mut command = vec![0x80, 0x50, self.parameters.key_version, 0, 8];
        command.extend(self.challenge);
        command.push(0);
        command
    }

    /// Takes the response to INITIALIZE UPDATE with its status word, checks the card's cryptogram, and
    /// answers with the host's. The challenge is spent either way.
    ///
    /// # Errors
    /// A refusal, a response of another shape, a cryptogram or a challenge that does not fit.
    pub fn receive(self, response: &[u8]) -> Result<Opening, CryptoError> {
        let (data, status) = apdu::response(response)?;
        if status != 0x9000 {
            return Err(CryptoError::Refused {
                command: "INITIALIZE UPDATE",
                status,
            });
        }
        let data: [u8; RESPONSE] = array("response", data)?;
        if data[11] != PROTOCOL {
            return Err(CryptoError::BadInput {
                field: "response",
                reason: "is not one of SCP02",
            });
        }
        let counter = [data[12], data[13]];
        // Counter and challenge are one field of eight bytes in all that follows
        let card: Block = array("response", &data[12..20])?;
        let mut plain = Box::new(Zeroizing::new([[0; 16]; 3]));
        let [enc, mac, rmac] = &mut **plain;
        derive(&self.enc, S_ENC, counter, enc)?;
        derive(&self.mac, C_MAC, counter, mac)?;
        derive(&self.mac, R_MAC, counter, rmac)?;
        let keys = Keys::new(plain)?;
        if let Some(aid) = &self.parameters.aid {
            // "i" = 55, E.4.2.3: the challenge is a code over the identifier
            check(&keys.mac.tag(&[0; 8], aid)[..6], &card[2..])?;
        }
        check(&cryptogram(&keys.enc, [self.challenge, card]), &data[20..])?;
        let host = cryptogram(&keys.enc, [card, self.challenge]);
        let mut session = Session::new(keys, self.parameters.level);
        Ok(Opening {
            command: session.external_authenticate(&host),
            diversification: array("response", &data[..10])?,
            key_version: data[10],
            sequence_counter: u16::from_be_bytes(counter),
            session,
        })
    }
}

impl Opening {
    /// The command EXTERNAL AUTHENTICATE (E.5.2).
    #[must_use]
    pub fn external_authenticate(&self) -> &[u8] {
        &self.command
    }

    /// Ten bytes that tell the card's keys from another's.
    #[must_use]
    pub const fn diversification(&self) -> &[u8; 10] {
        &self.diversification
    }

    /// The version of the keys that the card has taken.
    #[must_use]
    pub const fn key_version(&self) -> u8 {
        self.key_version
    }

    /// What makes the session keys differ from those of other sessions.
    #[must_use]
    pub const fn sequence_counter(&self) -> u16 {
        self.sequence_counter
    }

    /// Takes the response to EXTERNAL AUTHENTICATE with its status word.
    ///
    /// # Errors
    /// A refusal: the channel is not open.
    pub fn confirm(self, response: &[u8]) -> Result<Session, CryptoError> {
        match apdu::response(response)? {
            (_, 0x9000) => Ok(self.session),
            (_, status) => Err(CryptoError::Refused {
                command: "EXTERNAL AUTHENTICATE",
                status,
            }),
        }
    }
}

/// A session key (E.4.1): the constant, the counter and zeros, encrypted under the card's key.
fn derive(
    key: &[u8; 16],
    constant: [u8; 2],
    counter: [u8; 2],
    derived: &mut [u8; 16],
) -> Result<(), CryptoError> {
    derived[..2].copy_from_slice(&constant);
    derived[2..4].copy_from_slice(&counter);
    let cipher = Des::new("key", key)?;
    cipher.cbc_encrypt(&[0; 8], derived.as_chunks_mut().0);
    Ok(())
}

/// A cryptogram (E.4.2): the last block of a CBC over both challenges and padding.
fn cryptogram(enc: &Des, [first, second]: [Block; 2]) -> Block {
    let mut state = [0; 8];
    enc.mac(&mut state, &[first, second, [0x80, 0, 0, 0, 0, 0, 0, 0]]);
    state
}
