//! SCP03: any commands and responses in any order, some of the responses with a right code.
#![no_main]

use fuzz::{Step, scp03, steps};
use session_crypto::CryptoError;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let (mut session, card) = scp03::opened(choice);
    let mut sent = Vec::new();
    for step in steps(data) {
        let was_closed = session.is_closed();
        let result = match step {
            Step::Wrap(command) => match session.wrap(command) {
                Ok(wrapped) => {
                    assert!(wrapped.len() >= command.len() + 16);
                    sent = wrapped.to_vec();
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
            Step::Unwrap(bytes) => session.unwrap(bytes).map(drop),
            Step::UnwrapAuthentic(_) if sent.is_empty() => continue,
            Step::UnwrapAuthentic(bytes) => {
                let response = card.authenticated(&sent, bytes);
                session.unwrap(&response).map(drop)
            }
        };
        assert!(!was_closed || matches!(result, Err(CryptoError::WrongState { .. })));
        assert_eq!(
            session.is_closed(),
            was_closed || result == Err(CryptoError::BadMac)
        );
    }
});
