//! Why a node is what it is: every claim on it, the winner first.

use std::cmp::Reverse;

use crate::arena::{ROOT, Shape};
use crate::path::TreePath;
use crate::resolve::{Claimant, resolve};
use crate::snapshot::Snapshot;
use crate::source::{Source, Stance, Strength};

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It decides what the node is, or that there is none.
    Wins,
    /// A kind of source with precedence claims the same node.
    LowerPrecedence,
    /// Another source of the same kind claims the same node later (or has the greater id).
    Older,
    /// A stronger leaf or tombstone above the node leaves no room for it.
    Hidden,
}

impl Outcome {
    /// The word for this outcome.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wins => "wins",
            Self::LowerPrecedence => "lower_precedence",
            Self::Older => "older",
            Self::Hidden => "hidden",
        }
    }
}

/// A claim that bears on a node, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Where the claim stands: the node itself, or the node above it whose leaf or tombstone
    /// decides that there is none.
    pub path: TreePath,
    /// Who claims.
    pub source: Source,
    /// When, in Unix milliseconds. For an interior node that a stronger claim below brought
    /// back, the time of that claim.
    pub at_ms: i64,
    /// What it says about the node in question; a leaf above it says that it is absent.
    pub stance: Stance,
    /// What became of it.
    pub outcome: Outcome,
}

impl Snapshot {
    /// All claims that were made on a node, the winner first, then from strong to weak.
    ///
    /// If there is a node, the first claim is its content and source. If there is none although
    /// it was claimed, the first claim is the one that denies it, which may stand above. Without
    /// any claim on the node the answer is empty.
    #[must_use]
    pub fn explain(&self, path: &TreePath) -> Vec<Explanation> {
        if path.is_root() {
            let root = self.root();
            return vec![Explanation {
                path: root.path,
                source: root.source,
                at_ms: root.at_ms,
                stance: Stance::Present(root.content),
                outcome: Outcome::Wins,
            }];
        }
        let strata = self.strata();
        let mut behind: Vec<(u32, u32)> = (0..strata.count()).map(|layer| (layer, ROOT)).collect();
        let mut here = TreePath::root();
        let mut blocker: Option<(Strength, TreePath)> = None;
        let mut claims = Vec::new();
        for name in path.segments() {
            here = here.join(name);
            behind = self.step(&behind, name);
            let claimants: Vec<Claimant> = behind
                .iter()
                .map(|&(layer, slot)| strata.claimant(layer, slot))
                .collect();
            let inherited = blocker.as_ref().map(|(strength, _)| *strength);
            let verdict = resolve(claimants.iter().copied(), inherited);
            claims = self.judge(&here, &claimants, verdict.winner, blocker.as_ref());
            if let Some(strength) = verdict.blocker.filter(|&new| Some(new) != inherited) {
                blocker = Some((strength, here.clone()));
            }
        }
        claims
    }

    /// The slots of the child of that name in each layer.
    fn step(&self, behind: &[(u32, u32)], name: &str) -> Vec<(u32, u32)> {
        let child = |&(layer, slot): &(u32, u32)| {
            let child = self.strata().layers[layer as usize]
                .arena()
                .child(slot, name)?;
            Some((layer, child))
        };
        behind.iter().filter_map(child).collect()
    }

    /// Put the claims on one node in order and say what became of each.
    fn judge(
        &self,
        path: &TreePath,
        claimants: &[Claimant],
        winner: Option<(Claimant, Strength)>,
        above: Option<&(Strength, TreePath)>,
    ) -> Vec<Explanation> {
        let is_blocked = |strength| above.is_some_and(|&(blocker, _)| strength < blocker);
        let mut claims: Vec<(Strength, Claimant)> = claimants
            .iter()
            .filter(|claimant| claimant.shape != Shape::Silent)
            .map(|&claimant| (claimant.own, claimant))
            .collect();
        claims.sort_by_key(|&(strength, _)| Reverse(strength));
        // Without a winner the strongest claim is a tombstone, or what stands above rules.
        let denier = claims
            .first()
            .filter(|&&(strength, _)| !is_blocked(strength));
        let decider = winner
            .map(|(claimant, strength)| (strength, claimant))
            .or(denier.copied());
        let mut explanations = Vec::with_capacity(claims.len() + 1);
        match (decider, above) {
            (Some(decider), _) => {
                explanations.push(self.explanation(path, decider, Outcome::Wins));
                claims.retain(|(_, claimant)| claimant.layer != decider.1.layer);
            }
            (None, Some((blocker, place))) if !claims.is_empty() => {
                explanations.push(self.denial(*blocker, place));
            }
            (None, _) => (),
        }
        for loser in claims {
            let outcome = match decider {
                _ if is_blocked(loser.0) => Outcome::Hidden,
                Some((winner, _)) if winner.kind == loser.0.kind => Outcome::Older,
                _ => Outcome::LowerPrecedence,
            };
            explanations.push(self.explanation(path, loser, outcome));
        }
        explanations
    }

    fn explanation(
        &self,
        path: &TreePath,
        (strength, claimant): (Strength, Claimant),
        outcome: Outcome,
    ) -> Explanation {
        let layer = &self.strata().layers[claimant.layer as usize];
        Explanation {
            path: path.clone(),
            source: layer.source().clone(),
            at_ms: strength.at_ms,
            stance: layer
                .arena()
                .stance(claimant.slot)
                .unwrap_or(Stance::Absent),
            outcome,
        }
    }

    fn denial(&self, strength: Strength, path: &TreePath) -> Explanation {
        Explanation {
            path: path.clone(),
            source: self.strata().layers[strength.layer as usize]
                .source()
                .clone(),
            at_ms: strength.at_ms,
            stance: Stance::Absent,
            outcome: Outcome::Wins,
        }
    }
}
