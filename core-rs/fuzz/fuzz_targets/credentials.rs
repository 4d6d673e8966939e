//! Credentials that others present: of DM messages, pushes and HTTP.
#![no_main]

use fuzz::KEY;
use session_crypto::http_digest::{self, Qop, Request};
use session_crypto::{CryptoError, dm_auth, push};

libfuzzer_sys::fuzz_target!(|presented: &str| {
    let refused = Err(CryptoError::BadMac);
    assert_eq!(dm_auth::verify_md5("user", &KEY, &KEY, presented), refused);
    assert_eq!(
        dm_auth::verify_hmac("user", &KEY, &KEY, b"body", presented),
        refused
    );
    assert_eq!(push::verify_mac(&KEY, b"body", presented), refused);
    // What anybody may name: it goes into the formula
    let right = dm_auth::md5(presented, &KEY, presented.as_bytes());
    assert_eq!(
        dm_auth::verify_md5(presented, &KEY, presented.as_bytes(), &right),
        Ok(())
    );
    let code = push::mac(&KEY, presented.as_bytes()).unwrap();
    assert_eq!(push::verify_mac(&KEY, presented.as_bytes(), &code), Ok(()));
    for qop in [Some(presented), None, Some("auth-int")] {
        let Ok(qop) = Qop::parse(qop) else {
            continue;
        };
        let _ = http_digest::response(&Request {
            username: presented,
            realm: presented,
            password: &KEY,
            method: presented,
            uri: presented,
            nonce: presented,
            nc: presented,
            cnonce: presented,
            qop,
            body: presented.as_bytes(),
        });
    }
});
