//! Sequence numbers (TS 33.102 annex C): how a home network counts, and what a card takes as fresh.
//!
//! State is an argument: the caller stores what comes back, together with what it has sent or done.

use crate::error::CryptoError;

/// How many bits of a number are its index (C.3.2).
const INDEX_BITS: u32 = 5;
/// How many indices there are: a card keeps one number for each.
pub const INDICES: usize = 1 << INDEX_BITS;
/// The highest SEQ: 43 bits.
pub const MOST_SEQ: u64 = (1 << (48 - INDEX_BITS)) - 1;
/// How far a number may be ahead, Δ: against numbers that bring the counter to its end (C.2.1, C.3.2).
const MOST_AHEAD: u64 = 1 << 28;

/// A sequence number: SEQ ‖ IND (C.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sqn {
    /// What grows, 43 bits.
    pub seq: u64,
    /// What tells streams of numbers apart, 5 bits.
    pub index: u8,
}

/// What a card has seen: the highest SEQ for each index (C.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window([u64; INDICES]);

/// A clock that numbers follow, and how (C.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What it shows, GLC: tenths of a second.
    pub now: u64,
    /// How many bits of SEQ follow it, n: less than SEQ has.
    pub bits: u32,
    /// How far a number may be ahead of it, D: before it counts as one from before the clock began anew.
    pub most_ahead: u64,
}

impl Clock {
    /// With the values that profile 1 (C.3.1) has for reference: 24 bits, which begin anew every 19 days, and
    /// as far ahead as the clock takes two hours for.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self {
            now,
            bits: 24,
            most_ahead: 1 << 16,
        }
    }

    /// # Errors
    /// Bits or a distance that leave the formula without meaning.
    fn check(self) -> Result<Self, CryptoError> {
        let field = "clock";
        if !(1..48 - INDEX_BITS).contains(&self.bits) {
            let reason = "has no bits, or as many as the whole number";
            return Err(CryptoError::BadInput { field, reason });
        }
        if !(1..1 << self.bits).contains(&self.most_ahead) {
            let reason = "is as far away as it counts, or not at all";
            return Err(CryptoError::BadInput { field, reason });
        }
        Ok(self)
    }
}

impl Sqn {
    /// The six bytes of a token.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let number = (self.seq & MOST_SEQ) << INDEX_BITS | u64::from(self.index & 0x1F);
        let [_, _, bytes @ ..] = number.to_be_bytes();
        bytes
    }

    /// The number after this one, of the next index (C.1.2). With a clock the numbers follow it as
    /// C.1.1.2 says, so that a lost counter does no harm for long; without, they are counted (C.1.1.1).
    ///
    /// # Errors
    /// A counter that has come to its end, a clock that cannot be followed.
    pub fn next(self, clock: Option<Clock>) -> Result<Self, CryptoError> {
        let seq = match clock {
            None => self.seq + 1,
            Some(clock) => self.after_clock(clock.check()?),
        };
        if seq > MOST_SEQ {
            return Err(CryptoError::CounterBlocked);
        }
        let index = (self.index + 1) & 0x1F;
        Ok(Self { seq, index })
    }

    /// What the home network continues from once a card has sent its own number (§6.3.5): the card's,
    /// unless the card would take the network's next one.
    #[must_use]
    pub const fn after_resynchronisation(self, card: Self) -> Self {
        if self.seq >= card.seq && self.seq - card.seq < MOST_AHEAD {
            self
        } else {
            card
        }
    }

    const fn after_clock(self, clock: Clock) -> u64 {
        let period = 1 << clock.bits;
        let (now, most_ahead) = (clock.now & (period - 1), clock.most_ahead);
        let (high, low) = (self.seq & !(period - 1), self.seq & (period - 1));
        if low < now && now < low + period - most_ahead + 1 {
            high | now
        } else if now + most_ahead - 1 < low {
            // The clock has begun anew
            (high + period) | now
        } else {
            self.seq + 1
        }
    }
}

impl From<[u8; 6]> for Sqn {
    fn from(bytes: [u8; 6]) -> Self {
        let number = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self {
            seq: number >> INDEX_BITS,
            index: bytes[5] & 0x1F,
        }
    }
}

impl Window {
    /// Of a card that has seen `sqn`, at every index.
    #[must_use]
    pub const fn new(sqn: Sqn) -> Self {
        Self([sqn.seq; INDICES])
    }

    /// Of a card that has seen these SEQ, by index.
    #[must_use]
    pub const fn from_seen(seen: [u64; INDICES]) -> Self {
        Self(seen)
    }

    /// The SEQ that the card has seen, by index.
    #[must_use]
    pub const fn seen(&self) -> &[u64; INDICES] {
        &self.0
    }

    /// SQN_MS: the highest number, for a resynchronisation token (C.2.3).
    #[must_use]
    pub fn highest(&self) -> Sqn {
        let (mut highest, mut index) = (0, 0);
        for (at, seq) in (0_u8..).zip(self.0) {
            if seq >= highest {
                (highest, index) = (seq, at);
            }
        }
        Sqn {
            seq: highest,
            index,
        }
    }

    /// The window after a number whose token has been found right. `age_limit` refuses what is further
    /// behind the highest one, whatever its index (C.2.2).
    ///
    /// # Errors
    /// A number that is not fresh, or too far ahead: the card answers with a resynchronisation token.
    pub fn accept(mut self, sqn: Sqn, age_limit: Option<u64>) -> Result<Self, CryptoError> {
        let highest = self.highest().seq;
        if sqn.seq.saturating_sub(highest) > MOST_AHEAD {
            return Err(CryptoError::CounterHigh);
        }
        let old = age_limit.is_some_and(|limit| highest.saturating_sub(sqn.seq) >= limit);
        let seen = &mut self.0[usize::from(sqn.index & 0x1F)];
        if old || sqn.seq <= *seen {
            return Err(CryptoError::CounterLow);
        }
        *seen = sqn.seq;
        Ok(self)
    }
}
