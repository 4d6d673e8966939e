//! SCP02 with many cards at once against the same with each: twins of every session go both ways.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use proptest::prelude::*;
use session_crypto::CryptoError;
use session_crypto::batch::{scp02_unwrap, scp02_wrap};
use session_crypto::des::{Des, LANES, RetailMac};
use session_crypto::scp02::{Host, Level, Parameters, Session};

const CHALLENGE: [u8; 8] = *b"hostchal";
const OK: [u8; 2] = [0x90, 0];
const LEVELS: [Level; 5] = [
    Level::CMac,
    Level::CMacCEnc,
    Level::RMac,
    Level::CMacRMac,
    Level::CMacCEncRMac,
];
/// Around the number of lanes, and enough for more than one thread.
const COUNTS: [usize; 7] = [0, 1, 2, LANES - 1, LANES, LANES + 1, 3 * LANES + 5];

/// A card with keys of its own, which tells the number that it was made from.
struct Card {
    enc: [u8; 16],
    mac: [u8; 16],
    counter: [u8; 2],
    chain: [u8; 8],
}

impl Card {
    fn new(number: usize) -> Self {
        let number = number as u8;
        Self {
            enc: std::array::from_fn(|at| number.wrapping_mul(29).wrapping_add(at as u8 * 7)),
            mac: std::array::from_fn(|at| number.wrapping_mul(53).wrapping_add(at as u8 * 11)),
            counter: [1, number],
            chain: [0; 8],
        }
    }

    fn derived(&self, key: &[u8], constant: [u8; 2]) -> [u8; 16] {
        let mut blocks = [[0; 8]; 2];
        blocks[0][..2].copy_from_slice(&constant);
        blocks[0][2..4].copy_from_slice(&self.counter);
        let cipher = Des::new("key", key).unwrap();
        cipher.cbc_encrypt(&[0; 8], &mut blocks);
        blocks.concat().try_into().unwrap()
    }

    fn session(&mut self, level: Level) -> Session {
        let challenge = [self.counter.as_slice(), b"random"].concat();
        let enc = Des::new("S-ENC", &self.derived(&self.enc, [1, 0x82])).unwrap();
        let (mut proof, blocks) = ([0; 8], [CHALLENGE, challenge.clone().try_into().unwrap()]);
        enc.mac(&mut proof, &blocks);
        enc.mac(&mut proof, &[[0x80, 0, 0, 0, 0, 0, 0, 0]]);
        let response = [[0; 10].as_slice(), &[1, 2], &challenge, &proof, &OK].concat();
        let host = Host::new(&self.enc, &self.mac, &CHALLENGE, Parameters::new(level)).unwrap();
        let opening = host.receive(&response).unwrap();
        self.chain = *opening.external_authenticate().last_chunk().unwrap();
        opening.confirm(&OK).unwrap()
    }

    /// What it says to a command, with its code.
    fn answer(&mut self, command: &[u8], data: &[u8]) -> Vec<u8> {
        let mut covered = vec![command[0], command[1], command[2], command[3]];
        // With data there is an Lc, and without it may be Le
        covered.extend(if command.len() > 5 {
            &command[4..]
        } else {
            &[0]
        });
        covered.push(data.len() as u8);
        covered.extend(data);
        covered.extend(OK);
        let rmac = RetailMac::new("S-RMAC", &self.derived(&self.mac, [1, 2])).unwrap();
        self.chain = rmac.tag(&self.chain, &covered);
        [data, &self.chain, &OK].concat()
    }
}

struct Cards {
    cards: Vec<Card>,
    sessions: Vec<Session>,
    twins: Vec<Session>,
}

impl Cards {
    fn new(count: usize, level: Level) -> Self {
        let mut cards: Vec<_> = (0..count).map(Card::new).collect();
        let sessions = cards.iter_mut().map(|card| card.session(level)).collect();
        let twins = cards.iter_mut().map(|card| card.session(level)).collect();
        Self {
            cards,
            sessions,
            twins,
        }
    }

    fn wrap(&mut self, commands: &[u8], own: bool) -> Result<Vec<u8>, CryptoError> {
        scp02_wrap(
            &mut self.sessions.iter_mut().collect::<Vec<_>>(),
            commands,
            own,
        )
    }

    fn unwrap(&mut self, responses: &[u8]) -> Result<Vec<u8>, CryptoError> {
        scp02_unwrap(&mut self.sessions.iter_mut().collect::<Vec<_>>(), responses)
    }

    /// What the twins make of commands and of responses, in the form of the batches.
    fn wrap_each<'a>(&mut self, command: impl Fn(usize) -> &'a [u8]) -> Vec<u8> {
        let twins = self.twins.iter_mut().enumerate();
        let wrapped = twins.map(|(at, twin)| twin.wrap(command(at)).unwrap().to_vec());
        wrapped.collect::<Vec<_>>().concat()
    }

    fn unwrap_each(&mut self, responses: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let twins = self.twins.iter_mut().zip(responses);
        let opened = twins.map(|(twin, response)| {
            let (data, status) = twin.unwrap(response).ok()?;
            Some([&[1], data, &status].concat())
        });
        opened.collect()
    }
}

