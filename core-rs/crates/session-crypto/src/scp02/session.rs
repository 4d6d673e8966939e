//! Secure messaging (appendix E.4.4 to E.4.6), with codes over the modified command and their vectors
//! encrypted: bits 2 and 5 of "i" are 0 and 1.

use std::ops::Range;

use zeroize::Zeroizing;

use super::Level;
use crate::apdu::{self, Command};
use crate::des::{Block, Des, RetailMac};
use crate::error::CryptoError;
use crate::secret::equal;

/// A command with its header, or a response with its command, as a code covers it.
const SHORT: usize = 640;
/// The bytes of a code.
pub(super) const CODE: usize = 8;
/// CLA, INS, P1, P2, Lc.
pub(super) const HEADER: usize = 5;

/// The session keys, with schedules made once.
pub(super) struct Keys {
    pub(super) enc: Des,
    pub(super) mac: RetailMac,
    rmac: RetailMac,
    /// S-ENC, S-MAC and S-RMAC themselves, from which lanes for many sessions are made.
    pub(super) plain: Box<Zeroizing<[[u8; 16]; 3]>>,
}

impl Keys {
    pub(super) fn new(plain: Box<Zeroizing<[[u8; 16]; 3]>>) -> Result<Self, CryptoError> {
        let [enc, mac, rmac] = &**plain;
        Ok(Self {
            enc: Des::new("S-ENC", enc)?,
            mac: RetailMac::new("S-MAC", mac)?,
            rmac: RetailMac::new("S-RMAC", rmac)?,
            plain,
        })
    }
}

/// An open channel. One command, then its response: that is the order the codes are chained in.
///
/// A response whose code does not fit closes it: every later step is refused.
pub struct Session {
    pub(super) keys: Keys,
    pub(super) level: Level,
    /// The last command's code, that of EXTERNAL AUTHENTICATE at first.
    pub(super) chain: Block,
    /// The last response's code, that of EXTERNAL AUTHENTICATE at first (E.4.5).
    pub(super) response_chain: Block,
    pub(super) state: State,
    /// The last command in the clear, which the response's code covers too.
    pub(super) command: Zeroizing<Vec<u8>>,
    /// What a code covers, and where results are made, so that an APDU costs no allocation.
    covered: Zeroizing<Vec<u8>>,
    buffer: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Awaiting,
    Closed,
}

impl Session {
    pub(super) fn new(keys: Keys, level: Level) -> Self {
        Self {
            keys,
            level,
            chain: [0; CODE],
            response_chain: [0; CODE],
            state: State::Idle,
            command: Zeroizing::new(Vec::with_capacity(SHORT)),
            covered: Zeroizing::new(Vec::with_capacity(SHORT)),
            buffer: Zeroizing::new(Vec::with_capacity(SHORT)),
        }
    }

    /// What the session protects.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Whether a check has failed, after which the channel is of no more use.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// EXTERNAL AUTHENTICATE carries a code, whatever the level, and its vector is zero (E.5.2).
    pub(super) fn external_authenticate(&mut self, cryptogram: &Block) -> Vec<u8> {
        let mut command = vec![0x84, 0x82, self.level as u8, 0, 0x10];
        command.extend(cryptogram);
        self.chain = self.keys.mac.tag(&[0; CODE], &command);
        self.response_chain = self.chain;
        command.extend(self.chain);
        command
    }

    /// Protects a short command. The result stays valid until the next call.
    ///
    /// # Errors
    /// A command that is malformed, extended, secured already, or too long to be protected; a closed
    /// session. The session is then as it was.
    pub fn wrap(&mut self, command: &[u8]) -> Result<&[u8], CryptoError> {
        let parsed = self.admit(command)?;
        self.remember(&parsed);
        self.buffer.clear();
        if self.level.authenticates_commands() {
            self.protect(&parsed);
        } else {
            self.buffer.extend(command);
        }
        Ok(&self.buffer)
    }

