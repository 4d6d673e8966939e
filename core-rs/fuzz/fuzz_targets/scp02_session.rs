//! SCP02: any commands and responses in any order, some of the responses with a right code.
#![no_main]

use fuzz::{Step, scp02, steps};
use session_crypto::CryptoError;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let (mut session, mut card) = scp02::opened(choice, 7);
    let mut sent: Option<&[u8]> = None;
    for step in steps(data) {
        let was_closed = session.is_closed();
        let result = match step {
            Step::Wrap(command) => match session.wrap(command) {
                Ok(wrapped) => {
                    assert!(wrapped.len() >= command.len());
                    sent = Some(command);
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
            Step::Unwrap(bytes) => {
                sent = None;
                session.unwrap(bytes).map(drop)
            }
            Step::UnwrapAuthentic(bytes) => {
                let Some(command) = sent.take() else {
                    continue;
                };
                let response = card.authenticated(command, bytes);
                let opened = session.unwrap(&response);
                assert!(was_closed || opened.is_ok());
                opened.map(drop)
            }
        };
        assert!(!was_closed || matches!(result, Err(CryptoError::WrongState { .. })));
        assert_eq!(
            session.is_closed(),
            was_closed || result == Err(CryptoError::BadMac)
        );
    }
});
