//! SCP80: any command packet, under keys of all kinds; what was opened can be built again.
#![no_main]

use fuzz::KEY;
use session_crypto::scp80::{Header, KeySet, Spi};

libfuzzer_sys::fuzz_target!(|packet: &[u8]| {
    // The packet names its keys, as a card's would
    let Ok(header) = Header::read(packet) else {
        return;
    };
    let long = [KEY, KEY].concat();
    let key = |name: u8| match name & 0x0F {
        1 => &long[..8],
        9 => &long[..24],
        2 | 5 => &long[..16],
        _ => &[],
    };
    let (kic, kid) = (header.kic, header.kid);
    let keys = KeySet::new(kic, key(kic), kid, key(kid), 8).unwrap();
    if let Ok(opened) = keys.open_command(Spi::default(), packet) {
        let data = &opened.data;
        let built = keys.build_command(header.spi, &header.tar, opened.counter, data);
        let again = keys.open_command(header.spi, &built.unwrap());
        assert_eq!(again, Ok(opened));
    }
});
