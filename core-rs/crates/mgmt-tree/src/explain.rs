//! Why a node is what it is: every claim on it, the winner first.

use std::cmp::Reverse;

use crate::cell::{Name, Shape};
use crate::pages::Range;
use crate::path::TreePath;
use crate::resolve::{Claimant, resolve};
use crate::snapshot::{Snapshot, root};
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
    /// Of how many nodes each source's claim is in force, in the order of sources; the root is
    /// nobody's.
    #[must_use]
    pub fn winners(&self) -> Vec<(Source, usize)> {
        let mut counts = vec![0; self.strata.tags().into()];
        let mut open = vec![self.root];
        while let Some(siblings) = open.pop() {
            for place in self.run(siblings) {
                counts[usize::from(place.tag())] += 1;
                if place.children.count > 0 {
                    open.push(place.children);
                }
            }
        }
        let counted = |(tag, count)| Some((self.strata.get(tag)?.source.clone(), count));
        let mut winners: Vec<_> = (0..).zip(counts).filter_map(counted).collect();
        winners.sort();
        winners
    }

    /// All claims that were made on a node, the winner first, then from strong to weak.
    ///
    /// If there is a node, the first claim is its content and source. If there is none although
    /// it was claimed, the first claim is the one that denies it, which may stand above. Without
    /// any claim on the node the answer is empty.
    #[must_use]
    pub fn explain(&self, path: &TreePath) -> Vec<Explanation> {
        if path.is_root() {
            let root = root();
            return vec![Explanation {
                path: root.path,
                source: root.source,
                at_ms: root.at_ms,
                stance: Stance::Present(root.content),
                outcome: Outcome::Wins,
            }];
        }
        let strata = &self.strata;
        let mut behind: Vec<(u16, Range)> = (0..strata.tags())
            .map(|tag| (tag, strata.root(tag)))
            .collect();
        let mut here = TreePath::root();
        let mut blocker: Option<(Strength, TreePath)> = None;
        let mut claims = Vec::new();
        for name in path.segments() {
            here = here.join(name);
            let claimants = self.claimants(&behind, name.as_bytes());
            behind = claimants
                .iter()
                .map(|claimant| (claimant.own.tag(), claimant.below()))
                .collect();
            let inherited = blocker
                .as_ref()
                .map_or(Strength::NONE, |(strength, _)| *strength);
            let verdict = resolve(&claimants, inherited);
            claims = self.judge(&here, &claimants, verdict.winner, blocker.as_ref());
            if verdict.blocker != inherited {
                blocker = Some((verdict.blocker, here.clone()));
            }
        }
        claims
    }

    /// What each layer claims of the child of that name.
    fn claimants(&self, behind: &[(u16, Range)], name: &[u8]) -> Vec<Claimant<'_>> {
        let claimant = |&(tag, siblings): &(u16, Range)| {
            let arena = &self.strata.get(tag)?.arena;
            let address = arena.find_in(siblings, Name::of(name))?;
            self.strata.claimant(tag, address)
        };
        behind.iter().filter_map(claimant).collect()
    }

    /// Put the claims on one node in order and say what became of each.
    fn judge(
        &self,
        path: &TreePath,
        claimants: &[Claimant<'_>],
        winner: Option<(&Claimant<'_>, Strength)>,
        above: Option<&(Strength, TreePath)>,
    ) -> Vec<Explanation> {
        let is_blocked = |strength| above.is_some_and(|&(blocker, _)| strength < blocker);
        let mut claims: Vec<(Strength, Claimant<'_>)> = claimants
            .iter()
            .filter(|claimant| claimant.cell.shape() != Shape::Silent)
            .map(|&claimant| (claimant.own, claimant))
            .collect();
        claims.sort_by_key(|&(strength, _)| Reverse(strength));
        // Without a winner the strongest claim is a tombstone, or what stands above rules.
        let denier = claims
            .first()
            .filter(|&&(strength, _)| !is_blocked(strength));
        let decider = winner
            .map(|(claimant, strength)| (strength, *claimant))
            .or(denier.copied());
        let mut explanations = Vec::with_capacity(claims.len() + 1);
        match (decider, above) {
            (Some(decider), _) => {
                explanations.push(self.explanation(path, decider, Outcome::Wins));
                claims.retain(|(_, claimant)| claimant.own.tag() != decider.1.own.tag());
            }
            (None, Some((blocker, place))) if !claims.is_empty() => {
                explanations.push(self.denial(*blocker, place));
            }
            (None, _) => (),
        }
        for loser in claims {
            let outcome = match decider {
                _ if is_blocked(loser.0) => Outcome::Hidden,
                Some((winner, _)) if loser.0.can_beat(winner) => Outcome::Older,
                _ => Outcome::LowerPrecedence,
            };
            explanations.push(self.explanation(path, loser, outcome));
        }
        explanations
    }

    fn explanation(
        &self,
        path: &TreePath,
        (strength, claimant): (Strength, Claimant<'_>),
        outcome: Outcome,
    ) -> Explanation {
        let stance = claimant.arena().stance(claimant.cell);
        Explanation {
            stance: stance.unwrap_or(Stance::Absent),
            outcome,
            ..self.denial(strength, path)
        }
    }

    fn denial(&self, strength: Strength, path: &TreePath) -> Explanation {
        let stratum = self.strata.get(strength.tag());
        Explanation {
            path: path.clone(),
            // A claim has a layer.
            source: stratum.map_or_else(|| root().source, |stratum| stratum.source.clone()),
            at_ms: strength.at_ms(),
            stance: Stance::Absent,
            outcome: Outcome::Wins,
        }
    }
}
