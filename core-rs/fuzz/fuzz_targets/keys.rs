//! Key derivations whose inputs others choose: names of networks, users and servers, challenges.
#![no_main]

use fuzz::KEY;
use session_crypto::{five_g, gba, push};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (start, rest) = data.split_at(data.len().min(16));
    let text = String::from_utf8_lossy(rest);
    for rand in [start, &KEY] {
        if let Ok(id) = gba::naf_id(&text, start) {
            let _ = gba::ks_naf(&KEY, &KEY, rand, &text, &id);
        }
        let _ = gba::ks_int_naf(&KEY, &KEY, rand, &text, rest);
        let _ = five_g::res_star(&KEY, &KEY, &text, rand, start);
        let _ = five_g::hres_star(rand, start);
    }
    let _ = five_g::k_ausf(&KEY, &KEY, &text, start);
    let _ = five_g::k_seaf(&[KEY, KEY].concat(), &text);
    let _ = push::user_network_key(&text, start);
    let _ = push::pin_digits(start, rest, data.len());
});
