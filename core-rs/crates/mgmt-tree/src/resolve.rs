//! The rule of precedence at one node: which claim wins, and what it keeps from the nodes below.

use crate::arena::Arena;
use crate::cell::{Cell, Shape};
use crate::pages::Range;
use crate::source::Strength;

/// One layer's claim on the node in question.
#[derive(Clone, Copy)]
pub(crate) struct Claimant<'a> {
    pub arena: &'a Arena,
    pub cell: &'a Cell,
    /// Where the cell stands in its arena.
    pub address: u32,
    /// How strong the claim is.
    pub own: Strength,
}

impl Claimant<'_> {
    /// Where its children stand.
    pub fn below(&self) -> Range {
        self.arena.below_cell(self.cell)
    }

    /// The strongest claim of that layer at or below the node that something exists there.
    fn strongest(&self) -> Strength {
        let latest = self.arena.latest_presence(self.cell);
        Strength {
            at_ms: latest.unwrap_or(self.own.at_ms),
            ..self.own
        }
    }

    /// Whether it could be stronger than `blocker` if only it was late enough.
    fn can_beat(&self, blocker: Strength) -> bool {
        self.own.kind >= blocker.kind
    }
}

/// What a node is, and what reaches below it.
#[derive(Clone, Copy)]
pub(crate) struct Verdict<'a> {
    /// The claimant that wins, and the strength it wins with. None: there is no such node.
    pub winner: Option<(Claimant<'a>, Strength)>,
    /// The strongest claim at or above this node which rules out children, that is a leaf or a
    /// tombstone. Only stronger claims count below.
    pub blocker: Option<Strength>,
}

/// Decide one node. `inherited` is the blocker of its parent.
pub(crate) fn resolve<'a>(claimants: &[Claimant<'a>], inherited: Option<Strength>) -> Verdict<'a> {
    if let (&[only], None) = (claimants, inherited) {
        // Nearly every node, so worth a way of its own.
        return alone(only);
    }
    let mut blocker = inherited;
    let mut leaf: Option<Claimant> = None;
    let mut interior: Option<Claimant> = None;
    for &claimant in claimants {
        let best = match claimant.cell.shape() {
            Shape::Silent => continue,
            Shape::Absent => {
                blocker = blocker.max(Some(claimant.own));
                continue;
            }
            Shape::Leaf => {
                blocker = blocker.max(Some(claimant.own));
                &mut leaf
            }
            Shape::Interior => &mut interior,
        };
        if best.is_none_or(|other| claimant.own > other.own) {
            *best = Some(claimant);
        }
    }
    // An interior claim of its own names the source; else the claim below that needs the node.
    let winner = interior
        .filter(|interior| Some(interior.own) > blocker)
        .map(|interior| (interior, interior.own))
        .or_else(|| reviver(claimants, blocker?))
        .or_else(|| {
            let leaf = leaf.filter(|leaf| Some(leaf.own) == blocker)?;
            Some((leaf, leaf.own))
        });
    Verdict { winner, blocker }
}

fn alone(claimant: Claimant<'_>) -> Verdict<'_> {
    let own = claimant.own;
    let (exists, rules_out) = match claimant.cell.shape() {
        Shape::Silent => (false, false),
        Shape::Absent => (false, true),
        Shape::Interior => (true, false),
        Shape::Leaf => (true, true),
    };
    Verdict {
        winner: exists.then_some((claimant, own)),
        blocker: rules_out.then_some(own),
    }
}

/// The interior claimant with the strongest claim below it that `blocker` cannot rule out.
fn reviver<'a>(claimants: &[Claimant<'a>], blocker: Strength) -> Option<(Claimant<'a>, Strength)> {
    claimants
        .iter()
        .filter(|claimant| claimant.cell.shape() == Shape::Interior && claimant.can_beat(blocker))
        .map(|claimant| (*claimant, claimant.strongest()))
        .filter(|&(_, below)| below > blocker)
        .max_by_key(|&(_, below)| below)
}
