//! The vectors in `tests/vectors`, which the Python tests read too.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use serde::Deserialize;
use session_crypto::http_digest::{Qop, Request};
use session_crypto::milenage::Milenage;
use session_crypto::{CryptoError, dm_auth, gba, http_digest, push};
use support::{bytes, read};

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

#[derive(Deserialize)]
struct MilenageFile {
    sets: Vec<MilenageSet>,
    resynchronisations: Vec<Resynchronisation>,
}

#[derive(Deserialize)]
struct MilenageSet {
    clause: String,
    k: String,
    rand: String,
    sqn: String,
    amf: String,
    op: String,
    opc: String,
    f1: String,
    f1_star: String,
    f2: String,
    f3: String,
    f4: String,
    f5: String,
    f5_star: String,
    autn: String,
}

#[derive(Deserialize)]
struct Resynchronisation {
    k: String,
    opc: String,
    rand: String,
    sqn_ms: String,
    auts: String,
}

#[test]
fn milenage_yields_the_published_sets() {
    for set in read::<MilenageFile>("milenage").sets {
        let milenage = Milenage::from_op(&bytes(&set.k), &bytes(&set.op)).unwrap();
        let (rand, sqn, amf) = (array(&set.rand), array(&set.sqn), array(&set.amf));
        assert_eq!(milenage.opc().expose(), bytes(&set.opc), "{}", set.clause);
        assert_eq!(milenage.f1(&rand, &sqn, &amf)[..], bytes(&set.f1));
        assert_eq!(milenage.f1_star(&rand, &sqn, &amf)[..], bytes(&set.f1_star));
        assert_eq!(milenage.f2(&rand).expose(), bytes(&set.f2));
        assert_eq!(milenage.f3(&rand).expose(), bytes(&set.f3));
        assert_eq!(milenage.f4(&rand).expose(), bytes(&set.f4));
        assert_eq!(milenage.f5(&rand)[..], bytes(&set.f5));
        assert_eq!(milenage.f5_star(&rand)[..], bytes(&set.f5_star));
    }
}

#[test]
fn a_vector_opens_to_its_sequence_number_and_to_no_other() {
    for set in read::<MilenageFile>("milenage").sets {
        let milenage = Milenage::new(&bytes(&set.k), &bytes(&set.opc)).unwrap();
        let vector = milenage
            .vector(&bytes(&set.rand), &bytes(&set.sqn), &bytes(&set.amf))
            .unwrap();
        assert_eq!(vector.autn[..], bytes(&set.autn));
        assert_eq!(vector.xres.expose(), bytes(&set.f2));
        assert_eq!(vector.ck.expose(), bytes(&set.f3));
        assert_eq!(vector.ik.expose(), bytes(&set.f4));
        let sqn = milenage.open_autn(&vector.rand, &vector.autn).unwrap();
        assert_eq!(sqn[..], bytes(&set.sqn));
        for at in 0..16 {
            let mut autn = vector.autn;
            autn[at] ^= 1;
            let opened = milenage.open_autn(&vector.rand, &autn);
            assert_eq!(opened, Err(CryptoError::BadMac));
        }
    }
}

#[test]
fn a_resynchronisation_token_gives_the_cards_sequence_number() {
    for case in read::<MilenageFile>("milenage").resynchronisations {
        let milenage = Milenage::new(&bytes(&case.k), &bytes(&case.opc)).unwrap();
        let (rand, sqn_ms, auts) = (bytes(&case.rand), bytes(&case.sqn_ms), bytes(&case.auts));
        assert_eq!(milenage.auts(&rand, &sqn_ms).unwrap()[..], auts);
        assert_eq!(milenage.resync(&rand, &auts).unwrap()[..], sqn_ms);
        for at in 0..14 {
            let mut forged = auts.clone();
            forged[at] ^= 0x80;
            assert_eq!(milenage.resync(&rand, &forged), Err(CryptoError::BadMac));
        }
    }
}

