//! Mutual authentication (Amendment D §6.2.2, §7.1).

use zeroize::Zeroizing;

use super::kdf::{Constant, derive, expected_challenge};
use super::session::{Keys, Session};
use super::{DataLessCounter, Level, Mode};
use crate::apdu;
use crate::chains::Aes;
use crate::cmac::Cmac;
use crate::error::CryptoError;
use crate::secret::check;

/// Ten bytes of diversification data, key version, protocol identifier, protocol parameter.
const KEY_INFORMATION: usize = 13;
const SEQUENCE_COUNTER: usize = 3;
/// Protocol parameter "i": the card derives its challenge from a counter.
const PSEUDO_RANDOM: u8 = 0x10;

/// What the host chooses beside keys and challenge.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// What the session shall protect.
    pub level: Level,
    /// The key version number; 0 lets the card choose.
    pub key_version: u8,
    /// The key identifier; 0 but for old cards.
    pub key_id: u8,
    /// What this card's encryption counter does at commands without data.
    pub data_less_counter: DataLessCounter,
    /// The application that is asked. If given, a challenge from a counter is recomputed and must fit.
    pub aid: Option<Vec<u8>>,
}

/// A host with its keys and its challenge, before the card has answered.
pub struct Host {
    enc: StaticKey,
    mac: StaticKey,
    mode: Mode,
    challenge: Vec<u8>,
    parameters: Parameters,
}

/// A card that has proved itself; the host has yet to.
pub struct Opening {
    command: Vec<u8>,
    card: CardInformation,
    session: Session,
}

struct StaticKey {
    cmac: Cmac,
    length: usize,
}

#[derive(Clone)]
struct CardInformation {
    diversification: [u8; 10],
    key_version: u8,
    parameter: u8,
    sequence_counter: Option<[u8; SEQUENCE_COUNTER]>,
}

impl Parameters {
    /// The level, and for the rest what most cards want.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            key_version: 0,
            key_id: 0,
            data_less_counter: DataLessCounter::Advances,
            aid: None,
        }
    }
}

impl Host {
    /// From the keys K-ENC and K-MAC of 16, 24 or 32 bytes and a fresh random challenge, of 8 bytes
    /// for the mode S8 or 16 for S16.
    ///
    /// # Errors
    /// A key or challenge of another length, or two keys of different lengths.
    pub fn new(
        enc: &[u8],
        mac: &[u8],
        challenge: &[u8],
        parameters: Parameters,
    ) -> Result<Self, CryptoError> {
        let mode = match challenge.len() {
            8 => Mode::S8,
            16 => Mode::S16,
            actual => {
                return Err(CryptoError::WrongLength {
                    field: "host challenge",
                    expected: 8,
                    actual,
                });
            }
        };
        let (enc, mac) = (StaticKey::new("K-ENC", enc)?, StaticKey::new("K-MAC", mac)?);
        if mac.length != enc.length {
            return Err(CryptoError::WrongLength {
                field: "K-MAC",
                expected: enc.length,
                actual: mac.length,
            });
        }
        Ok(Self {
            enc,
            mac,
            mode,
            challenge: challenge.to_vec(),
            parameters,
        })
    }

    /// The command INITIALIZE UPDATE (§7.1.1).
    #[must_use]
    pub fn initialize_update(&self) -> Vec<u8> {
        let Parameters {
            key_version,
            key_id,
            ..
        } = self.parameters;
        let length = if self.mode == Mode::S8 { 8 } else { 16 };
        let mut command = vec![0x80, 0x50, key_version, key_id, length];
        command.extend(&self.challenge);
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
        let length = self.mode.length();
        let (card, challenge, cryptogram) = card_information(data, length)?;
        if let (Some(aid), Some(counter)) = (&self.parameters.aid, &card.sequence_counter) {
            let mut expected = vec![0; length];
            expected_challenge(&self.enc.cmac, counter, aid, &mut expected);
            check(&expected, challenge)?;
        }
        let context = [&self.challenge, challenge].concat();
        let keys = self.session_keys(&context)?;
        let mut expected = vec![0; length];
        derive(&keys.mac, Constant::CardCryptogram, &context, &mut expected);
        check(&expected, cryptogram)?;
        derive(&keys.mac, Constant::HostCryptogram, &context, &mut expected);
        let Parameters {
            level,
            data_less_counter,
            ..
        } = self.parameters;
        let mut session = Session::new(keys, level, length, data_less_counter);
        let command = session.external_authenticate(&expected);
        Ok(Opening {
            command,
            card,
            session,
        })
    }

