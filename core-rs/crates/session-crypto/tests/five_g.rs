//! Keys and responses of 5G AKA.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use serde::Deserialize;
use session_crypto::five_g::{hres_star, k_ausf, k_seaf, res_star};
use support::{bytes, read};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    ck: String,
    ik: String,
    rand: String,
    res: String,
    concealed_sqn: String,
    network: String,
    res_star: String,
    hres_star: String,
    k_ausf: String,
    k_seaf: String,
}

#[test]
fn responses_and_keys_are_bound_to_the_network() {
    for case in read::<File>("five_g").cases {
        let (ck, ik, rand) = (bytes(&case.ck), bytes(&case.ik), bytes(&case.rand));
        let response = res_star(&ck, &ik, &case.network, &rand, &bytes(&case.res)).unwrap();
        assert_eq!(response.expose(), bytes(&case.res_star));
        let hashed = hres_star(&rand, response.expose()).unwrap();
        assert_eq!(hashed[..], bytes(&case.hres_star));
        let key = k_ausf(&ck, &ik, &case.network, &bytes(&case.concealed_sqn)).unwrap();
        assert_eq!(key.expose(), bytes(&case.k_ausf));
        let anchor = k_seaf(key.expose(), &case.network).unwrap();
        assert_eq!(anchor.expose(), bytes(&case.k_seaf));
        let elsewhere = k_seaf(key.expose(), "5G:mnc002.mcc001.3gppnetwork.org").unwrap();
        assert_ne!(elsewhere.expose(), anchor.expose());
    }
}

#[test]
fn inputs_of_a_wrong_length_are_refused() {
    let (key, network) = ([0; 16], "5G:mnc001.mcc001.3gppnetwork.org");
    assert!(res_star(&key[1..], &key, network, &key, &[0; 8]).is_err());
    assert!(res_star(&key, &key[1..], network, &key, &[0; 8]).is_err());
    assert!(res_star(&key, &key, network, &key[1..], &[0; 8]).is_err());
    assert!(res_star(&key, &key, network, &key, &[0; 3]).is_err());
    assert!(res_star(&key, &key, network, &key, &[0; 33]).is_err());
    assert!(res_star(&key, &key, &"n".repeat(65_536), &key, &[0; 8]).is_err());
    assert!(hres_star(&key, &key[1..]).is_err());
    assert!(k_ausf(&key, &key, network, &[0; 5]).is_err());
    assert!(k_seaf(&key, network).is_err());
}