#[test]
fn a_wrong_length_names_the_field() {
    let fault = Milenage::new(&[0; 15], &[0; 16]).err();
    let expected = CryptoError::WrongLength {
        field: "K",
        expected: 16,
        actual: 15,
    };
    assert_eq!(fault, Some(expected));
    assert_eq!(expected.to_string(), "K has 15 bytes, not 16");
}

#[derive(Deserialize)]
struct GbaFile {
    derivations: Vec<Derivation>,
}

#[derive(Deserialize)]
struct Derivation {
    ck: String,
    ik: String,
    rand: String,
    impi: String,
    fqdn: String,
    ua_protocol: String,
    naf_id: String,
    ks_naf: String,
    ks_int_naf: String,
}

#[test]
fn gba_derives_one_key_for_each_server_and_protocol() {
    for case in read::<GbaFile>("gba").derivations {
        let naf_id = gba::naf_id(&case.fqdn, &bytes(&case.ua_protocol)).unwrap();
        assert_eq!(naf_id, bytes(&case.naf_id));
        let (ck, ik, rand) = (bytes(&case.ck), bytes(&case.ik), bytes(&case.rand));
        let me = gba::ks_naf(&ck, &ik, &rand, &case.impi, &naf_id).unwrap();
        assert_eq!(me.expose(), bytes(&case.ks_naf));
        let uicc = gba::ks_int_naf(&ck, &ik, &rand, &case.impi, &naf_id).unwrap();
        assert_eq!(uicc.expose(), bytes(&case.ks_int_naf));
    }
}

#[test]
fn gba_refuses_what_it_cannot_derive_from() {
    let long = "i".repeat(65536);
    assert!(gba::ks_naf(&[0; 16], &[0; 16], &[0; 16], &long, b"naf").is_err());
    assert!(gba::ks_naf(&[0; 15], &[0; 16], &[0; 16], "i", b"naf").is_err());
    assert!(gba::naf_id("", &[1, 0, 0, 0, 2]).is_err());
    assert!(gba::naf_id("naf.example.com", &[1, 0, 0, 2]).is_err());
}

#[derive(Deserialize)]
struct DmFile {
    md5: Vec<Md5Case>,
    hmac: Vec<HmacCase>,
    notification: Vec<NotificationCase>,
}

#[derive(Deserialize)]
struct Md5Case {
    user: String,
    password: String,
    nonce: String,
    data: String,
}

#[derive(Deserialize)]
struct HmacCase {
    user: String,
    password: String,
    nonce: String,
    body: String,
    mac: String,
}

#[derive(Deserialize)]
struct NotificationCase {
    server_id: String,
    password: String,
    nonce: String,
    trigger: String,
    digest: String,
}

#[test]
fn dm_credentials_follow_their_formulas() {
    let file: DmFile = read("dm_auth");
    for case in file.md5 {
        let (password, nonce) = (bytes(&case.password), bytes(&case.nonce));
        assert_eq!(dm_auth::md5(&case.user, &password, &nonce), case.data);
        assert_eq!(
            dm_auth::verify_md5(&case.user, &password, &nonce, &case.data),
            Ok(())
        );
        assert_eq!(
            dm_auth::verify_md5(&case.user, &password, b"other", &case.data),
            Err(CryptoError::BadMac)
        );
    }
    for case in file.hmac {
        let (password, nonce) = (bytes(&case.password), bytes(&case.nonce));
        let body = bytes(&case.body);
        assert_eq!(
            dm_auth::hmac(&case.user, &password, &nonce, &body),
            case.mac
        );
        assert_eq!(
            dm_auth::verify_hmac(&case.user, &password, &nonce, &body, &case.mac),
            Ok(())
        );
        assert_eq!(
            dm_auth::verify_hmac(&case.user, &password, &nonce, b"other", &case.mac),
            Err(CryptoError::BadMac)
        );
    }
    for case in file.notification {
        let digest = dm_auth::notification_digest(
            &case.server_id,
            &bytes(&case.password),
            &bytes(&case.nonce),
            &bytes(&case.trigger),
        );
        assert_eq!(digest[..], bytes(&case.digest));
    }
}

