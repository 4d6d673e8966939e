//! Why a node is what it is: every claim on it, the winner first.

use std::cmp::Reverse;

use crate::layer::{ROOT, Shape};
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
            claims = self.judge(&here, &claimants, verdict.winner, &blocker);
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

    fn judge(
        &self,
        path: &TreePath,
        claimants: &[Claimant],
        winner: Option<(Claimant, Strength)>,
        above: &Option<(Strength, TreePath)>,
    ) -> Vec<Explanation> {
        let mut speaking: Vec<(Strength, Claimant)> = claimants
            .iter()
            .filter(|claimant| claimant.shape != Shape::Silent)
            .map(|&claimant| match winner {
                Some((found, strength)) if found.layer == claimant.layer => (strength, claimant),
                _ => (claimant.own, claimant),
            })
            .collect();
        speaking.sort_by_key(|&(strength, _)| Reverse(strength));
        // Without a node the strongest tombstone at it decides, unless something above is
        // stronger still.
        let denier = speaking
            .iter()
            .find(|(_, claimant)| claimant.shape == Shape::Absent)
            .copied()
            .filter(|&(strength, _)| above.as_ref().is_none_or(|(other, _)| strength > *other));
        let (decider, elsewhere) = match (winner, denier) {
            (Some((claimant, strength)), _) => (Some((strength, claimant)), None),
            (None, Some(denier)) => (Some(denier), None),
            (None, None) => (None, above.as_ref()),
        };
        let deciding = decider.map(|(strength, _)| strength);
        let mut claims = Vec::with_capacity(speaking.len() + 1);
        if !speaking.is_empty() {
            claims.extend(elsewhere.map(|(strength, path)| self.denial(*strength, path)));
        }
        claims.extend(decider.map(|decider| self.explanation(path, decider, Outcome::Wins)));
        for loser in speaking {
            if Some(loser.1.layer) == decider.map(|(_, claimant)| claimant.layer) {
                continue;
            }
            let hidden = above.as_ref().is_some_and(|(other, _)| loser.0 < *other);
            let outcome = match deciding {
                _ if hidden => Outcome::Hidden,
                Some(strength) if strength.kind == loser.0.kind => Outcome::Older,
                _ => Outcome::LowerPrecedence,
            };
            claims.push(self.explanation(path, loser, outcome));
        }
        claims
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
