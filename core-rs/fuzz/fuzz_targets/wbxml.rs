//! WBXML of all document types: what was read is written, and read the same.
#![no_main]

use wire::{Limits, wbxml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    match wbxml::decode(data, limits) {
        Ok(root) => {
            // A type without tables is read by its root, and not written
            if let Ok(written) = wbxml::encode(&root) {
                assert_eq!(wbxml::decode(&written, limits), Ok(root));
            }
        }
        Err(error) => assert!(error.offset.is_some_and(|offset| offset <= data.len())),
    }
});
