//! SCP02 with many cards at once, as when an operator personalises them over the air.

use super::{GROUP, fits, share, spread_with};
use crate::error::CryptoError;
use crate::scp02::{Group, Session, record_length, wrapped_length};

/// Below this many sessions a thread costs more than it brings.
const WORTH_A_THREAD: usize = 64;

/// What [`Session::wrap`] gives, for many sessions of one level: protected commands of one length, one after
/// the other. `commands` is everyone's, or as much for each session, one after the other, if
/// `own_commands` is set; they have as much data as one another.
///
/// # Errors
/// What [`Session::wrap`] refuses of any one of the sessions; sessions of different levels, commands of
/// different shapes, a buffer whose length does not fit the number of sessions. All sessions are then as
/// they were.
pub fn scp02_wrap(
    sessions: &mut [&mut Session],
    commands: &[u8],
    own_commands: bool,
) -> Result<Vec<u8>, CryptoError> {
    let count = sessions.len();
    if count == 0 {
        return Ok(Vec::new());
    }
    let (each, length) = if own_commands {
        let each = share("commands", commands, count)?;
        (each, each)
    } else {
        (0, commands.len())
    };
    let command = |card: usize| &commands[card * each..][..length];
    let length = wrapped_length(sessions, command)?;
    let mut wrapped = vec![0; count * length];
    spread_with(
        sessions,
        &mut wrapped,
        WORTH_A_THREAD,
        |start, sessions, wrapped| {
            let groups = sessions
                .chunks_mut(GROUP)
                .zip(wrapped.chunks_mut(GROUP * length));
            for (number, (sessions, wrapped)) in groups.enumerate() {
                let start = start + number * GROUP;
                Group(sessions).wrap(|card| command(start + card), wrapped)?;
            }
            Ok(())
        },
    )?;
    Ok(wrapped)
}

/// What [`Session::unwrap`] gives, for many sessions of one level whose last commands were of one length:
/// `responses` are of one length too, one after the other.
///
/// For each there is a record: 1 and what the card has said; or zeros for a response whose code does not fit,
/// which has closed the session.
///
/// # Errors
/// Sessions of different levels or whose commands were of different lengths; one that awaits no response; a
/// buffer whose length does not fit the number of sessions. All sessions are then as they were.
pub fn scp02_unwrap(
    sessions: &mut [&mut Session],
    responses: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let count = sessions.len();
    if count == 0 {
        fits("responses", responses.len(), 0)?;
        return Ok(Vec::new());
    }
    let length = share("responses", responses, count)?;
    if length < 2 {
        return Err(CryptoError::BadInput {
            field: "responses",
            reason: "are shorter than their status words",
        });
    }
    let record = record_length(sessions, length)?;
    let mut records = vec![0; count * record];
    spread_with(
        sessions,
        &mut records,
        WORTH_A_THREAD,
        |start, sessions, records| {
            let groups = sessions
                .chunks_mut(GROUP)
                .zip(records.chunks_mut(GROUP * record));
            for (number, (sessions, records)) in groups.enumerate() {
                let start = (start + number * GROUP) * length;
                let responses = &responses[start..start + sessions.len() * length];
                Group(sessions).unwrap(responses, records)?;
            }
            Ok(())
        },
    )?;
    Ok(records)
}
