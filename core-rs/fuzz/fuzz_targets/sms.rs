//! User data of short messages: any messages are put together or refused; a packet survives.
#![no_main]

use session_crypto::sms::{Kind, assemble, cut};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&reference, data)) = data.split_first() else {
        return;
    };
    // Messages, each behind its length
    let mut messages = Vec::new();
    let mut rest = data;
    while let Some((&length, behind)) = rest.split_first() {
        let (message, behind) = behind.split_at(behind.len().min(length.into()));
        messages.push(message);
        rest = behind;
    }
    if let Ok((_, packet)) = assemble(messages.iter().copied()) {
        assert!(packet.len() <= data.len());
    }
    if let Ok(messages) = cut(Kind::Response, data, reference) {
        let together = assemble(messages.iter().rev().map(Vec::as_slice));
        assert_eq!(together, Ok((Kind::Response, data.to_vec())));
    }
});
