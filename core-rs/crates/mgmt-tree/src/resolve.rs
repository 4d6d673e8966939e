//! The rule of precedence at one node: which claim wins, and what it keeps from the nodes below.

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::pages::Range;
use crate::source::Strength;
use crate::strata::Stratum;

/// One layer's claim on the node in question.
#[derive(Clone, Copy)]
pub(crate) struct Claimant<'a> {
    pub stratum: &'a Stratum,
    pub cell: &'a Cell,
    /// Where the cell stands in its arena.
    pub address: u32,
    /// How strong the claim is.
    pub own: Strength,
}

impl<'a> Claimant<'a> {
    pub fn arena(&self) -> &'a Arena {
        &self.stratum.arena
    }

    /// Where its children stand.
    pub fn below(&self) -> Range {
        self.arena().below_cell(self.cell)
    }

    /// The strongest claim of that layer at or below the node that something exists there.
    fn strongest(&self) -> Strength {
        let latest = self.arena().latest_presence(self.cell);
        latest.map_or(self.own, |at_ms| self.own.at(at_ms))
    }
}

/// What a node is, and what reaches below it.
#[derive(Clone, Copy)]
pub(crate) struct Verdict<'c, 'a> {
    /// The claimant that wins, and the strength it wins with. None: there is no such node.
    pub winner: Option<(&'c Claimant<'a>, Strength)>,
    /// The strongest claim at or above this node which rules out children, that is a leaf or a
    /// tombstone. Only stronger claims count below.
    pub blocker: Strength,
}

/// Decide one node. `inherited` is the blocker of its parent.
pub(crate) fn resolve<'c, 'a>(
    claimants: &'c [Claimant<'a>],
    inherited: Strength,
) -> Verdict<'c, 'a> {
    // The strongest claim of each shape.
    let mut best = [Strength::NONE; 4];
    for claimant in claimants {
        let best = &mut best[claimant.cell.shape() as usize];
        *best = claimant.own.max(*best);
    }
    let [_, absent, interior, leaf] = best;
    let blocker = inherited.max(absent).max(leaf);
    let of = |own| claimants.iter().find(|claimant| claimant.own == own);
    // An interior claim of its own names the source; else the claim below that needs the node.
    let winner = if interior > blocker {
        of(interior).map(|claimant| (claimant, interior))
    } else if interior.can_beat(blocker)
        && let Some(winner) = reviver(claimants, blocker)
    {
        Some(winner)
    } else if leaf == blocker {
        of(leaf).map(|claimant| (claimant, leaf))
    } else {
        None
    };
    Verdict { winner, blocker }
}

/// The interior claimant with the strongest claim below it that `blocker` cannot rule out.
fn reviver<'c, 'a>(
    claimants: &'c [Claimant<'a>],
    blocker: Strength,
) -> Option<(&'c Claimant<'a>, Strength)> {
    claimants
        .iter()
        .filter(|claimant| {
            claimant.cell.shape() == Shape::Interior && claimant.own.can_beat(blocker)
        })
        .map(|claimant| (claimant, claimant.strongest()))
        .filter(|&(_, below)| below > blocker)
        .max_by_key(|&(_, below)| below)
}