    /// Opens the response to the last command: what the card has said, with its status word.
    ///
    /// An error status without data is protected by nothing, and comes back as it is.
    ///
    /// # Errors
    /// A code that does not fit, which closes the session; no command before it.
    pub fn unwrap<'a>(&mut self, response: &'a [u8]) -> Result<Opened<'a>, CryptoError> {
        self.check_awaiting()?;
        let (data, status) = apdu::response(response)?;
        self.state = State::Idle;
        if !self.level.protects_response(data, status) {
            return Ok((data, status.to_be_bytes()));
        }
        match self.verified(data, status.to_be_bytes()) {
            Some(data) => Ok((data, status.to_be_bytes())),
            None => {
                self.state = State::Closed;
                Err(CryptoError::BadMac)
            }
        }
    }

    /// The command, if the session can protect it.
    pub(super) fn admit<'a>(&self, command: &'a [u8]) -> Result<Command<'a>, CryptoError> {
        if self.is_closed() {
            return Err(closed("wrap"));
        }
        let parsed = Command::parse(command)?;
        if parsed.extended {
            return Err(CryptoError::BadInput {
                field: "command",
                reason: "is extended, which SCP02 does not know",
            });
        }
        let (limit, actual) = (self.level.longest_data(), parsed.data.len());
        if actual > limit {
            let field = "command data";
            return Err(CryptoError::TooLong {
                field,
                limit,
                actual,
            });
        }
        Ok(parsed)
    }

    /// The command as it is before protection, on logical channel 0: Lc is there even for no data.
    /// The session then awaits its response.
    pub(super) fn remember(&mut self, command: &Command<'_>) {
        let [ins, p1, p2] = command.fixed;
        self.command.clear();
        self.command.extend([command.cla & 0xF8, ins, p1, p2]);
        self.command.extend(u8::try_from(command.data.len()));
        self.command.extend(command.data);
        self.state = State::Awaiting;
    }

    pub(super) fn check_awaiting(&self) -> Result<(), CryptoError> {
        match self.state {
            State::Awaiting => Ok(()),
            State::Closed => Err(closed("unwrap")),
            State::Idle => Err(CryptoError::WrongState {
                step: "unwrap",
                reason: "no command awaits a response",
            }),
        }
    }

    /// C-MAC over the plain command with its new class and length, and C-ENC beside it.
    fn protect(&mut self, command: &Command<'_>) {
        let Self {
            keys,
            buffer,
            covered,
            ..
        } = self;
        covered.clear();
        cover_command(command, covered);
        buffer.extend(&**covered);
        let secret = pad_secret(self.level, command, buffer);
        let mut vector = self.chain;
        keys.mac.single().encrypt(&mut vector);
        let secret = buffer[secret].as_chunks_mut().0;
        self.chain = keys.mac.tag_beside((&vector, covered), (&keys.enc, secret));
        complete(command, &self.chain, buffer);
    }

    fn verified<'a>(&mut self, data: &'a [u8], status: [u8; 2]) -> Option<&'a [u8]> {
        let (body, code) = data.split_last_chunk::<CODE>()?;
        self.covered.clear();
        cover_response(&self.command, body, status, &mut self.covered);
        let expected = self.keys.rmac.tag(&self.response_chain, &self.covered);
        if !equal(&expected, code) {
            return None;
        }
        self.response_chain = expected;
        Some(body)
    }
}

/// What C-MAC covers (E.4.4): the plain command with its new class and length.
pub(super) fn cover_command(command: &Command<'_>, onto: &mut Vec<u8>) {
    let [ins, p1, p2] = command.fixed;
    onto.extend([command.authenticated_class(), ins, p1, p2]);
    onto.extend(u8::try_from(command.data.len() + CODE));
    onto.extend(command.data);
}

/// What R-MAC covers (E.4.5): the command, the length of the response's data, the data, the status.
pub(super) fn cover_response(command: &[u8], body: &[u8], status: [u8; 2], onto: &mut Vec<u8>) {
    onto.extend(command);
    onto.extend(u8::try_from(body.len()).ok());
    onto.extend(body);
    onto.extend(status);
}

/// Pads what follows the header of a command for C-ENC, if there is to be any, and says where it stands.
pub(super) fn pad_secret(level: Level, command: &Command<'_>, onto: &mut Vec<u8>) -> Range<usize> {
    if !level.encrypts_commands() || command.data.is_empty() {
        return HEADER..HEADER;
    }
    // Padding is 80 and then 00 up to a block: one byte at least
    onto.push(0x80);
    onto.resize(HEADER + (onto.len() - HEADER).next_multiple_of(8), 0);
    HEADER..onto.len()
}

/// Makes of a header and data the protected command: with the code and Le, and the class and length of both.
pub(super) fn complete(command: &Command<'_>, code: &Block, onto: &mut Vec<u8>) {
    onto.extend(code);
    let length = u8::try_from(onto.len() - HEADER);
    onto[4] = length.unwrap_or_default();
    onto[0] = command.secured_class();
    onto.extend(command.expected);
}

/// Data and status word.
type Opened<'a> = (&'a [u8], [u8; 2]);

const fn closed(step: &'static str) -> CryptoError {
    CryptoError::WrongState {
        step,
        reason: "a check has failed, the session is closed",
    }
}
