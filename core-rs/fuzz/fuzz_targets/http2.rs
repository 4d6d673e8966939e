//! What clients of the daemon send: what passes is the same however the bytes are cut.
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
    let verdict = verdict.map(|()| passed);
    assert_eq!(verdict, whole);
    // Nothing is left to change in what has passed
    if let Ok(whole) = whole {
        assert!(Watch::default().take(&whole) == Ok(&whole[..]));
    }
});
