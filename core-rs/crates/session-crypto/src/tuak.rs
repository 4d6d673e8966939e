//! TUAK (TS 35.231), and the authentication tokens of TS 33.102 §6.3 over it.
//!
//! All functions are the permutation Keccak-f\[1600\] over one layout of inputs; they differ in one byte,
//! INSTANCE. The standard numbers bits from the least significant one of the last byte, so that every
//! field lies in the state with its bytes in reverse: its words are big-endian numbers, the last one first.

use zeroize::Zeroizing;

use crate::chains;
use crate::error::{CryptoError, array};
use crate::secret::{Secret, check};

/// The state, as the permutation takes it.
pub(crate) type State = Zeroizing<[u64; 25]>;

const ALGORITHM: u64 = u64::from_be_bytes(*b"TUAK1.0\0");
/// AMF that a resynchronisation token is computed with (TS 33.102 §6.3.3).
const RESYNC_AMF: [u8; 2] = [0, 0];
/// More would take a second for one vector.
const MOST_ITERATIONS: u32 = 1_000_000;

// TS 35.231 §6.2: the words of the state in which each field begins, and the outputs of f2 to f5 do.
// ALGORITHM ‖ INSTANCE is one word, SQN ‖ AMF is one.
const AT_INSTANCE: usize = 4;
const AT_RAND: usize = 5;
const AT_SQN: usize = 7;
const AT_KEY: usize = 8;
const PADDING: [(usize, u64); 2] = [(12, 0x1F), (16, 0x80 << 56)];
const AT_CK: usize = 4;
const AT_IK: usize = 8;
const AT_AK: usize = 12;

// TS 35.231 §7: INSTANCE but for the lengths
const DERIVE: u8 = 0x00;
const F1: u8 = 0x00;
const F1_STAR: u8 = 0x80;
const F2345: u8 = 0x40;
const F5_STAR: u8 = 0xC0;
const CK_IS_LONG: u8 = 0x04;
const IK_IS_LONG: u8 = 0x02;
const KEY_IS_LONG: u8 = 0x01;

/// The lengths an operator has chosen, in bytes, and how often the permutation is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Of MAC-A and MAC-S: 8, 16 or 32.
    pub mac_length: usize,
    /// Of RES: 4, 8, 16 or 32.
    pub res_length: usize,
    /// Of CK: 16 or 32.
    pub ck_length: usize,
    /// Of IK: 16 or 32.
    pub ik_length: usize,
    /// Of Keccak, at least 1.
    pub iterations: u32,
}

/// The functions of one subscriber key.
pub struct Tuak {
    // Boxed: moving the value must not leave a copy of the key behind
    prepared: Box<State>,
    key_flag: u8,
    parameters: Parameters,
}

/// What a home network hands out for one authentication (TS 33.102 §6.3.2).
pub struct AuthVector {
    /// The challenge.
    pub rand: [u8; 16],
    /// SQN xor AK, AMF, MAC-A: 16 bytes if MAC-A has eight, as mobile networks want it.
    pub autn: Vec<u8>,
    /// The response that the card must give.
    pub xres: Secret,
    /// The confidentiality key.
    pub ck: Secret,
    /// The integrity key.
    pub ik: Secret,
}

impl Default for Parameters {
    /// What mobile networks use: MAC and RES of 8 bytes, keys of 16, one iteration.
    fn default() -> Self {
        Self {
            mac_length: 8,
            res_length: 8,
            ck_length: 16,
            ik_length: 16,
            iterations: 1,
        }
    }
}

impl Parameters {
    fn check(self) -> Result<Self, CryptoError> {
        let fields = [
            ("length of MAC", self.mac_length, [8, 16, 32].as_slice()),
            ("length of RES", self.res_length, &[4, 8, 16, 32]),
            ("length of CK", self.ck_length, &[16, 32]),
            ("length of IK", self.ik_length, &[16, 32]),
        ];
        for (field, length, allowed) in fields {
            if !allowed.contains(&length) {
                let reason = "is none that TUAK has";
                return Err(CryptoError::BadInput { field, reason });
            }
        }
        if !(1..=MOST_ITERATIONS).contains(&self.iterations) {
            return Err(CryptoError::BadInput {
                field: "iterations",
                reason: "are none, or more than a million",
            });
        }
        Ok(self)
    }

