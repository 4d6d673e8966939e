//! SCP02: any answer to INITIALIZE UPDATE and to EXTERNAL AUTHENTICATE.
#![no_main]

use fuzz::scp02::{answer, host};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let right = host().receive(data).is_ok();
    // Diversification data and the like are free, the cryptogram is not
    assert!(!right || data.ends_with(&answer(7)[13..]));
    let opening = host().receive(&answer(7)).unwrap();
    let open = opening.confirm(data).is_ok();
    assert_eq!(open, data.ends_with(&[0x90, 0]));
});
