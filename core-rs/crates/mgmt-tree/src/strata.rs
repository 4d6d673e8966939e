//! The layers of a merge, numbered so that a later merge of their successors can go on from it.

use std::sync::Arc;

use crate::acls::Acls;
use crate::arena::Arena;
use crate::cell::Cell;
use crate::error::{TreeError, index};
use crate::layer::Layer;
use crate::pages::Range;
use crate::resolve::Claimant;
use crate::source::{Source, Strength};

/// Layers by tag. A layer keeps its tag from merge to merge as long as what it was is still part
/// of its arena, so a cell that a merge has found has the same address in the merges after it.
pub(crate) struct Strata {
    layers: Vec<Option<Stratum>>,
    /// The ACLs, if there are any, as a layer of their own.
    pub acls: Arc<Arena>,
}

#[derive(Clone)]
pub(crate) struct Stratum {
    pub source: Source,
    pub arena: Arc<Arena>,
    /// That of a claim of no particular time.
    strength: Strength,
}

impl Strata {
    /// The most tags that can be given out: as many as a place can name.
    const LIMIT: usize = 1 << 15;
    /// So many claims are merged at once, whatever is done.
    const FEW: usize = 1 << 10;

    pub fn new(layers: &[Layer], acls: &Acls, before: Option<&Self>) -> Result<Self, TreeError> {
        let mut sealed: Vec<(Source, Arc<Arena>)> = Vec::with_capacity(layers.len());
        for layer in layers {
            let layer = layer.sealed()?;
            sealed.push((layer.source().clone(), Arc::clone(layer.arena())));
        }
        sealed.sort_by(|left, right| left.0.cmp(&right.0));
        if let Some(pair) = sealed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(TreeError::twice(&pair[0].0));
        }
        let known = before.map_or(&[][..], |before| &before.layers);
        let mut tagged: Vec<Option<Stratum>> = vec![None; known.len()];
        for (number, (source, arena)) in sealed.into_iter().enumerate() {
            let rank = index(number, Self::LIMIT)? as u16;
            let is_successor = |stratum: &Option<Stratum>| {
                stratum
                    .as_ref()
                    .is_some_and(|old| old.source == source && arena.extends(&old.arena))
            };
            let tag = known.iter().position(is_successor).unwrap_or(tagged.len());
            let strength = Strength::new(source.kind, 0, rank, index(tag, Self::LIMIT)? as u16);
            tagged.resize(tagged.len().max(tag + 1), None);
            tagged[tag] = Some(Stratum {
                source,
                arena,
                strength,
            });
        }
        Ok(Self {
            layers: tagged,
            acls: acls.arena()?,
        })
    }

    /// Whether so many claims have come with layers, or gone with them, that to merge all anew is
    /// less than to see what has changed.
    pub fn is_mostly_other(&self, before: &Self) -> bool {
        let claims = |of: &Self| of.layers().map(|layer| layer.arena.claims).sum::<usize>();
        let moved = |of: &Self, other: &Self| {
            let layers = of.layers().filter(|layer| other.get(layer.tag()).is_none());
            layers.map(|layer| layer.arena.claims).sum::<usize>()
        };
        let moved = moved(self, before) + moved(before, self);
        moved > Self::FEW && moved > claims(self) / 4
    }

    /// How many tags there are, of layers that are gone too.
    pub fn tags(&self) -> u16 {
        // Checked by `new`.
        self.layers.len() as u16
    }

    /// All that are there.
    pub fn layers(&self) -> impl Iterator<Item = &Stratum> {
        self.layers.iter().flatten()
    }

    /// Whether each layer is of a kind that is stronger than those of all before it, so that the
    /// last to claim a node is the strongest, whenever it did.
    pub fn are_ranked(&self) -> bool {
        self.layers()
            .map(|layer| layer.source.kind)
            .is_sorted_by(|left, right| left < right)
    }

    pub fn get(&self, tag: u16) -> Option<&Stratum> {
        self.layers.get(tag as usize)?.as_ref()
    }

    /// Where the claims of a layer begin; an empty range if there is no such layer.
    pub fn root(&self, tag: u16) -> Range {
        self.get(tag)
            .map(|stratum| stratum.arena.root)
            .unwrap_or_default()
    }

    pub fn claimant(&self, tag: u16, address: u32) -> Option<Claimant<'_>> {
        let stratum = self.get(tag)?;
        Some(stratum.claimant(stratum.arena.cells.get(address), address))
    }
}

impl Stratum {
    #[inline]
    pub fn tag(&self) -> u16 {
        self.strength.tag()
    }

    /// A cell of its arena as a claim on a node.
    #[inline]
    pub fn claimant<'a>(&'a self, cell: &'a Cell, address: u32) -> Claimant<'a> {
        Claimant {
            stratum: self,
            cell,
            address,
            own: self.strength.at(cell.at_ms),
        }
    }
}