fn command(data: &[u8], le: bool) -> Vec<u8> {
    let mut command = vec![0x80, 0xE2, 1, 2];
    if !data.is_empty() {
        command.push(data.len() as u8);
        command.extend(data);
    }
    command.extend(le.then_some(0));
    command
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn many_sessions_are_as_many_single_ones(
        count in prop::sample::select(COUNTS.as_slice()),
        level in prop::sample::select(LEVELS.as_slice()),
        own: bool,
        le: bool,
        exchanges in prop::collection::vec((0_usize..=239, 0_usize..=247, any::<u8>()), 1..3),
    ) {
        let mut cards = Cards::new(count, level);
        for (data, answer, seed) in exchanges {
            // One after the other, each card's data differing from the others'
            let commands: Vec<_> = (0..count)
                .map(|at| {
                    let first = if own { seed.wrapping_add(at as u8) } else { seed };
                    command(&(0..data).map(|byte| first ^ byte as u8).collect::<Vec<_>>(), le)
                })
                .collect();
            let flat = if own || count == 0 { commands.concat() } else { commands[0].clone() };
            let wrapped = cards.wrap(&flat, own).unwrap();
            prop_assert_eq!(wrapped, cards.wrap_each(|at| &commands[at]));
            let responses: Vec<_> = (0..count)
                .map(|at| {
                    let answer: Vec<_> = (0..answer).map(|byte| seed ^ (byte + at) as u8).collect();
                    let end = commands[at].len() - usize::from(le && data > 0);
                    match level {
                        Level::CMac | Level::CMacCEnc => [answer.as_slice(), &OK].concat(),
                        _ => cards.cards[at].answer(&commands[at][..end], &answer),
                    }
                })
                .collect();
            let records = cards.unwrap(&responses.concat()).unwrap();
            let expected = cards.unwrap_each(&responses);
            prop_assert!(expected.iter().all(Option::is_some));
            let expected: Vec<_> = expected.into_iter().flatten().collect();
            prop_assert_eq!(records, expected.concat());
        }
    }

    #[test]
    fn a_response_that_does_not_fit_closes_its_session_and_no_other(
        count in prop::sample::select(&COUNTS[1..]),
        wrong: prop::sample::Index,
        byte: prop::sample::Index,
    ) {
        let mut cards = Cards::new(count, Level::CMacCEncRMac);
        let (command, wrong) = (command(b"data", false), wrong.index(count));
        cards.wrap(&command, false).unwrap();
        cards.wrap_each(|_| &command);
        let mut responses: Vec<_> =
            cards.cards.iter_mut().map(|card| card.answer(&command, b"answer")).collect();
        let byte = byte.index(responses[wrong].len());
        responses[wrong][byte] ^= 1;
        let records = cards.unwrap(&responses.concat()).unwrap();
        let expected = cards.unwrap_each(&responses);
        for (at, record) in records.chunks(records.len() / count).enumerate() {
            let zeros = vec![0; record.len()];
            prop_assert_eq!(record, expected[at].as_ref().unwrap_or(&zeros));
            prop_assert_eq!(expected[at].is_none(), at == wrong);
            prop_assert_eq!(cards.sessions[at].is_closed(), at == wrong);
        }
        // One closed session, and the batch refuses all
        let refused = cards.wrap(&command, false).map_err(CryptoError::code);
        prop_assert_eq!(refused, Err("wrong_state"));
    }
}

#[test]
fn a_bare_status_is_what_it_is_to_each_session() {
    for level in LEVELS {
        for status in [[0x6A, 0x82], OK] {
            for rest in 0..=9 {
                let mut cards = Cards::new(3, level);
                let command = command(&[], true);
                cards.wrap(&command, false).unwrap();
                cards.wrap_each(|_| &command);
                let response = [vec![7; rest], status.to_vec()].concat();
                let records = cards.unwrap(&response.repeat(3)).unwrap();
                let expected = cards.unwrap_each(&vec![response; 3]);
                for (record, expected) in records.chunks(records.len() / 3).zip(expected) {
                    assert_eq!(record, expected.unwrap_or(vec![0; record.len()]));
                }
                for (session, twin) in cards.sessions.iter().zip(&cards.twins) {
                    assert_eq!(session.is_closed(), twin.is_closed());
                }
            }
        }
    }
}

#[test]
fn what_is_refused_leaves_all_sessions_as_they_were() {
    let code = |result: Result<Vec<u8>, CryptoError>| result.unwrap_err().code();
    let mut cards = Cards::new(3, Level::CMacCEncRMac);
    let (short, long) = (command(b"data", false), command(&[0; 240], false));
    assert_eq!(code(cards.unwrap(&[0; 36])), "wrong_state");
    assert_eq!(code(cards.wrap(&long, false)), "too_long");
    assert_eq!(code(cards.wrap(&short[..4 + 2], false)), "bad_input");
    assert_eq!(code(cards.wrap(&[0x80; 10], true)), "wrong_length");
    // As long as the others, but with less data and an Le
    let other = command(b"dat", true);
    assert_eq!(other.len(), short.len());
    let mixed = [&*short, &short, &other].concat();
    assert_eq!(code(cards.wrap(&mixed, true)), "bad_input");
    let expected = cards.wrap_each(|_| &short);
    assert_eq!(cards.wrap(&short, false), Ok(expected));

    assert_eq!(code(cards.unwrap(&[0; 35])), "wrong_length");
    assert_eq!(code(cards.unwrap(&[0; 3])), "bad_input");
    cards.sessions[2].wrap(&command(b"longer", false)).unwrap();
    assert_eq!(code(cards.unwrap(&[0; 36])), "bad_input");
    cards.sessions[2] = Card::new(2).session(Level::CMac);
    assert_eq!(code(cards.wrap(&short, false)), "bad_input");
    assert!(!cards.sessions.iter().any(Session::is_closed));
}
