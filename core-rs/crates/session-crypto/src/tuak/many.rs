//! Vectors of four subscribers, whose permutations go side by side.

use zeroize::Zeroizing;

use super::layout::{
    AT_CK, AT_IK, Function, State, choose, code_flags, fill_token, prepare, put_rand, put_sqn,
    response_flags, take,
};
use super::{OPERATOR, Parameters};
use crate::chains::{self, FOUR};

/// Vectors for many subscribers with the same parameters. Wiped on drop; what it holds is overwritten with
/// every group.
pub(crate) struct Batch {
    parameters: Parameters,
    // Boxed, so that it stays where it is wiped
    states: Box<[State; 2 * FOUR]>,
}

impl Batch {
    /// Of parameters that TUAK has.
    pub(crate) fn new(parameters: Parameters) -> Self {
        let states = std::array::from_fn(|_| Zeroizing::new([0; 25]));
        Self {
            parameters,
            states: Box::new(states),
        }
    }

    /// K ‖ TOPc, RAND and SQN of at most four subscribers to AUTN ‖ XRES ‖ CK ‖ IK.
    pub(crate) fn fill<'a>(
        &mut self,
        subscribers: impl Iterator<Item = &'a [u8]>,
        (rands, sqns, amf): (&[[u8; 16]], &[[u8; 6]], [u8; 2]),
        vectors: impl Iterator<Item = &'a mut [u8]>,
    ) {
        let Self { parameters, states } = self;
        let states = &mut states[..2 * rands.len().min(FOUR)];
        let (codes, outs) = states.split_at_mut(states.len() / 2);
        let inputs = subscribers.zip(rands).zip(sqns);
        for ((code, out), ((subscriber, rand), sqn)) in codes.iter_mut().zip(&mut *outs).zip(inputs)
        {
            let (k, topc) = subscriber.split_at(subscriber.len() - OPERATOR);
            prepare(code, topc, k);
            put_rand(code, rand);
            **out = **code;
            choose(code, Function::F1, code_flags(parameters));
            put_sqn(code, sqn, amf);
            choose(out, Function::F2345, response_flags(parameters));
        }
        chains::permute_each(states, parameters.iterations);
        let (codes, outs) = states.split_at(states.len() / 2);
        for (((code, out), sqn), vector) in codes.iter().zip(outs).zip(sqns).zip(vectors) {
            let (autn, rest) = vector.split_at_mut(8 + parameters.mac_length);
            let (xres, rest) = rest.split_at_mut(parameters.res_length);
            let (ck, ik) = rest.split_at_mut(parameters.ck_length);
            fill_token(autn, sqn, amf, [code, out]);
            take(out, 0, xres);
            take(out, AT_CK, ck);
            take(out, AT_IK, ik);
        }
    }
}
