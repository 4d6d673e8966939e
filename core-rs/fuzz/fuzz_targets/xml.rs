//! XML: what was read is written, and read the same.
#![no_main]

use wire::{Limits, wbxml, xml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    match xml::decode(data, limits) {
        Ok(root) => {
            let written = xml::encode(&root).unwrap();
            assert_eq!(xml::decode(&written, limits).as_ref(), Ok(&root));
            // In WBXML it may have no form, but never a panic
            let _ = wbxml::encode(&root);
        }
        Err(error) => assert!(error.offset.is_some_and(|offset| offset <= data.len())),
    }
});
