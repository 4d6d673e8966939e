//! The rule of precedence at one node: which claim wins, and what it keeps from the nodes below.

use crate::arena::Shape;
use crate::source::Strength;

/// One layer's claim on the node in question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant {
    /// Place of the layer among the layers of the merge.
    pub layer: u32,
    /// Slot of the node in that layer.
    pub slot: u32,
    /// What it says.
    pub shape: Shape,
    /// How strong it is.
    pub own: Strength,
    /// The strongest claim of that layer at or below the node that something exists there.
    pub below: Option<Strength>,
}

/// What a node is, and what reaches below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    /// The claimant that wins, and the strength it wins with. None: there is no such node.
    pub winner: Option<(Claimant, Strength)>,
    /// The strongest claim at or above this node which rules out children, that is a leaf or a
    /// tombstone. Only stronger claims count below.
    pub blocker: Option<Strength>,
}

/// Decide one node. `inherited` is the blocker of its parent.
pub(crate) fn resolve(
    claimants: impl Iterator<Item = Claimant>,
    inherited: Option<Strength>,
) -> Verdict {
    let mut absent: Option<Strength> = None;
    let mut leaf: Option<(Strength, Claimant)> = None;
    let mut interior: Option<(Strength, Claimant)> = None;
    let mut needed: Option<(Strength, Claimant)> = None;
    for claimant in claimants {
        match claimant.shape {
            Shape::Silent => (),
            Shape::Absent => absent = absent.max(Some(claimant.own)),
            Shape::Leaf => keep_stronger(&mut leaf, claimant.own, claimant),
            Shape::Interior => {
                keep_stronger(&mut interior, claimant.own, claimant);
                keep_stronger(
                    &mut needed,
                    claimant.below.unwrap_or(claimant.own),
                    claimant,
                );
            }
        }
    }
    let leaf_strength = leaf.map(|(strength, _)| strength);
    let blocker = inherited.max(absent).max(leaf_strength);
    let beats = |found: &Option<(Strength, Claimant)>| {
        found.filter(|&(strength, _)| Some(strength) > blocker)
    };
    // An interior claim of its own names the source; else the claim below that needs the node.
    let winner = beats(&needed)
        .map(|reviver| beats(&interior).unwrap_or(reviver))
        .or(leaf.filter(|&(strength, _)| Some(strength) == blocker));
    Verdict {
        winner: winner.map(|(strength, claimant)| (claimant, strength)),
        blocker,
    }
}

fn keep_stronger(best: &mut Option<(Strength, Claimant)>, strength: Strength, claimant: Claimant) {
    if best.is_none_or(|(other, _)| strength > other) {
        *best = Some((strength, claimant));
    }
}