    /// The part of INSTANCE that f2 to f5 share: a RES of 4 bytes counts as zero.
    const fn response_flags(self) -> u8 {
        let res = if self.res_length == 4 {
            0
        } else {
            length_flag(self.res_length)
        };
        let ck = if self.ck_length == 32 { CK_IS_LONG } else { 0 };
        let ik = if self.ik_length == 32 { IK_IS_LONG } else { 0 };
        res | ck | ik
    }
}

impl Tuak {
    /// From the subscriber key of 16 or 32 bytes and the operator value bound to it, of 32.
    ///
    /// # Errors
    /// A key, an operator value or parameters of lengths that TUAK does not have.
    pub fn new(k: &[u8], topc: &[u8], parameters: Parameters) -> Result<Self, CryptoError> {
        Self::with_operator_value(k, "TOPc", topc, parameters)
    }

    /// From the subscriber key and the operator's common value, which is bound to the key first (§7.1).
    ///
    /// # Errors
    /// A key, an operator value or parameters of lengths that TUAK does not have.
    pub fn from_top(k: &[u8], top: &[u8], parameters: Parameters) -> Result<Self, CryptoError> {
        let mut tuak = Self::with_operator_value(k, "TOP", top, parameters)?;
        let mut bound = tuak.input(DERIVE);
        tuak.permute(&mut bound);
        tuak.prepared[..4].copy_from_slice(&bound[..4]);
        Ok(tuak)
    }

    fn with_operator_value(
        k: &[u8],
        field: &'static str,
        value: &[u8],
        parameters: Parameters,
    ) -> Result<Self, CryptoError> {
        let parameters = parameters.check()?;
        if k.len() != 16 && k.len() != 32 {
            return Err(CryptoError::WrongLength {
                field: "K",
                expected: if k.len() < 24 { 16 } else { 32 },
                actual: k.len(),
            });
        }
        if value.len() != 32 {
            return Err(CryptoError::WrongLength {
                field,
                expected: 32,
                actual: value.len(),
            });
        }
        let mut prepared = Box::new(Zeroizing::new([0; 25]));
        put(&mut prepared, 0, value);
        prepared[AT_INSTANCE] = ALGORITHM;
        put(&mut prepared, AT_KEY, k);
        for (at, word) in PADDING {
            prepared[at] = word;
        }
        Ok(Self {
            prepared,
            key_flag: if k.len() == 32 { KEY_IS_LONG } else { 0 },
            parameters,
        })
    }

    /// The operator value bound to the key.
    #[must_use]
    pub fn topc(&self) -> Secret {
        secret(&self.prepared, 0, 32)
    }

