//! Tokens of AKA: AUTN from a network, AUTS from a card, sequence numbers.
#![no_main]

use fuzz::KEY;
use session_crypto::milenage::Milenage;
use session_crypto::sqn::{Clock, Sqn, Window};
use session_crypto::tuak::{Parameters, Tuak};

const RAND: [u8; 16] = [0x23; 16];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let milenage = Milenage::new(&KEY, &KEY).unwrap();
    let tuak = Tuak::new(&KEY, &[KEY, KEY].concat(), Parameters::default()).unwrap();
    // Nobody guesses a code of eight bytes
    assert!(milenage.open_autn(&RAND, data).is_err());
    assert!(milenage.resync(&RAND, data).is_err());
    assert!(tuak.open_autn(&RAND, data).is_err());
    assert!(tuak.resync(&RAND, data).is_err());
    assert!(milenage.open_autn(data, &[0; 16]).is_err());

    let mut window = Window::new(Sqn::from([0; 6]));
    let mut network = Sqn::from([0; 6]);
    for number in data.as_chunks::<6>().0 {
        let number = Sqn::from(*number);
        assert_eq!(Sqn::from(number.to_bytes()), number);
        if let Ok(next) = window.accept(number, Some(1 << 20)) {
            assert_eq!(
                next.accept(number, None),
                next.accept(number, Some(1 << 20))
            );
            assert!(next.accept(number, None).is_err());
            window = next;
        }
        network = network.after_resynchronisation(number);
        if let Ok(next) = network.next(Some(Clock::new(number.seq))) {
            assert!(next.seq > network.seq);
            network = next;
        }
    }
});
