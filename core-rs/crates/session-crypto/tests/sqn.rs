//! Sequence numbers, as networks count and cards check them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod support;

use proptest::prelude::*;
use serde::Deserialize;
use session_crypto::CryptoError;
use session_crypto::sqn::{Clock, MOST_SEQ, Sqn, Window};
use support::{bytes, read};

fn sqn() -> impl Strategy<Value = Sqn> {
    (0..=MOST_SEQ, 0_u8..32).prop_map(|(seq, index)| Sqn { seq, index })
}

fn at(seq: u64) -> Sqn {
    Sqn { seq, index: 0 }
}

#[test]
fn a_clock_is_followed_and_outlived() {
    let next = |seq, clock| at(seq).next(Some(Clock::new(clock))).unwrap().seq;
    let period = 1 << 24;
    // Behind the clock: to the clock. Ahead of it by little: count. Ahead by much: it began anew
    assert_eq!(next(3 * period + 100, 500), 3 * period + 500);
    assert_eq!(next(3 * period + 500, 500), 3 * period + 501);
    assert_eq!(next(3 * period + 600, 500), 3 * period + 601);
    assert_eq!(
        next(3 * period + 499 + (1 << 16), 500),
        3 * period + 500 + (1 << 16)
    );
    assert_eq!(next(3 * period + 500 + (1 << 16), 500), 4 * period + 500);
    // So far behind that it is rather ahead, of a clock that is about to begin anew
    assert_eq!(next(3 * period, period - 1), 3 * period + 1);
    assert_eq!(next(3 * period, (1 << 32) + 7), 3 * period + 7);
}

#[test]
fn an_operator_chooses_how_numbers_follow_the_clock() {
    let next = |seq, now, bits, most_ahead| {
        let clock = Clock {
            now,
            bits,
            most_ahead,
        };
        at(seq).next(Some(clock)).map(|next| next.seq)
    };
    // A clock of 16 values: a number is at it, ahead by less than four, ahead by four
    assert_eq!(next(0x23, 0x5, 4, 4), Ok(0x25));
    assert_eq!(next(0x23, 0x75, 4, 4), Ok(0x25));
    assert_eq!(next(0x28, 0x5, 4, 4), Ok(0x29));
    assert_eq!(next(0x29, 0x5, 4, 4), Ok(0x35));
    for (bits, most_ahead) in [(0, 1), (43, 1), (64, 1), (4, 0), (4, 16), (42, u64::MAX)] {
        let refused = next(0, 0, bits, most_ahead).map_err(CryptoError::code);
        assert_eq!(refused, Err("bad_input"), "{bits} {most_ahead}");
    }
    assert!(next(0, 0, 42, (1 << 42) - 1).is_ok());
}

#[test]
fn the_last_number_has_no_next() {
    assert_eq!(at(MOST_SEQ).next(None), Err(CryptoError::CounterBlocked));
    assert_eq!(at(MOST_SEQ - 1).next(None).unwrap().seq, MOST_SEQ);
}

#[test]
fn a_number_is_fresh_for_its_index() {
    let window = Window::new(at(100));
    let window = window.accept(Sqn { seq: 110, index: 3 }, None).unwrap();
    assert_eq!(window.highest(), Sqn { seq: 110, index: 3 });
    // Out of order, but of another index
    let window = window.accept(Sqn { seq: 105, index: 4 }, None).unwrap();
    assert_eq!(window.seen()[4], 105);
    for index in [3, 4] {
        let again = Sqn { seq: 105, index };
        assert_eq!(window.accept(again, None), Err(CryptoError::CounterLow));
    }
    let old = Sqn { seq: 106, index: 5 };
    assert!(window.accept(old, Some(5)).is_ok());
    assert_eq!(window.accept(old, Some(4)), Err(CryptoError::CounterLow));
    assert!(window.accept(at(110 + (1 << 28)), None).is_ok());
    assert_eq!(
        window.accept(at(111 + (1 << 28)), None),
        Err(CryptoError::CounterHigh)
    );
    assert_eq!(Window::from_seen(*window.seen()), window);
}

#[test]
fn a_network_goes_on_from_the_cards_number_if_it_must() {
    assert_eq!(at(10).after_resynchronisation(at(20)), at(20));
    assert_eq!(at(20).after_resynchronisation(at(20)), at(20));
    assert_eq!(at(20).after_resynchronisation(at(10)), at(20));
    assert_eq!(at(20 + (1 << 28)).after_resynchronisation(at(20)), at(20));
}

proptest! {
    #[test]
    fn bytes_and_numbers_are_the_same(bytes: [u8; 6]) {
        prop_assert_eq!(Sqn::from(bytes).to_bytes(), bytes);
    }

    #[test]
    fn a_card_takes_every_number_once(start in sqn(), clocks: Vec<Option<u32>>) {
        let (mut network, mut card) = (start, Window::new(start));
        for clock in clocks {
            let Ok(next) = network.next(clock.map(|now| Clock::new(u64::from(now)))) else {
                break;
            };
            prop_assert!(next.seq > network.seq);
            card = card.accept(next, None).unwrap();
            prop_assert_eq!(card.accept(next, None), Err(CryptoError::CounterLow));
            network = next;
        }
    }

    #[test]
    fn after_a_resynchronisation_the_next_number_is_fresh(network in sqn(), card in sqn()) {
        let agreed = network.after_resynchronisation(card);
        if let Ok(next) = agreed.next(None) {
            prop_assert!(Window::new(card).accept(next, None).is_ok());
        }
    }
}

#[derive(Deserialize)]
struct File {
    counted: Vec<Counted>,
    cards: Vec<Card>,
    resynchronisations: Vec<Resynchronisation>,
}

#[derive(Deserialize)]
struct Counted {
    last: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Card {
    name: String,
    seen: String,
    offered: Vec<Offered>,
    highest: String,
}

#[derive(Deserialize)]
struct Offered {
    sqn: String,
    code: Option<String>,
}

#[derive(Deserialize)]
struct Resynchronisation {
    network: String,
    card: String,
    agreed: String,
}

fn number(hex: &str) -> Sqn {
    Sqn::from(<[u8; 6]>::try_from(bytes(hex)).unwrap())
}

#[test]
fn networks_and_cards_do_as_the_vectors_say() {
    let file: File = read("sqn");
    for case in file.counted {
        let next = number(&case.last).next(None).ok();
        assert_eq!(next, case.next.as_deref().map(number), "{}", case.last);
    }
    for case in file.cards {
        let mut window = Window::new(number(&case.seen));
        for offered in case.offered {
            let result = window.accept(number(&offered.sqn), None);
            let code = result.err().map(|fault| fault.code().to_owned());
            assert_eq!(code, offered.code, "{}: {}", case.name, offered.sqn);
            window = result.unwrap_or(window);
        }
        assert_eq!(window.highest(), number(&case.highest), "{}", case.name);
    }
    for case in file.resynchronisations {
        let agreed = number(&case.network).after_resynchronisation(number(&case.card));
        assert_eq!(
            agreed,
            number(&case.agreed),
            "{} {}",
            case.network,
            case.card
        );
    }
}
