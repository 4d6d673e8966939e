//! A bug on purpose, seven bytes deep: a fuzzer that is guided finds it in seconds, chance never.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.len() > 6 && data[0] == b'c' && data[1] == 0x5A && data[2] == 0xA5 {
        let file = u16::from_be_bytes([data[3], data[4]]);
        assert!(file != 0x6F07 || data[5] != b'!', "the planted bug");
    }
});
