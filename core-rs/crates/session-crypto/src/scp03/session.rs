//! Secure messaging (Amendment D §6.2.4 to §6.2.7).

use zeroize::{Zeroize, Zeroizing};

use super::{DataLessCounter, Level};
use crate::apdu::{self, Command};
use crate::chains::{Aes, Block, encrypt_and_mac};
use crate::cmac::Cmac;
use crate::error::CryptoError;
use crate::secret::equal;

/// Enough for every short command and response; longer ones make it grow.
const SHORT: usize = 320;

/// The session keys, with schedules and subkeys made once.
pub(super) struct Keys {
    pub(super) enc: Aes,
    pub(super) mac: Cmac,
    pub(super) rmac: Cmac,
}

/// An open channel. One command, then its response: that is the order the codes are chained in.
///
/// A response whose code or padding does not fit closes it: every later step is refused.
pub struct Session {
    keys: Keys,
    level: Level,
    code_length: usize,
    data_less_counter: DataLessCounter,
    /// The last command's code, whole: every code covers the one before it.
    chain: Block,
    counter: u128,
    ahead: Zeroizing<Ahead>,
    state: State,
    /// Where results are made, so that an APDU costs no allocation.
    buffer: Zeroizing<Vec<u8>>,
}

/// What follows from a command and is needed by what comes after it. Computed beside it, where the
/// processor does it in passing.
#[derive(Default, Zeroize)]
struct Ahead {
    /// The states of both codes after their first block, which is the code before (§6.2.4, §6.2.5).
    command_code: Block,
    response_code: Block,
    /// The initial vectors of the next command and of this one's response (§6.2.6, §6.2.7).
    command_iv: Block,
    response_iv: Block,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Awaiting,
    Closed,
}

impl Session {
    pub(super) fn new(
        keys: Keys,
        level: Level,
        code_length: usize,
        data_less_counter: DataLessCounter,
    ) -> Self {
        Self {
            keys,
            level,
            code_length,
            data_less_counter,
            chain: [0; 16],
            counter: 0,
            ahead: Zeroizing::default(),
            state: State::Idle,
            buffer: Zeroizing::new(vec![0; SHORT]),
        }
    }

    /// What the session protects.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// How many commands the encryption counter has counted.
    #[must_use]
    pub const fn counter(&self) -> u128 {
        self.counter
    }

    /// Whether a check has failed, after which the channel is of no more use.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// EXTERNAL AUTHENTICATE carries a code, whatever the level, and is never encrypted (§7.1.2).
    pub(super) fn external_authenticate(&mut self, cryptogram: &[u8]) -> Vec<u8> {
        let length = cryptogram.len() + self.code_length;
        let mut command = vec![0x84, 0x82, self.level as u8, 0];
        command.extend(u8::try_from(length));
        command.extend(cryptogram);
        let mut state = self.chain;
        self.keys.mac.cipher().encrypt(&mut state);
        self.chain = self.keys.mac.continue_from(state, &command);
        self.look_ahead_to_codes();
        self.look_ahead_to_vectors();
        command.extend(&self.chain[..self.code_length]);
        command
    }

    /// Protects a command, short or extended. The result stays valid until the next call.
    ///
    /// # Errors
    /// A command that is malformed, secured already, or too long to be protected; a closed session.
    /// The session is then as it was.
    pub fn wrap(&mut self, command: &[u8]) -> Result<&[u8], CryptoError> {
        if self.is_closed() {
            return Err(closed("wrap"));
        }
        let command = Command::parse(command)?;
        let data = command.data.len();
        let encrypts = self.level.encrypts_commands() && data > 0;
        // Padding is 80 and then 00 up to a block: one byte at least
        let body = if encrypts { data / 16 * 16 + 16 } else { data };
        let clear = if command.extended { 7 } else { 5 };
        self.check_length(&command, body)?;
        let end = clear + body;
        let total = end + self.code_length + command.expected.len();
        self.make_room(total);
        if data > 0 || self.data_less_counter == DataLessCounter::Advances {
            self.counter += 1;
        }

        let iv = self.ahead.command_iv;
        self.look_ahead_to_vectors();
        let mut code = self.ahead.command_code;
        let buffer = &mut self.buffer[..total];
        write_header(buffer, &command, body + self.code_length);
        buffer[clear..clear + data].copy_from_slice(command.data);
        let mac = &self.keys.mac;
        if encrypts {
            buffer[clear + data..end].fill(0);
            buffer[clear + data] = 0x80;
            let ending = mac.ending(clear);
            let (left, right) = ((&self.keys.enc, &iv), (mac.cipher(), &mut code));
            if !encrypt_and_mac(left, right, &mut buffer[..end], clear, &ending) {
                // Not with a header of 5 or 7 bytes before whole blocks; else nothing may be sent
                self.state = State::Closed;
                return Err(closed("wrap"));
            }
            self.chain = code;
        } else {
            self.chain = mac.continue_from(code, &buffer[..end]);
        }
        buffer[0] = command.secured_class();
        let (code, expected) = buffer[end..].split_at_mut(self.code_length);
        code.copy_from_slice(&self.chain[..self.code_length]);
        expected.copy_from_slice(command.expected);
        self.state = State::Awaiting;
        self.look_ahead_to_codes();
        Ok(&self.buffer[..total])
    }

