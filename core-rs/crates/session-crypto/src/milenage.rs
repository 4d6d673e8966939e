//! MILENAGE (TS 35.206), and the authentication tokens of TS 33.102 §6.3.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, Zeroizing};

use crate::chains::{LANES, Lanes};
use crate::error::{CryptoError, array, key_array};
use crate::secret::{Secret, check};

type Block = Zeroizing<[u8; 16]>;

// TS 35.206 §4.1: rotations in bytes (the standard counts bits) and the last byte of the constants
const R1: usize = 8;
const C1: u8 = 0;
const R2: usize = 0;
const C2: u8 = 1;
const R3: usize = 4;
const C3: u8 = 2;
const R4: usize = 8;
const C4: u8 = 4;
const R5: usize = 12;
const C5: u8 = 8;

/// What an operator may choose in place of what TS 35.206 proposes (§5.3); all of its cards have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// r1 to r5: by how many bits each input is turned, less than 128.
    pub rotations: [u8; 5],
    /// c1 to c5: what is added to it then.
    pub added: [[u8; 16]; 5],
}

/// AMF that a resynchronisation token is computed with (TS 33.102 §6.3.3).
const RESYNC_AMF: [u8; 2] = [0, 0];

/// The functions of one subscriber key.
pub struct Milenage {
    // Boxed: moving the value must not leave copies of the key schedule behind
    keys: Box<Keys>,
}

struct Keys {
    cipher: Aes128,
    opc: Block,
    constants: Constants,
}

impl Constants {
    /// That the rotations are some.
    ///
    /// # Errors
    /// A rotation of 128 bits or more.
    pub(crate) fn check(&self) -> Result<(), CryptoError> {
        if self.rotations.iter().all(|bits| *bits < 128) {
            return Ok(());
        }
        Err(CryptoError::BadInput {
            field: "rotations",
            reason: "has one of 128 bits or more",
        })
    }

    /// A block turned, and the constant added: those of the functions by their places.
    fn turned(&self, place: usize, block: &[u8; 16]) -> [u8; 16] {
        let turned = u128::from_be_bytes(*block).rotate_left(u32::from(self.rotations[place]));
        (turned ^ u128::from_be_bytes(self.added[place])).to_be_bytes()
    }
}

impl Default for Constants {
    fn default() -> Self {
        let bits = |bytes: usize| 8 * bytes as u8;
        Self {
            rotations: [R1, R2, R3, R4, R5].map(bits),
            added: [C1, C2, C3, C4, C5].map(|last| u128::from(last).to_be_bytes()),
        }
    }
}

/// What a home network hands out for one authentication (TS 33.102 §6.3.2).
pub struct AuthVector {
    /// The challenge.
    pub rand: [u8; 16],
    /// SQN xor AK, AMF, MAC-A.
    pub autn: [u8; 16],
    /// The response that the card must give.
    pub xres: Secret,
    /// The confidentiality key.
    pub ck: Secret,
    /// The integrity key.
    pub ik: Secret,
}

impl Milenage {
    /// From the subscriber key and the operator value bound to it, with the standard's constants.
    ///
    /// # Errors
    /// A key or operator value that has not 16 bytes.
    pub fn new(k: &[u8], opc: &[u8]) -> Result<Self, CryptoError> {
        let k: Block = key_array("K", k)?;
        let opc = key_array("OPc", opc)?;
        let cipher = Aes128::new(Array::cast_from_core(&k));
        Ok(Self {
            keys: Box::new(Keys {
                cipher,
                opc,
                constants: Constants::default(),
            }),
        })
    }

    /// With an operator's own constants. OPc does not depend on them.
    ///
    /// # Errors
    /// A rotation of 128 bits or more.
    pub fn with_constants(mut self, constants: Constants) -> Result<Self, CryptoError> {
        constants.check()?;
        self.keys.constants = constants;
        Ok(self)
    }

    /// From the subscriber key and the operator's common value: OPc = E(OP) xor OP (§4.1).
    ///
    /// # Errors
    /// A key or operator value that has not 16 bytes.
    pub fn from_op(k: &[u8], op: &[u8]) -> Result<Self, CryptoError> {
        let op: Block = key_array("OP", op)?;
        let mut milenage = Self::new(k, &[0; 16])?;
        let opc = xor(&milenage.encrypt(&op), &op);
        milenage.keys.opc = opc;
        Ok(milenage)
    }

    /// The operator value bound to the key.
    #[must_use]
    pub fn opc(&self) -> Secret {
        Secret::new(&*self.keys.opc)
    }