    /// The lengths and the number of iterations.
    #[must_use]
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Network authentication code MAC-A.
    #[must_use]
    pub fn f1(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> Vec<u8> {
        self.code(F1, rand, sqn, *amf)
    }

    /// Resynchronisation code MAC-S.
    #[must_use]
    pub fn f1_star(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> Vec<u8> {
        self.code(F1_STAR, rand, sqn, *amf)
    }

    /// Response RES.
    #[must_use]
    pub fn f2(&self, rand: &[u8; 16]) -> Secret {
        secret(&self.f2345(rand), 0, self.parameters.res_length)
    }

    /// Confidentiality key CK.
    #[must_use]
    pub fn f3(&self, rand: &[u8; 16]) -> Secret {
        secret(&self.f2345(rand), AT_CK, self.parameters.ck_length)
    }

    /// Integrity key IK.
    #[must_use]
    pub fn f4(&self, rand: &[u8; 16]) -> Secret {
        secret(&self.f2345(rand), AT_IK, self.parameters.ik_length)
    }

    /// Anonymity key AK.
    #[must_use]
    pub fn f5(&self, rand: &[u8; 16]) -> [u8; 6] {
        anonymity_key(&self.f2345(rand))
    }

    /// Anonymity key AK of the resynchronisation token.
    #[must_use]
    pub fn f5_star(&self, rand: &[u8; 16]) -> [u8; 6] {
        let mut state = self.input(F5_STAR);
        put(&mut state, AT_RAND, rand);
        self.permute(&mut state);
        anonymity_key(&state)
    }

    /// An authentication vector: AUTN = SQN xor AK, AMF, MAC-A (TS 33.102 §6.3.2).
    ///
    /// # Errors
    /// An input of a wrong length.
    pub fn vector(&self, rand: &[u8], sqn: &[u8], amf: &[u8]) -> Result<AuthVector, CryptoError> {
        let rand = array("RAND", rand)?;
        let sqn = array("SQN", sqn)?;
        let amf = array("AMF", amf)?;
        let mut states = [
            self.code_input(F1, &rand, &sqn, amf),
            self.f2345_input(&rand),
        ];
        chains::permute_each(&mut states, self.parameters.iterations);
        let [code, out] = states;
        let mut autn = vec![0; 8 + self.parameters.mac_length];
        fill_token(&mut autn, &sqn, amf, [&code, &out]);
        let Parameters {
            res_length,
            ck_length,
            ik_length,
            ..
        } = self.parameters;
        Ok(AuthVector {
            rand,
            autn,
            xres: secret(&out, 0, res_length),
            ck: secret(&out, AT_CK, ck_length),
            ik: secret(&out, AT_IK, ik_length),
        })
    }

    /// Vectors of at most four subscribers with the same parameters, AUTN ‖ XRES ‖ CK ‖ IK each.
    pub(crate) fn fill_four<'a>(
        four: &[Self],
        (rands, sqns, amf): (&[[u8; 16]], &[[u8; 6]], [u8; 2]),
        vectors: impl Iterator<Item = &'a mut [u8]>,
    ) {
        let Some(Self { parameters, .. }) = four.first() else {
            return;
        };
        let inputs = || four.iter().zip(rands).zip(sqns);
        let mut codes: Vec<State> = inputs()
            .map(|((tuak, rand), sqn)| tuak.code_input(F1, rand, sqn, amf))
            .collect();
        let mut outs: Vec<State> = inputs()
            .map(|((tuak, rand), _)| tuak.f2345_input(rand))
            .collect();
        chains::permute_each(&mut codes, parameters.iterations);
        chains::permute_each(&mut outs, parameters.iterations);
        for (((code, out), sqn), vector) in codes.iter().zip(&outs).zip(sqns).zip(vectors) {
            let (autn, rest) = vector.split_at_mut(8 + parameters.mac_length);
            let (xres, rest) = rest.split_at_mut(parameters.res_length);
            let (ck, ik) = rest.split_at_mut(parameters.ck_length);
            fill_token(autn, sqn, amf, [code, out]);
            take(out, 0, xres);
            take(out, AT_CK, ck);
            take(out, AT_IK, ik);
        }
    }

    /// The sequence number that an authentication token carries, its code checked.
    ///
    /// # Errors
    /// An input of a wrong length, or a code that does not fit.
    pub fn open_autn(&self, rand: &[u8], autn: &[u8]) -> Result<[u8; 6], CryptoError> {
        let rand = array("RAND", rand)?;
        self.check_length("AUTN", 8, autn)?;
        let (concealed, rest) = autn.split_at(6);
        let (amf, code) = rest.split_at(2);
        let sqn = conceal(&array("AUTN", concealed)?, &self.f5(&rand));
        check(&self.f1(&rand, &sqn, &array("AUTN", amf)?), code)?;
        Ok(sqn)
    }

    /// The resynchronisation token of a card at `sqn_ms`: SQN xor AK, MAC-S (TS 33.102 §6.3.3).
    ///
    /// # Errors
    /// An input of a wrong length.
    pub fn auts(&self, rand: &[u8], sqn_ms: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let rand = array("RAND", rand)?;
        let sqn_ms = array("SQN", sqn_ms)?;
        let concealed = conceal(&sqn_ms, &self.f5_star(&rand));
        let code = self.f1_star(&rand, &sqn_ms, &RESYNC_AMF);
        Ok([concealed.as_slice(), &code].concat())
    }

    /// The card's sequence number from its resynchronisation token (TS 33.102 §6.3.5).
    ///
    /// # Errors
    /// An input of a wrong length, or a token that this key did not make.
    pub fn resync(&self, rand: &[u8], auts: &[u8]) -> Result<[u8; 6], CryptoError> {
        let rand = array("RAND", rand)?;
        self.check_length("AUTS", 6, auts)?;
        let (concealed, code) = auts.split_at(6);
        let sqn_ms = conceal(&array("AUTS", concealed)?, &self.f5_star(&rand));
        check(&self.f1_star(&rand, &sqn_ms, &RESYNC_AMF), code)?;
        Ok(sqn_ms)
    }

    fn check_length(
        &self,
        field: &'static str,
        before_code: usize,
        token: &[u8],
    ) -> Result<(), CryptoError> {
        let expected = before_code + self.parameters.mac_length;
        if token.len() == expected {
            return Ok(());
        }
        Err(CryptoError::WrongLength {
            field,
            expected,
            actual: token.len(),
        })
    }

    fn code(&self, function: u8, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> Vec<u8> {
        let mut state = self.code_input(function, rand, sqn, amf);
        self.permute(&mut state);
        let mut code = vec![0; self.parameters.mac_length];
        take(&state, 0, &mut code);
        code
    }

    fn f2345(&self, rand: &[u8; 16]) -> State {
        let mut state = self.f2345_input(rand);
        self.permute(&mut state);
        state
    }

    fn code_input(&self, function: u8, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> State {
        let mut state = self.input(function | length_flag(self.parameters.mac_length));
        put(&mut state, AT_RAND, rand);
        let [s0, s1, s2, s3, s4, s5] = *sqn;
        put(
            &mut state,
            AT_SQN,
            &[s0, s1, s2, s3, s4, s5, amf[0], amf[1]],
        );
        state
    }

    fn f2345_input(&self, rand: &[u8; 16]) -> State {
        let mut state = self.input(F2345 | self.parameters.response_flags());
        put(&mut state, AT_RAND, rand);
        state
    }

    fn input(&self, instance: u8) -> State {
        let mut state = (*self.prepared).clone();
        state[AT_INSTANCE] |= u64::from(instance | self.key_flag);
        state
    }

    fn permute(&self, state: &mut State) {
        chains::permute_each(std::slice::from_mut(state), self.parameters.iterations);
    }
}

/// 8, 16 or 32 bytes in INSTANCE.
const fn length_flag(length: usize) -> u8 {
    match length {
        8 => 0x08,
        16 => 0x10,
        _ => 0x20,
    }
}

/// Puts a field of whole words into the state.
fn put(state: &mut State, at: usize, field: &[u8]) {
    let words = field.as_rchunks().1.iter().rev();
    for (word, bytes) in state[at..].iter_mut().zip(words) {
        *word = u64::from_be_bytes(*bytes);
    }
}

/// Takes a field of whole words, or the end of one, out of the state.
fn take(state: &State, at: usize, field: &mut [u8]) {
    for (bytes, word) in field.rchunks_mut(8).zip(&state[at..]) {
        let start = 8 - bytes.len();
        bytes.copy_from_slice(&word.to_be_bytes()[start..]);
    }
}

/// As [`take`], of at most 32 bytes.
fn secret(state: &State, at: usize, length: usize) -> Secret {
    let mut field = Zeroizing::new([0; 32]);
    take(state, at, &mut field[..length]);
    Secret::new(&field[..length])
}

/// AUTN: SQN xor AK, AMF, MAC-A.
fn fill_token(autn: &mut [u8], sqn: &[u8; 6], amf: [u8; 2], [code, out]: [&State; 2]) {
    autn[..6].copy_from_slice(&conceal(sqn, &anonymity_key(out)));
    autn[6..8].copy_from_slice(&amf);
    take(code, 0, &mut autn[8..]);
}

fn anonymity_key(state: &State) -> [u8; 6] {
    let mut key = [0; 6];
    take(state, AT_AK, &mut key);
    key
}

fn conceal(sqn: &[u8; 6], ak: &[u8; 6]) -> [u8; 6] {
    std::array::from_fn(|index| sqn[index] ^ ak[index])
}