#[test]
fn what_is_no_base64_is_a_bad_credential() {
    for presented in ["", "=", "Zz6E", "Zz6EivR3yeaaENcRN6lpAQ==AA", "\u{e9}"] {
        assert_eq!(
            dm_auth::verify_md5("Bruce2", b"OhBehave", b"Nonce", presented),
            Err(CryptoError::BadMac)
        );
    }
    // Deployed peers wrap the value in white space or leave the padding out
    for presented in ["Zz6EivR3yeaaENcRN6lpAQ", " Zz6EivR3yeaaENcRN6lpAQ==\r\n"] {
        assert_eq!(
            dm_auth::verify_md5("Bruce2", b"OhBehave", b"Nonce", presented),
            Ok(())
        );
    }
}

#[derive(Deserialize)]
struct DigestFile {
    cases: Vec<DigestCase>,
}

#[derive(Deserialize)]
struct DigestCase {
    source: String,
    username: String,
    realm: String,
    password: String,
    method: String,
    uri: String,
    nonce: String,
    nc: String,
    cnonce: String,
    qop: Option<String>,
    body: String,
    response: String,
}

#[test]
fn http_digest_yields_the_published_responses() {
    for case in read::<DigestFile>("http_digest").cases {
        let request = Request {
            username: &case.username,
            realm: &case.realm,
            password: &bytes(&case.password),
            method: &case.method,
            uri: &case.uri,
            nonce: &case.nonce,
            nc: &case.nc,
            cnonce: &case.cnonce,
            qop: Qop::parse(case.qop.as_deref()).unwrap(),
            body: &bytes(&case.body),
        };
        let response = http_digest::response(&request).unwrap();
        assert_eq!(response, case.response, "{}", case.source);
    }
}

#[test]
fn http_digest_with_protection_needs_count_and_client_nonce() {
    let request = Request {
        username: "u",
        realm: "r",
        password: b"p",
        method: "GET",
        uri: "/",
        nonce: "n",
        nc: "",
        cnonce: "c",
        qop: Qop::Auth,
        body: b"",
    };
    let fault = http_digest::response(&request).unwrap_err();
    assert_eq!(fault.code(), "bad_input");
    assert!(Qop::parse(Some("auth,auth-int")).is_err());
}

#[derive(Deserialize)]
struct PushFile {
    cases: Vec<PushCase>,
}

#[derive(Deserialize)]
struct PushCase {
    imsi: Option<String>,
    pin: Option<String>,
    key: String,
    body: String,
    mac: String,
}

#[test]
fn a_push_is_bound_to_card_and_pin() {
    for case in read::<PushFile>("push_mac").cases {
        let key = match (&case.imsi, &case.pin) {
            (Some(imsi), None) => push::network_key(imsi).unwrap().expose().to_vec(),
            (Some(imsi), Some(pin)) => push::user_network_key(imsi, pin.as_bytes())
                .unwrap()
                .expose()
                .to_vec(),
            (None, pin) => pin.as_deref().unwrap_or_default().into(),
        };
        assert_eq!(key, bytes(&case.key));
        let body = bytes(&case.body);
        assert_eq!(push::mac(&key, &body).unwrap(), case.mac);
        assert_eq!(
            push::verify_mac(&key, &body, &case.mac.to_lowercase()),
            Ok(())
        );
        assert_eq!(
            push::verify_mac(&key, &body, "00"),
            Err(CryptoError::BadMac)
        );
    }
}

#[test]
fn an_imsi_is_six_to_fifteen_digits() {
    for imsi in ["", "00101", "0010101234567890", "00101012345678x", "٠٠١٠١٠"] {
        assert_eq!(push::network_key(imsi).err().unwrap().code(), "bad_input");
    }
}

#[test]
fn the_digits_for_the_user_come_from_the_code() {
    // m(i) = byte i of the HMAC, modulo ten; the code of push_mac.json, third case
    let body = bytes("030b6a0045c656018707060378000101");
    assert_eq!(push::pin_digits(b"1234", &body, 4).unwrap(), "8725");
    assert!(push::pin_digits(b"1234", &body, 21).is_err());
}