    /// Network authentication code MAC-A.
    #[must_use]
    pub fn f1(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> [u8; 8] {
        head(&self.out1(rand, sqn, amf), 0)
    }

    /// Resynchronisation code MAC-S.
    #[must_use]
    pub fn f1_star(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> [u8; 8] {
        head(&self.out1(rand, sqn, amf), 8)
    }

    /// Response RES.
    #[must_use]
    pub fn f2(&self, rand: &[u8; 16]) -> Secret {
        Secret::new(&self.out(rand, 1)[8..])
    }

    /// Confidentiality key CK.
    #[must_use]
    pub fn f3(&self, rand: &[u8; 16]) -> Secret {
        Secret::new(&*self.out(rand, 2))
    }

    /// Integrity key IK.
    #[must_use]
    pub fn f4(&self, rand: &[u8; 16]) -> Secret {
        Secret::new(&*self.out(rand, 3))
    }

    /// Anonymity key AK.
    #[must_use]
    pub fn f5(&self, rand: &[u8; 16]) -> [u8; 6] {
        head(&self.out(rand, 1), 0)
    }

    /// Anonymity key AK of the resynchronisation token.
    #[must_use]
    pub fn f5_star(&self, rand: &[u8; 16]) -> [u8; 6] {
        head(&self.out(rand, 4), 0)
    }

    /// An authentication vector: AUTN = SQN xor AK, AMF, MAC-A (TS 33.102 §6.3.2).
    ///
    /// # Errors
    /// An input of a wrong length.
    pub fn vector(&self, rand: &[u8], sqn: &[u8], amf: &[u8]) -> Result<AuthVector, CryptoError> {
        let rand = array("RAND", rand)?;
        let sqn = array("SQN", sqn)?;
        let amf = array("AMF", amf)?;
        let mut autn = [0; 16];
        autn[..6].copy_from_slice(&conceal(&sqn, &self.f5(&rand)));
        autn[6..8].copy_from_slice(&amf);
        autn[8..].copy_from_slice(&self.f1(&rand, &sqn, &amf));
        Ok(AuthVector {
            rand,
            autn,
            xres: self.f2(&rand),
            ck: self.f3(&rand),
            ik: self.f4(&rand),
        })
    }

    /// The sequence number that an authentication token carries, its code checked.
    ///
    /// # Errors
    /// An input of a wrong length, or a code that does not fit.
    pub fn open_autn(&self, rand: &[u8], autn: &[u8]) -> Result<[u8; 6], CryptoError> {
        let rand = array("RAND", rand)?;
        let autn: [u8; 16] = array("AUTN", autn)?;
        let sqn = conceal(&head(&autn, 0), &self.f5(&rand));
        let amf = head(&autn, 6);
        check(&self.f1(&rand, &sqn, &amf), &autn[8..])?;
        Ok(sqn)
    }

    /// The resynchronisation token of a card at `sqn_ms`: SQN xor AK, MAC-S (TS 33.102 §6.3.3).
    ///
    /// # Errors
    /// An input of a wrong length.
    pub fn auts(&self, rand: &[u8], sqn_ms: &[u8]) -> Result<[u8; 14], CryptoError> {
        let rand = array("RAND", rand)?;
        let sqn_ms = array("SQN", sqn_ms)?;
        let mut auts = [0; 14];
        auts[..6].copy_from_slice(&conceal(&sqn_ms, &self.f5_star(&rand)));
        auts[6..].copy_from_slice(&self.f1_star(&rand, &sqn_ms, &RESYNC_AMF));
        Ok(auts)
    }

    /// The card's sequence number from its resynchronisation token (TS 33.102 §6.3.5).
    ///
    /// # Errors
    /// An input of a wrong length, or a token that this key did not make.
    pub fn resync(&self, rand: &[u8], auts: &[u8]) -> Result<[u8; 6], CryptoError> {
        let rand = array("RAND", rand)?;
        let auts: [u8; 14] = array("AUTS", auts)?;
        let sqn_ms = conceal(&head(&auts, 0), &self.f5_star(&rand));
        check(&self.f1_star(&rand, &sqn_ms, &RESYNC_AMF), &auts[6..])?;
        Ok(sqn_ms)
    }

    /// TEMP = E(RAND xor OPc) (§4.1).
    fn temp(&self, rand: &[u8; 16]) -> Block {
        self.encrypt(&xor(rand, &self.keys.opc))
    }

    /// OUT1, of which f1 and f1* are the halves.
    fn out1(&self, rand: &[u8; 16], sqn: &[u8; 6], amf: &[u8; 2]) -> Block {
        let mut in1 = Zeroizing::new([0; 16]);
        for half in in1.chunks_exact_mut(8) {
            half[..6].copy_from_slice(sqn);
            half[6..].copy_from_slice(amf);
        }
        let input = self.keys.constants.turned(0, &xor(&in1, &self.keys.opc));
        let input = Zeroizing::new(input);
        xor(
            &self.encrypt(&xor(&self.temp(rand), &input)),
            &self.keys.opc,
        )
    }

    /// OUT2 to OUT5, by the place of their constants.
    fn out(&self, rand: &[u8; 16], place: usize) -> Block {
        let input = xor(&self.temp(rand), &self.keys.opc);
        let input = Zeroizing::new(self.keys.constants.turned(place, &input));
        xor(&self.encrypt(&input), &self.keys.opc)
    }

    fn encrypt(&self, block: &[u8; 16]) -> Block {
        let mut block = Zeroizing::new(*block);
        self.keys
            .cipher
            .encrypt_block(Array::cast_from_core_mut(&mut block));
        block
    }
}

/// Vectors for many subscribers, some side by side. Wiped on drop; what it holds is overwritten with
/// every group.
pub(crate) struct Batch {
    cipher: Lanes,
    blocks: Box<Zeroizing<Group>>,
    constants: Constants,
}

/// A block of each subscriber in a group.
type Each = [[u8; 16]; LANES];

#[derive(Default, Zeroize)]
struct Group {
    keys: Each,
    opcs: Each,
    temps: Each,
    outputs: [Each; 4],
}

impl Batch {
    /// Of constants that have been checked.
    pub(crate) fn new(constants: Constants) -> Self {
        Self {
            cipher: Lanes::new(),
            blocks: Box::default(),
            constants,
        }
    }

    /// K ‖ OPc, RAND and SQN of at most [`LANES`] subscribers to AUTN ‖ XRES ‖ CK ‖ IK.
    pub(crate) fn fill(
        &mut self,
        subscribers: &[[u8; 32]],
        rands: &[[u8; 16]],
        sqns: &[[u8; 6]],
        amf: [u8; 2],
        vectors: &mut [[u8; 56]],
    ) {
        let Self {
            cipher,
            blocks,
            constants,
        } = self;
        let Group {
            keys,
            opcs,
            temps,
            outputs,
        } = &mut ***blocks;
        for (lane, (subscriber, rand)) in subscribers.iter().zip(rands).enumerate() {
            let (k, opc) = subscriber.split_at(16);
            keys[lane].copy_from_slice(k);
            opcs[lane].copy_from_slice(opc);
            temps[lane] = added(rand, &opcs[lane]);
        }
        cipher.rekey(keys);
        cipher.encrypt(temps);
        let [out1, out2, out3, out4] = outputs;
        for (lane, sqn) in sqns.iter().enumerate() {
            let (temp, opc) = (&temps[lane], &opcs[lane]);
            let base = added(temp, opc);
            let [s0, s1, s2, s3, s4, s5] = *sqn;
            let half = [s0, s1, s2, s3, s4, s5, amf[0], amf[1]];
            let in1 = added(&std::array::from_fn(|at| half[at % 8]), opc);
            out1[lane] = added(temp, &constants.turned(0, &in1));
            out2[lane] = constants.turned(1, &base);
            out3[lane] = constants.turned(2, &base);
            out4[lane] = constants.turned(3, &base);
        }
        for output in [&mut *out1, out2, out3, out4] {
            cipher.encrypt(output);
            for (block, opc) in output.iter_mut().zip(&*opcs) {
                *block = added(block, opc);
            }
        }
        for (lane, (sqn, vector)) in sqns.iter().zip(vectors).enumerate() {
            let (out2, ak) = (&out2[lane], &head(&out2[lane], 0));
            vector[..6].copy_from_slice(&conceal(sqn, ak));
            vector[6..8].copy_from_slice(&amf);
            vector[8..16].copy_from_slice(&out1[lane][..8]);
            vector[16..24].copy_from_slice(&out2[8..]);
            vector[24..40].copy_from_slice(&out3[lane]);
            vector[40..].copy_from_slice(&out4[lane]);
        }
    }
}

fn added(left: &[u8; 16], right: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|at| left[at] ^ right[at])
}

fn xor(left: &[u8; 16], right: &[u8; 16]) -> Block {
    let mut out = Zeroizing::new(*left);
    for (byte, other) in out.iter_mut().zip(right) {
        *byte ^= other;
    }
    out
}

fn conceal(sqn: &[u8; 6], ak: &[u8; 6]) -> [u8; 6] {
    std::array::from_fn(|index| sqn[index] ^ ak[index])
}

/// `N` bytes from an offset. All callers pass constants that fit.
fn head<const N: usize, const M: usize>(block: &[u8; M], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| block[offset + index])
}
