//! Commands and responses of as many sessions as DES has lanes: their chains go side by side, which one
//! after the other would each wait for themselves.

use zeroize::Zeroizing;

use super::Level;
use super::session::{
    CODE, HEADER, Session, State, complete, cover_command, cover_response, pad_secret,
};
use crate::des::{Blocks, Lanes};
use crate::error::CryptoError;
use crate::secret::equal;

/// At most 64 sessions, of one level.
pub(crate) struct Group<'a, 'b>(pub(crate) &'a mut [&'b mut Session]);

/// The places of the keys in a session.
#[derive(Clone, Copy)]
enum Key {
    Enc,
    Mac,
    RMac,
}

/// How long each protected command is: those that all sessions can protect, and that are of one shape.
/// Zero for no sessions.
pub(crate) fn wrapped_length<'c>(
    sessions: &[&mut Session],
    command: impl Fn(usize) -> &'c [u8],
) -> Result<usize, CryptoError> {
    let level = common_level(sessions)?;
    let mut shapes = sessions.iter().enumerate().map(|(card, session)| {
        let admitted = session.admit(command(card))?;
        Ok((admitted.data.len(), admitted.expected.len()))
    });
    let Some(first) = shapes.next().transpose()? else {
        return Ok(0);
    };
    for shape in shapes {
        same("commands", "are not of one shape", first == shape?)?;
    }
    let (data, expected) = first;
    Ok(level.sent(command(0).len(), data, expected))
}

/// How long the record of each response is: 1 for one that fits, and what the card has said; zeros for
/// another. All sessions await a response, to commands of one length.
pub(crate) fn record_length(
    sessions: &[&mut Session],
    response: usize,
) -> Result<usize, CryptoError> {
    let level = common_level(sessions)?;
    let command = sessions.first().map_or(0, |first| first.command.len());
    for session in sessions {
        session.check_awaiting()?;
        let is_same = session.command.len() == command;
        same(
            "sessions",
            "await responses to commands of different lengths",
            is_same,
        )?;
    }
    let code = if has_code(level, response) { CODE } else { 0 };
    Ok(1 + response - code)
}

fn common_level(sessions: &[&mut Session]) -> Result<Level, CryptoError> {
    let level = sessions.first().map_or(Level::CMac, |first| first.level);
    let is_same = sessions.iter().all(|session| session.level == level);
    same("sessions", "are not of one level", is_same)?;
    Ok(level)
}

const fn same(field: &'static str, reason: &'static str, is_same: bool) -> Result<(), CryptoError> {
    if is_same {
        return Ok(());
    }
    Err(CryptoError::BadInput { field, reason })
}

/// Whether responses of a length have codes, right or wrong ones.
fn has_code(level: Level, response: usize) -> bool {
    level.authenticates_responses() && response >= CODE + 2
}

impl Group<'_, '_> {
    /// Protects a command for each session, into `wrapped`; see [`wrapped_length`].
    pub(crate) fn wrap<'c>(
        &mut self,
        command: impl Fn(usize) -> &'c [u8],
        wrapped: &mut [u8],
    ) -> Result<(), CryptoError> {
        let length = wrapped.len() / self.0.len();
        let mut places = wrapped.chunks_mut(length);
        if !self.0[0].level.authenticates_commands() {
            for (card, (session, place)) in self.0.iter_mut().zip(places).enumerate() {
                place.copy_from_slice(session.wrap(command(card))?);
            }
            return Ok(());
        }
        let mut covered = room(self.0.len(), command(0).len());
        for (card, session) in self.0.iter_mut().enumerate() {
            let command = session.admit(command(card))?;
            session.remember(&command);
            cover_command(&command, &mut covered);
            pad(&mut covered);
        }
        let stride = covered.len() / self.0.len();
        let macs = self.lanes(Key::Mac)?;
        let mut vectors = Blocks::gather(self.0.iter().map(|session| session.chain));
        macs.encrypt_singly(&mut vectors);
        let codes = macs.retail_mac(vectors, &covered, stride);
        let mut whole = Zeroizing::new(Vec::with_capacity(length));
        let mut secret = 0..0;
        for (card, (session, code)) in self.0.iter_mut().zip(codes).enumerate() {
            session.chain = code;
            let command = session.admit(command(card))?;
            whole.clear();
            whole.extend(&covered[card * stride..][..HEADER + command.data.len()]);
            secret = pad_secret(session.level, &command, &mut whole);
            complete(&command, &code, &mut whole);
            if let Some(place) = places.next() {
                place.copy_from_slice(&whole);
            }
        }
        if !secret.is_empty() {
            self.lanes(Key::Enc)?.cbc_encrypt(wrapped, length, secret);
        }
        Ok(())
    }

    /// Opens a response for each session, into `records`; see [`record_length`].
    pub(crate) fn unwrap(
        &mut self,
        responses: &[u8],
        records: &mut [u8],
    ) -> Result<(), CryptoError> {
        let count = self.0.len();
        let (length, record) = (responses.len() / count, records.len() / count);
        let responses = responses.chunks(length);
        let records = records.chunks_mut(record);
        if !has_code(self.0[0].level, length) {
            for (session, (response, record)) in self.0.iter_mut().zip(responses.zip(records)) {
                if session.unwrap(response).is_ok() {
                    record[0] = 1;
                    record[1..].copy_from_slice(response);
                }
            }
            return Ok(());
        }
        let mut covered = room(count, self.0[0].command.len() + length);
        for (session, response) in self.0.iter().zip(responses.clone()) {
            let (body, [.., high, low]) = response.split_at(length - CODE - 2) else {
                continue;
            };
            cover_response(&session.command, body, [*high, *low], &mut covered);
            pad(&mut covered);
        }
        let chains = Blocks::gather(self.0.iter().map(|session| session.response_chain));
        let codes = self
            .lanes(Key::RMac)?
            .retail_mac(chains, &covered, covered.len() / count);
        let cards = self.0.iter_mut().zip(codes);
        for ((session, code), (response, record)) in cards.zip(responses.zip(records)) {
            let (body, rest) = response.split_at(length - CODE - 2);
            let (presented, status) = rest.split_at(CODE);
            if !equal(&code, presented) {
                session.state = State::Closed;
                continue;
            }
            session.state = State::Idle;
            session.response_chain = code;
            record[0] = 1;
            record[1..=body.len()].copy_from_slice(body);
            record[1 + body.len()..].copy_from_slice(status);
        }
        Ok(())
    }

    fn lanes(&self, key: Key) -> Result<Lanes, CryptoError> {
        let keys = self
            .0
            .iter()
            .map(|session| session.keys.plain[key as usize].as_slice());
        Lanes::new("session keys", keys)
    }
}

/// For messages that are little longer than `each`: growing would leave copies behind.
fn room(count: usize, each: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(count * (each + 2 * 8)))
}

/// Up to a block with 80 and zeros (ISO/IEC 9797-1 method 2): what begins is a block's beginning.
fn pad(message: &mut Vec<u8>) {
    message.push(0x80);
    message.resize(message.len().next_multiple_of(8), 0);
}
