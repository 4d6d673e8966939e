//! What clients of the daemon send: the verdict is the same however the bytes are cut.
#![no_main]

use acceptor::http2::Watch;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&size, data)) = data.split_first() else {
        return;
    };
    // What is no preface ends at once: not of interest after the first byte of it
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", data].concat();
    let whole = Watch::default().take(&bytes).map(<[u8]>::to_vec);
    let (mut watch, mut passed) = (Watch::default(), Vec::<u8>::new());
    let mut pieces = bytes.chunks(usize::from(size) + 1);
    let verdict = pieces.try_for_each(|piece| watch.take(piece).map(|part| passed.extend(part)));
    assert_eq!(
        verdict,
        whole.as_ref().map(|_| ()).map_err(|refused| *refused)
    );
    // A part of what is held back may have gone before its frame began
    assert!(verdict.is_err() || bytes.starts_with(&passed));
    assert!(whole.is_err() || whole.is_ok_and(|whole| passed.starts_with(&whole)));
});
