//! Secure messaging (appendix E.4.4 to E.4.6), with codes over the modified command and their vectors
//! encrypted: bits 2 and 5 of "i" are 0 and 1.

use zeroize::Zeroizing;

use super::Level;
use crate::apdu::{self, Command};
use crate::des::{Block, Des, RetailMac};
use crate::error::CryptoError;
use crate::secret::equal;

/// A command with its header, or a response with its command, as a code covers it.
const SHORT: usize = 640;
/// The bytes of a code.
const CODE: usize = 8;
/// CLA, INS, P1, P2, Lc.
const HEADER: usize = 5;

/// The session keys, with schedules made once.
pub(super) struct Keys {
    pub(super) enc: Des,
    pub(super) mac: RetailMac,
    pub(super) rmac: RetailMac,
}

/// An open channel. One command, then its response: that is the order the codes are chained in.
///
/// A response whose code does not fit closes it: every later step is refused.
pub struct Session {
    keys: Keys,
    level: Level,
    /// The last command's code, that of EXTERNAL AUTHENTICATE at first.
    chain: Block,
    /// The last response's code, that of EXTERNAL AUTHENTICATE at first (E.4.5).
    response_chain: Block,
    state: State,
    /// The last command in the clear, which the response's code covers too.
    command: Zeroizing<Vec<u8>>,
    /// Where results are made, so that an APDU costs no allocation.
    buffer: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
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
        self.check_length(parsed.data.len())?;
        self.remember(&parsed);
        self.state = State::Awaiting;
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
        match self.state {
            State::Closed => return Err(closed("unwrap")),
            State::Idle => {
                return Err(CryptoError::WrongState {
                    step: "unwrap",
                    reason: "no command awaits a response",
                });
            }
            State::Awaiting => {}
        }
        let (data, status) = apdu::response(response)?;
        self.state = State::Idle;
        let bare_error = data.is_empty() && !apdu::is_protected(status);
        if !self.level.authenticates_responses() || bare_error {
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

    /// The command as it is before protection, on logical channel 0: Lc is there even for no data.
    fn remember(&mut self, command: &Command<'_>) {
        let [ins, p1, p2] = command.fixed;
        self.command.clear();
        self.command.extend([command.cla & 0xF8, ins, p1, p2]);
        self.command.extend(u8::try_from(command.data.len()));
        self.command.extend(command.data);
    }

    /// C-MAC over the plain command with its new class and length, then C-ENC.
    fn protect(&mut self, command: &Command<'_>) {
        let data = command.data.len();
        let [ins, p1, p2] = command.fixed;
        let buffer = &mut *self.buffer;
        buffer.extend([command.authenticated_class(), ins, p1, p2]);
        buffer.extend(u8::try_from(data + CODE));
        buffer.extend(command.data);
        let mut vector = self.chain;
        self.keys.mac.single().encrypt(&mut vector);
        self.chain = self.keys.mac.tag(&vector, buffer);
        if self.level.encrypts_commands() && data > 0 {
            // Padding is 80 and then 00 up to a block: one byte at least
            buffer.push(0x80);
            buffer.resize(HEADER + (data / 8 + 1) * 8, 0);
            let secret = buffer[HEADER..].as_chunks_mut().0;
            self.keys.enc.cbc_encrypt(&[0; 8], secret);
            let length = u8::try_from(buffer.len() - HEADER + CODE);
            buffer[4] = length.unwrap_or_default();
        }
        buffer[0] = command.secured_class();
        buffer.extend(self.chain);
        buffer.extend(command.expected);
    }

    /// R-MAC: over the command, the length of the response's data, the data and the status (E.4.5).
    fn verified<'a>(&mut self, data: &'a [u8], status: [u8; 2]) -> Option<&'a [u8]> {
        let (body, code) = data.split_at_checked(data.len().checked_sub(CODE)?)?;
        let buffer = &mut *self.buffer;
        buffer.clear();
        buffer.extend(&*self.command);
        buffer.extend(u8::try_from(body.len()).ok());
        buffer.extend(body);
        buffer.extend(status);
        let expected = self.keys.rmac.tag(&self.response_chain, buffer);
        if !equal(&expected, code) {
            return None;
        }
        self.response_chain = expected;
        Some(body)
    }

    fn check_length(&self, actual: usize) -> Result<(), CryptoError> {
        let limit = match self.level {
            Level::RMac => 255,
            _ if self.level.encrypts_commands() => (255 - CODE) / 8 * 8 - 1,
            _ => 255 - CODE,
        };
        if actual <= limit {
            return Ok(());
        }
        Err(CryptoError::TooLong {
            field: "command data",
            limit,
            actual,
        })
    }
}

/// Data and status word.
type Opened<'a> = (&'a [u8], [u8; 2]);

const fn closed(step: &'static str) -> CryptoError {
    CryptoError::WrongState {
        step,
        reason: "a check has failed, the session is closed",
    }
}
