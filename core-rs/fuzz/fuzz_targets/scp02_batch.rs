//! SCP02 with several cards at once: any commands and responses, as the same to each session by itself.
#![no_main]

use fuzz::{Step, scp02, steps};
use session_crypto::batch::{scp02_unwrap, scp02_wrap};
use session_crypto::scp02::Session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&[choice, count], data)) = data.split_first_chunk() else {
        return;
    };
    let opened = || (0..count % 4).map(|counter| scp02::opened(choice, counter));
    let (mut sessions, mut cards): (Vec<_>, Vec<_>) = opened().unzip();
    let mut twins: Vec<_> = opened().map(|(session, _)| session).collect();
    let mut sent: Option<&[u8]> = None;
    for step in steps(data) {
        let was_closed = sessions.iter().any(Session::is_closed);
        let mut all: Vec<_> = sessions.iter_mut().collect();
        match step {
            Step::Wrap(command) => {
                let wrapped = scp02_wrap(&mut all, command, false);
                assert!(!was_closed || wrapped.is_err());
                if let Ok(wrapped) = wrapped {
                    let each = twins
                        .iter_mut()
                        .flat_map(|twin| twin.wrap(command).unwrap());
                    assert!(wrapped.iter().eq(each));
                    sent = Some(command);
                }
            }
            Step::Unwrap(bytes) => {
                sent = None;
                let records = scp02_unwrap(&mut all, bytes);
                if let Ok(records) = records
                    && !twins.is_empty()
                {
                    let count = twins.len();
                    let pairs = bytes.chunks(bytes.len() / count).zip(&mut twins);
                    for ((response, twin), record) in
                        pairs.zip(records.chunks(records.len() / count))
                    {
                        check(record, twin, response);
                    }
                }
            }
            Step::UnwrapAuthentic(bytes) => {
                let Some(command) = sent.take() else {
                    continue;
                };
                let responses: Vec<_> = cards
                    .iter_mut()
                    .map(|card| card.authenticated(command, bytes))
                    .collect();
                let records = scp02_unwrap(&mut all, &responses.concat()).unwrap();
                for ((response, twin), record) in responses
                    .iter()
                    .zip(&mut twins)
                    .zip(records.chunks(records.len().max(1) / responses.len().max(1)))
                {
                    assert!(check(record, twin, response));
                }
            }
        }
        for (session, twin) in sessions.iter().zip(&twins) {
            assert_eq!(session.is_closed(), twin.is_closed());
        }
    }
});

/// That a record is what the twin makes of the response; whether it fits.
fn check(record: &[u8], twin: &mut Session, response: &[u8]) -> bool {
    if let Ok((data, status)) = twin.unwrap(response) {
        assert_eq!(record, [&[1], data, &status].concat());
        return true;
    }
    assert!(record.iter().all(|byte| *byte == 0));
    false
}