    /// Opens the response to the last command: what the card has said, with its status word. The code
    /// is checked before anything is decrypted.
    ///
    /// An error status without data is protected by nothing (§6.2.5), and comes back as it is.
    ///
    /// # Errors
    /// A code or padding that does not fit, which closes the session; no command before it.
    pub fn unwrap<'a>(&'a mut self, response: &'a [u8]) -> Result<&'a [u8], CryptoError> {
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
            return Ok(response);
        }
        match self.open(data, status) {
            Some(length) => Ok(&self.buffer[..length]),
            None => {
                self.state = State::Closed;
                Err(CryptoError::BadMac)
            }
        }
    }

    /// The opened response in the buffer, by its length; `None` if anything does not fit.
    fn open(&mut self, data: &[u8], status: u16) -> Option<usize> {
        let (body, code) = data.split_at_checked(data.len().checked_sub(self.code_length)?)?;
        let status = status.to_be_bytes();
        let expected = self.response_code(body, status);
        if !equal(&expected[..self.code_length], code) {
            return None;
        }
        self.make_room(body.len() + 2);
        self.buffer[..body.len()].copy_from_slice(body);
        let length = if self.level.encrypts_responses() && !body.is_empty() {
            self.decrypt(body.len())?
        } else {
            body.len()
        };
        self.buffer[length..length + 2].copy_from_slice(&status);
        Some(length + 2)
    }

    /// R-MAC: over the command's code, the response's data and its status word (§6.2.5).
    fn response_code(&self, body: &[u8], status: [u8; 2]) -> Block {
        let (blocks, rest) = body.as_chunks();
        let mut last = [0; 17];
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()..rest.len() + 2].copy_from_slice(&status);
        let (state, last) = (self.ahead.response_code, &last[..rest.len() + 2]);
        self.keys.rmac.finish(state, blocks, last)
    }

    /// Decrypts the buffer's first bytes; how many of them are no padding.
    fn decrypt(&mut self, length: usize) -> Option<usize> {
        let iv = self.ahead.response_iv;
        let plain = &mut self.buffer[..length];
        let (blocks, rest) = plain.as_chunks_mut();
        if !rest.is_empty() {
            return None;
        }
        self.keys.enc.cbc_decrypt(&iv, blocks);
        let end = plain.iter().rposition(|&byte| byte != 0)?;
        let padding = length - end;
        (plain[end] == 0x80 && padding <= 16).then_some(end)
    }

    fn look_ahead_to_vectors(&mut self) {
        if self.level.encrypts_commands() {
            self.ahead.command_iv = self.keys.enc.encrypt_number(self.counter + 1);
        }
        if self.level.encrypts_responses() {
            // The command's counter, its first bit set
            self.ahead.response_iv = self.keys.enc.encrypt_number(self.counter | 1 << 127);
        }
    }

    fn look_ahead_to_codes(&mut self) {
        let ahead = &mut *self.ahead;
        ahead.command_code = self.chain;
        self.keys.mac.cipher().encrypt(&mut ahead.command_code);
        if self.level.authenticates_responses() {
            ahead.response_code = self.chain;
            self.keys.rmac.cipher().encrypt(&mut ahead.response_code);
        }
    }

    fn check_length(&self, command: &Command<'_>, body: usize) -> Result<(), CryptoError> {
        let limit = if command.extended { 65_535 } else { 255 };
        if body + self.code_length <= limit {
            return Ok(());
        }
        let room = limit - self.code_length;
        Err(CryptoError::TooLong {
            field: "command data",
            limit: if self.level.encrypts_commands() {
                room / 16 * 16 - 1
            } else {
                room
            },
            actual: command.data.len(),
        })
    }

    fn make_room(&mut self, length: usize) {
        if self.buffer.len() < length {
            self.buffer = Zeroizing::new(vec![0; length.next_power_of_two()]);
        }
    }
}

/// CLA as it goes into the code, INS, P1, P2 and Lc.
fn write_header(buffer: &mut [u8], command: &Command<'_>, length: usize) {
    let [ins, p1, p2] = command.fixed;
    let [.., high, low] = length.to_be_bytes();
    let cla = command.authenticated_class();
    if command.extended {
        buffer[..7].copy_from_slice(&[cla, ins, p1, p2, 0, high, low]);
    } else {
        buffer[..5].copy_from_slice(&[cla, ins, p1, p2, low]);
    }
}

const fn closed(step: &'static str) -> CryptoError {
    CryptoError::WrongState {
        step,
        reason: "a check has failed, the session is closed",
    }
}