    fn session_keys(&self, context: &[u8]) -> Result<Keys, CryptoError> {
        let s_enc = self.enc.session_key(Constant::SEnc, context);
        let s_mac = self.mac.session_key(Constant::SMac, context);
        let s_rmac = self.mac.session_key(Constant::SRMac, context);
        Ok(Keys {
            enc: Aes::new("S-ENC", &s_enc)?,
            mac: Cmac::new("S-MAC", &s_mac)?,
            rmac: Cmac::new("S-RMAC", &s_rmac)?,
        })
    }
}

impl Opening {
    /// The command EXTERNAL AUTHENTICATE (§7.1.2).
    #[must_use]
    pub fn external_authenticate(&self) -> &[u8] {
        &self.command
    }

    /// The card's diversification data.
    #[must_use]
    pub const fn diversification(&self) -> &[u8; 10] {
        &self.card.diversification
    }

    /// The version of the keys that the card has used.
    #[must_use]
    pub const fn key_version(&self) -> u8 {
        self.card.key_version
    }

    /// The protocol parameter "i": what the card can do (§5.1).
    #[must_use]
    pub const fn parameter(&self) -> u8 {
        self.card.parameter
    }

    /// The counter that the card's challenge came from, unless it was drawn at random.
    #[must_use]
    pub const fn sequence_counter(&self) -> Option<&[u8; SEQUENCE_COUNTER]> {
        self.card.sequence_counter.as_ref()
    }

    /// Takes the response to EXTERNAL AUTHENTICATE.
    ///
    /// # Errors
    /// A refusal.
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

impl StaticKey {
    fn new(field: &'static str, key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            cmac: Cmac::new(field, key)?,
            length: key.len(),
        })
    }

    /// A session key is as long as the key it comes from.
    fn session_key(&self, constant: Constant, context: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; self.length]);
        derive(&self.cmac, constant, context, &mut key);
        key
    }
}

type CardResponse<'a> = (CardInformation, &'a [u8], &'a [u8]);

fn card_information(data: &[u8], length: usize) -> Result<CardResponse<'_>, CryptoError> {
    let without_counter = KEY_INFORMATION + 2 * length;
    let parameter = data.get(KEY_INFORMATION - 1).copied().unwrap_or_default();
    let counter_length = match parameter & PSEUDO_RANDOM {
        0 => 0,
        _ => SEQUENCE_COUNTER,
    };
    let wrong_length = CryptoError::WrongLength {
        field: "response to INITIALIZE UPDATE",
        expected: without_counter + counter_length,
        actual: data.len(),
    };
    if data.len() != without_counter + counter_length {
        return Err(wrong_length);
    }
    let (information, rest) = data
        .split_first_chunk::<KEY_INFORMATION>()
        .ok_or(wrong_length)?;
    let (&diversification, keys) = information.split_first_chunk().ok_or(wrong_length)?;
    let &[key_version, protocol, _] = keys else {
        return Err(wrong_length);
    };
    if protocol != 0x03 {
        return Err(CryptoError::BadInput {
            field: "response to INITIALIZE UPDATE",
            reason: "is of another protocol than SCP03",
        });
    }
    let (challenge, rest) = rest.split_at(length);
    let (cryptogram, counter) = rest.split_at(length);
    let card = CardInformation {
        diversification,
        key_version,
        parameter,
        sequence_counter: counter.try_into().ok(),
    };
    Ok((card, challenge, cryptogram))
}
