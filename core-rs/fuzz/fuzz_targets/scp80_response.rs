//! SCP80: any response packet to commands of all kinds; what was opened can be built again.
#![no_main]

use fuzz::KEY;
use session_crypto::scp80::{KeySet, Spi};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&[choice, receipt], packet)) = data.split_first_chunk() else {
        return;
    };
    let Ok(spi) = Spi::try_from([0, receipt]) else {
        return;
    };
    let name = [0x12, 0x15, 0x11][usize::from(choice) % 3];
    let key = if name == 0x11 { &KEY[..8] } else { &KEY[..] };
    let keys = KeySet::new(name, key, name, key, 8).unwrap();
    if let Ok(opened) = keys.open_response(spi, packet) {
        let (status, data) = (opened.status, &opened.data);
        let built = keys.build_response(spi, &opened.tar, opened.counter, status, data);
        assert_eq!(keys.open_response(spi, &built.unwrap()), Ok(opened));
    }
});
