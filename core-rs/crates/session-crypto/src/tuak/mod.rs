//! TUAK (TS 35.231), and the authentication tokens of TS 33.102 §6.3 over it.
//!
//! All functions are the permutation Keccak-f\[1600\] over one layout of inputs; they differ in one byte,
//! INSTANCE.

mod layout;
mod many;

use zeroize::Zeroizing;

use crate::chains;
use crate::error::{CryptoError, array};
use crate::secret::{Secret, check};
use layout::{
    AT_CK, AT_IK, Function, State, anonymity_key, choose, code_flags, conceal, fill_token, prepare,
    put_rand, put_sqn, response_flags, take,
};
pub(crate) use many::Batch;

/// AMF that a resynchronisation token is computed with (TS 33.102 §6.3.3).
const RESYNC_AMF: [u8; 2] = [0, 0];
/// More would take a second for one vector.
const MOST_ITERATIONS: u32 = 1_000_000;
/// The bytes of TOP and TOPc.
const OPERATOR: usize = 32;

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
    /// That TUAK has them, and keys of this length.
    ///
    /// # Errors
    /// A length or a number of iterations that it does not have.
    pub(crate) fn check(self, key_length: usize) -> Result<(), CryptoError> {
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
        if key_length != 16 && key_length != 32 {
            return Err(CryptoError::WrongLength {
                field: "K",
                expected: if key_length < 24 { 16 } else { 32 },
                actual: key_length,
            });
        }
        Ok(())
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
        let mut bound = (*tuak.prepared).clone();
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
        parameters.check(k.len())?;
        if value.len() != OPERATOR {
            return Err(CryptoError::WrongLength {
                field,
                expected: OPERATOR,
                actual: value.len(),
            });
        }
        let mut prepared = Box::new(Zeroizing::new([0; 25]));
        prepare(&mut prepared, value, k);
        Ok(Self {
            prepared,
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
        self.code(Function::F1, rand, sqn, *amf)
    }

    /// Resynchronisation code MAC-S.
    #[must_use]
    pub fn f1_star(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> Vec<u8> {
        self.code(Function::F1Star, rand, sqn, *amf)
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
        let mut state = self.input(Function::F5Star, 0, rand);
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
            self.code_input(Function::F1, &rand, &sqn, amf),
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

    fn code(&self, function: Function, rand: &[u8; 16], sqn: &[u8; 6], amf: [u8; 2]) -> Vec<u8> {
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

    fn code_input(
        &self,
        function: Function,
        rand: &[u8; 16],
        sqn: &[u8; 6],
        amf: [u8; 2],
    ) -> State {
        let mut state = self.input(function, code_flags(&self.parameters), rand);
        put_sqn(&mut state, sqn, amf);
        state
    }

    fn f2345_input(&self, rand: &[u8; 16]) -> State {
        self.input(Function::F2345, response_flags(&self.parameters), rand)
    }

    fn input(&self, function: Function, flags: u8, rand: &[u8; 16]) -> State {
        let mut state = (*self.prepared).clone();
        choose(&mut state, function, flags);
        put_rand(&mut state, rand);
        state
    }

    fn permute(&self, state: &mut State) {
        chains::permute_each(std::slice::from_mut(state), self.parameters.iterations);
    }
}

/// A field of at most 32 bytes.
fn secret(state: &State, at: usize, length: usize) -> Secret {
    let mut field = Zeroizing::new([0; 32]);
    take(state, at, &mut field[..length]);
    Secret::new(&field[..length])
}
