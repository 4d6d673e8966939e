//! The laws of layers, merge, difference and explanation, over random layers.

#![allow(clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use mgmt_tree::{
    Content, Entry, Layer, Node, Outcome, Snapshot, Source, SourceKind, Stance, TreePath, merge,
};
use proptest::prelude::*;
use support::*;

fn merged(layers: &[Layer]) -> Snapshot {
    merge(layers).expect("distinct sources")
}

fn nodes(snapshot: &Snapshot) -> Vec<Node> {
    snapshot.walk(&TreePath::root())
}

/// What a snapshot says without who said it: paths and contents.
fn contents(snapshot: &Snapshot) -> Vec<(TreePath, Content)> {
    nodes(snapshot)
        .into_iter()
        .map(|node| (node.path, node.content))
        .collect()
}

/// Every path that any layer speaks of, and their parents.
fn spoken_of(layers: &[Layer]) -> Vec<TreePath> {
    let all = layers.iter().flat_map(Layer::entries);
    all.map(|entry| entry.path).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_layer_agrees_with_a_map_of_claims(steps in proptest::collection::vec(any_step(), 0..30)) {
        let layer = layer(SourceKind::Card, "x", &steps);
        let claims: BTreeMap<_, _> = layer
            .entries()
            .into_iter()
            .map(|entry| (names(&entry.path), (entry.stance, entry.at_ms)))
            .collect();
        prop_assert_eq!(layer.len(), claims.len());
        prop_assert_eq!(NaiveLayer::of(&steps).0, claims);
    }

    #[test]
    fn a_layer_that_was_written_down_on_the_way_agrees_with_a_map_of_claims(
        rounds in proptest::collection::vec(any_steps(), 1..5), place in any_path()
    ) {
        let mut layer = layer(SourceKind::Card, "x", &rounds[0]);
        for steps in &rounds[1..] {
            layer.seal().expect("room");
            apply(&mut layer, steps);
        }
        let naive = NaiveLayer::of(&rounds.concat()).0;
        prop_assert_eq!(layer.len(), naive.len());
        let claims = |entries: Vec<Entry>| -> Vec<_> {
            let claims = entries.into_iter();
            claims.map(|entry| (names(&entry.path), (entry.stance, entry.at_ms))).collect()
        };
        let below = |path: &[String]| -> Vec<_> {
            let found = naive.iter().filter(|(at, _)| at.starts_with(path));
            found.map(|(at, claim)| (at.clone(), claim.clone())).collect()
        };
        prop_assert_eq!(claims(layer.entries()), below(&[]));
        prop_assert_eq!(claims(layer.entries_at(&place)), below(&names(&place)));
        let found = layer.get(&place).map(|entry| (entry.stance, entry.at_ms));
        prop_assert_eq!(found.as_ref(), naive.get(&names(&place)));
        let mut sealed = layer.clone();
        sealed.seal().expect("room");
        prop_assert_eq!(sealed, layer);
    }

    #[test]
    fn entries_come_in_tree_order_and_rebuild_their_layer(steps in any_steps()) {
        let original = layer(SourceKind::Card, "x", &steps);
        let entries = original.entries();
        let order: Vec<_> = entries.iter().map(|entry| names(&entry.path)).collect();
        prop_assert!(order.is_sorted());
        let mut rebuilt = Layer::new(original.source().clone());
        for entry in &entries {
            prop_assert!(original.get(&entry.path).as_ref() == Some(entry));
            match &entry.stance {
                Stance::Present(content) => {
                    rebuilt.put(&entry.path, content.clone(), entry.at_ms).expect("allowed");
                }
                Stance::Absent => rebuilt.bury(&entry.path, entry.at_ms).expect("allowed"),
            }
        }
        prop_assert!(rebuilt == original);
    }

    #[test]
    fn a_copy_does_not_see_later_changes(before in any_steps(), after in any_steps()) {
        let mut original = layer(SourceKind::Card, "x", &before);
        let copy = original.clone();
        let snapshot = merged(std::slice::from_ref(&original));
        let (entries, tree) = (copy.entries(), nodes(&snapshot));
        apply(&mut original, &after);
        prop_assert_eq!(copy.entries(), entries);
        prop_assert_eq!(nodes(&snapshot), tree);
    }

    #[test]
    fn the_merge_is_all_claims_applied_from_weak_to_strong(layers in any_layers()) {
        prop_assert_eq!(nodes(&merged(&layers)), naive_merge(&layers));
    }

    #[test]
    fn the_merge_is_that_also_where_many_of_one_kind_contradict_each_other(layers in any_crowd()) {
        prop_assert_eq!(nodes(&merged(&layers)), naive_merge(&layers));
    }

    #[test]
    fn the_order_in_which_layers_are_given_does_not_matter(
        (layers, shuffled) in any_layers().prop_flat_map(|layers| {
            (Just(layers.clone()), Just(layers).prop_shuffle())
        })
    ) {
        prop_assert_eq!(nodes(&merged(&layers)), nodes(&merged(&shuffled)));
    }

    #[test]
    fn one_layer_alone_is_the_tree(steps in any_steps()) {
        let layer = layer(SourceKind::Server, "x", &steps);
        let tree = nodes(&merged(std::slice::from_ref(&layer)));
        let present: Vec<_> = layer
            .entries()
            .into_iter()
            .filter_map(|entry| match entry.stance {
                Stance::Present(content) => Some((entry.path, content, entry.at_ms)),
                Stance::Absent => None,
            })
            .collect();
        let found: Vec<_> = tree[1..]
            .iter()
            .map(|node| (node.path.clone(), node.content.clone(), node.at_ms))
            .collect();
        prop_assert_eq!(found, present);
        prop_assert!(tree[1..].iter().all(|node| node.source == *layer.source()));
    }

    #[test]
    fn what_was_merged_and_is_merged_again_is_unchanged(layers in any_layers()) {
        let once = merged(&layers);
        let mut again = Layer::new(Source::new(SourceKind::Device, "merged"));
        for node in &nodes(&once)[1..] {
            again.put(&node.path, node.content.clone(), node.at_ms).expect("allowed");
        }
        prop_assert_eq!(contents(&merged(&[again.clone()])), contents(&once));
        // And the same claims from a weaker source add nothing.
        let mut both = layers.clone();
        both.retain(|layer| layer.source().kind != SourceKind::Device);
        let strong = merged(&both);
        let mut echo = Layer::new(Source::new(SourceKind::Device, "echo"));
        for node in &nodes(&strong)[1..] {
            echo.put(&node.path, node.content.clone(), 9).expect("allowed");
        }
        both.push(echo);
        prop_assert_eq!(nodes(&merged(&both)), nodes(&strong));
    }

    #[test]
    fn a_stronger_kind_always_has_its_way(layers in any_layers(), steps in any_steps()) {
        let mut layers = layers;
        layers.retain(|layer| layer.source().kind != SourceKind::Server);
        let server = layer(SourceKind::Server, "x", &steps);
        layers.push(server.clone());
        let tree = merged(&layers);
        for entry in server.entries() {
            let node = tree.get(&entry.path);
            match entry.stance {
                Stance::Present(content) => {
                    let node = node.expect("a server's node");
                    prop_assert_eq!(node.content, content);
                    prop_assert_eq!(&node.source, server.source());
                }
                Stance::Absent => prop_assert!(node.is_none()),
            }
        }
    }

    #[test]
    fn no_claim_of_a_weaker_kind_changes_a_node_of_a_stronger(
        layers in any_layers(), steps in any_steps()
    ) {
        let mut layers = layers;
        layers.retain(|layer| layer.source().kind != SourceKind::Device);
        let before = merged(&layers);
        layers.push(layer(SourceKind::Device, "x", &steps));
        let after = merged(&layers);
        for node in &nodes(&before) {
            let found = after.get(&node.path);
            prop_assert_eq!(found.as_ref(), Some(node));
        }
    }

    #[test]
    fn a_layer_that_goes_leaves_no_trace(layers in any_layers(), steps in any_steps()) {
        let mut layers = layers;
        layers.retain(|layer| layer.source().kind != SourceKind::Card);
        let before = nodes(&merged(&layers));
        let mut card = layer(SourceKind::Card, "x", &steps);
        card.remove(&TreePath::root());
        prop_assert!(card.is_empty());
        layers.push(card);
        prop_assert_eq!(nodes(&merged(&layers)), before);
    }

    #[test]
    fn a_tombstone_hides_all_that_is_weaker_and_nothing_else(
        layers in any_layers(), buried in any_path()
    ) {
        let mut layers = layers;
        layers.retain(|layer| layer.source().kind != SourceKind::Server);
        let before = merged(&layers);
        let grave = layer(SourceKind::Server, "x", &[Step::Bury(buried.clone(), 0)]);
        layers.push(grave);
        let after = merged(&layers);
        let kept: Vec<_> = nodes(&before)
            .into_iter()
            .filter(|node| !names(&node.path).starts_with(&names(&buried)))
            .collect();
        prop_assert_eq!(nodes(&after), kept);
    }

    #[test]
    fn a_stronger_claim_below_a_tombstone_brings_back_its_path_only(
        layers in any_layers(), buried in any_path(), below in proptest::collection::vec("[AB]", 1..4)
    ) {
        let mut layers = layers;
        layers.retain(|layer| layer.source().kind != SourceKind::Server);
        let revived = path(&format!("{buried}/{}", below.join("/")));
        layers.push(layer(SourceKind::Server, "x", &[Step::Bury(buried.clone(), 5)]));
        let other = Step::Put(revived.clone(), leaf("new"), 6);
        layers.push(layer(SourceKind::Server, "y", &[other]));
        let after = merged(&layers);
        let found: Vec<_> = after.walk(&buried).into_iter().map(|node| {
            assert_eq!(node.source, Source::new(SourceKind::Server, "y"));
            names(&node.path)
        }).collect();
        let whole = names(&revived);
        let expected: Vec<_> = (names(&buried).len()..=whole.len())
            .map(|depth| whole[..depth].to_vec())
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn within_a_kind_the_later_claim_wins_then_the_greater_id(
        at in 0..3_i64, other_at in 0..3_i64, kind in any_kind()
    ) {
        let place = path("A/B");
        let left = layer(kind, "x", &[Step::Put(place.clone(), leaf("x"), at)]);
        let right = layer(kind, "y", &[Step::Put(place.clone(), leaf("y"), other_at)]);
        let winner = if at > other_at { "x" } else { "y" };
        let node = merged(&[right, left]).get(&place).expect("claimed");
        prop_assert_eq!(node.content, leaf(winner));
        prop_assert_eq!(&*node.source.id, winner);
    }

    #[test]
    fn changes_applied_to_the_old_tree_make_the_new_one(old in any_layers(), new in any_layers()) {
        let (old, new) = (merged(&old), merged(&new));
        let mut tree: BTreeMap<_, _> = nodes(&old)
            .into_iter()
            .map(|node| (names(&node.path), node))
            .collect();
        let changes = old.diff(&new);
        let order: Vec<_> = changes.iter().map(|change| names(&change.path)).collect();
        prop_assert!(order.is_sorted_by(|left, right| left < right));
        for change in changes {
            prop_assert_ne!(&change.before, &change.after);
            let place = names(&change.path);
            prop_assert_eq!(tree.remove(&place), change.before);
            tree.extend(change.after.map(|node| (place, node)));
        }
        prop_assert_eq!(tree.into_values().collect::<Vec<_>>(), nodes(&new));
    }

    #[test]
    fn a_tree_does_not_differ_from_itself(layers in any_layers()) {
        prop_assert_eq!(merged(&layers).diff(&merged(&layers)), vec![]);
    }

    #[test]
    fn the_first_explanation_is_what_get_says(layers in any_layers()) {
        let tree = merged(&layers);
        for place in spoken_of(&layers).into_iter().chain([TreePath::root()]) {
            let claims = tree.explain(&place);
            prop_assert_eq!(claims[0].outcome, Outcome::Wins);
            match tree.get(&place) {
                Some(node) => {
                    prop_assert_eq!(&claims[0].path, &place);
                    prop_assert_eq!(&claims[0].stance, &Stance::Present(node.content));
                    prop_assert_eq!(&claims[0].source, &node.source);
                    prop_assert_eq!(claims[0].at_ms, node.at_ms);
                }
                None => prop_assert_eq!(&claims[0].stance, &Stance::Absent),
            }
        }
    }

    #[test]
    fn an_explanation_names_every_claim_on_the_node_once(layers in any_layers()) {
        let tree = merged(&layers);
        for place in spoken_of(&layers) {
            let claims = tree.explain(&place);
            prop_assert!(claims[1..].iter().all(|claim| claim.outcome != Outcome::Wins));
            let mut found: Vec<_> = claims
                .iter()
                .filter(|claim| claim.path == place)
                .map(|claim| (claim.source.clone(), claim.stance.clone()))
                .collect();
            found.sort_by(|left, right| left.0.cmp(&right.0));
            let mut made: Vec<_> = layers
                .iter()
                .filter_map(|layer| Some((layer.source().clone(), layer.get(&place)?.stance)))
                .collect();
            made.sort_by(|left, right| left.0.cmp(&right.0));
            prop_assert_eq!(found, made);
        }
    }

    #[test]
    fn a_loser_is_said_to_have_lost_for_the_reason_it_lost(layers in any_layers()) {
        let tree = merged(&layers);
        for place in spoken_of(&layers) {
            let claims = tree.explain(&place);
            for loser in &claims[1..] {
                let of_weaker_kind = loser.source.kind < claims[0].source.kind;
                match loser.outcome {
                    Outcome::Older => prop_assert!(!of_weaker_kind),
                    Outcome::LowerPrecedence => prop_assert!(of_weaker_kind),
                    outcome => prop_assert_eq!(outcome, Outcome::Hidden),
                }
            }
        }
    }

    #[test]
    fn get_children_and_walk_tell_the_same_tree(layers in any_layers()) {
        let tree = merged(&layers);
        let all = nodes(&tree);
        prop_assert_eq!(all.len(), tree.len());
        for node in &all {
            let found = tree.get(&node.path);
            prop_assert_eq!(found.as_ref(), Some(node));
            let below: Vec<_> = all
                .iter()
                .map(|other| names(&other.path))
                .filter(|other| {
                    other.len() == names(&node.path).len() + 1
                        && other.starts_with(&names(&node.path))
                })
                .filter_map(|names| names.last().cloned())
                .collect();
            let children = tree.children(&node.path).expect("a node");
            prop_assert_eq!(children.iter().map(|name| name.to_string()).collect::<Vec<_>>(), below);
        }
    }

    #[test]
    fn a_canonical_path_is_its_own_canonical_form(text in "\\PC{0,40}") {
        if let Ok(path) = TreePath::parse(&text) {
            prop_assert_eq!(TreePath::parse(path.as_str()), Ok(path.clone()));
            prop_assert_eq!(path.segments().count() == 0, path.is_root());
            prop_assert!(path.segments().all(|name| !name.is_empty() && !name.contains('/')));
        }
    }
}
