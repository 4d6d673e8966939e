//! Laying layers over one another.

use std::sync::Arc;

use crate::arena::{ROOT, Shape};
use crate::error::{TreeError, index};
use crate::layer::Layer;
use crate::resolve::{Claimant, Verdict, resolve};
use crate::snapshot::{Place, Snapshot};
use crate::source::Strength;

/// Merge any number of layers, given in any order.
///
/// # Errors
/// [`TreeError::LayerTwice`] when two layers have the same source, [`TreeError::TreeFull`].
pub fn merge(layers: &[Layer]) -> Result<Snapshot, TreeError> {
    let strata = Strata::new(layers)?;
    let (names, ranks) = strata.unite_names()?;
    let mut places = vec![Place::ROOT];
    // Which slots of which layers stand behind a place, as a range of `behind`.
    let mut behind: Vec<(u32, u32)> = (0..strata.count()).map(|layer| (layer, ROOT)).collect();
    let mut open = vec![(0..behind.len(), None::<Strength>)];
    let mut candidates: Vec<(u32, u32, u32)> = Vec::new();

    let mut parent = 0;
    while let Some((range, inherited)) = open.get(parent).cloned() {
        candidates.clear();
        for &(layer, slot) in &behind[range] {
            let rank = &ranks[layer as usize];
            let children = strata.layers[layer as usize].arena().children(slot);
            candidates.extend(children.map(|(name, child)| (rank[name as usize], layer, child)));
        }
        candidates.sort_unstable();
        let first_child = index(places.len())?;
        for same_name in candidates.chunk_by(|left, right| left.0 == right.0) {
            let claimants = same_name
                .iter()
                .map(|&(_, layer, slot)| strata.claimant(layer, slot));
            let Verdict { winner, blocker } = resolve(claimants, inherited);
            let Some((winner, strength)) = winner else {
                continue;
            };
            index(places.len())?;
            places.push(Place {
                name: same_name[0].0,
                first_child: 0,
                child_count: 0,
                layer: winner.layer,
                slot: winner.slot,
                at_ms: strength.at_ms,
            });
            let start = behind.len();
            if winner.shape == Shape::Interior {
                behind.extend(same_name.iter().map(|&(_, layer, slot)| (layer, slot)));
            }
            open.push((start..behind.len(), blocker));
        }
        let child_count = index(places.len())? - first_child;
        places[parent].first_child = first_child;
        places[parent].child_count = child_count;
        parent += 1;
    }
    Ok(Snapshot::new(strata, names, places))
}

/// The layers of one merge, the weakest kind first, with what the rule needs to know of them.
pub(crate) struct Strata {
    pub layers: Vec<Layer>,
    latest: Vec<Vec<Option<i64>>>,
}

/// The distinct names of all layers in order, and per layer the rank of each of its names.
type UnitedNames = (Vec<Arc<str>>, Vec<Vec<u32>>);

impl Strata {
    pub fn new(layers: &[Layer]) -> Result<Self, TreeError> {
        let mut layers = layers.to_vec();
        layers.sort_by(|left, right| left.source().cmp(right.source()));
        if let Some(pair) = layers
            .windows(2)
            .find(|pair| pair[0].source() == pair[1].source())
        {
            return Err(TreeError::twice(pair[0].source()));
        }
        index(layers.len())?;
        let latest = layers
            .iter()
            .map(|layer| layer.arena().latest_presence())
            .collect();
        Ok(Self { layers, latest })
    }

    pub fn count(&self) -> u32 {
        // Checked by `new`.
        self.layers.len() as u32
    }

    pub fn claimant(&self, layer: u32, slot: u32) -> Claimant {
        let stratum = &self.layers[layer as usize];
        let (shape, at_ms) = stratum.arena().shape(slot);
        let strength = |at_ms| Strength {
            kind: stratum.source().kind,
            at_ms,
            layer,
        };
        Claimant {
            layer,
            slot,
            shape,
            own: strength(at_ms),
            below: self.latest[layer as usize][slot as usize].map(strength),
        }
    }

    /// Number the names by their order, so that the merge compares numbers.
    fn unite_names(&self) -> Result<UnitedNames, TreeError> {
        let tables = || {
            self.layers
                .iter()
                .map(|layer| layer.arena().names().texts())
        };
        let mut ranks: Vec<Vec<u32>> = tables().map(|texts| vec![0; texts.len()]).collect();
        let mut all: Vec<(&Arc<str>, usize, usize)> = tables()
            .enumerate()
            .flat_map(|(layer, texts)| {
                let numbered = texts.iter().enumerate();
                numbered.map(move |(id, text)| (text, layer, id))
            })
            .collect();
        all.sort_unstable();
        let mut names = Vec::new();
        for same in all.chunk_by(|left, right| left.0 == right.0) {
            let rank = index(names.len())?;
            names.push(Arc::clone(same[0].0));
            for &(_, layer, id) in same {
                ranks[layer][id] = rank;
            }
        }
        Ok((names, ranks))
    }
}
