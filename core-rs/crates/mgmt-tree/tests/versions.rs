//! A merge that goes on from an earlier one is a merge from the beginning; many claims at once
//! are the same claims one by one.

#![allow(clippy::expect_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use mgmt_tree::{
    Acls, Amendment, Claimed, Content, Layer, Load, Node, Snapshot, Source, SourceKind, TreePath,
    merge, merge_after,
};
use proptest::prelude::*;
use support::*;

/// What happens to the layers between two merges.
#[derive(Debug, Clone)]
enum Event {
    /// A source says something more.
    Says(usize, Vec<Step>),
    /// A source says something else altogether.
    Restates(usize, Vec<Step>),
    /// A source goes.
    Goes(usize),
    /// A node gets another ACL.
    Acl(TreePath, String),
}

const SOURCES: [(SourceKind, &str); 9] = [
    (SourceKind::Device, "x"),
    (SourceKind::Card, "y"),
    (SourceKind::Card, "a"),
    (SourceKind::Card, "b"),
    (SourceKind::Card, "c"),
    (SourceKind::Server, "a"),
    (SourceKind::Server, "x"),
    (SourceKind::Server, "y"),
    (SourceKind::Server, "z"),
];
/// In the order of their strength, after all cards.
const SERVERS: Range<usize> = 5..9;
const CARDS: Range<usize> = 1..5;

fn any_event() -> impl Strategy<Value = Event> {
    let which = 0..SOURCES.len();
    prop_oneof![
        8 => (which.clone(), any_steps()).prop_map(|(which, steps)| Event::Says(which, steps)),
        1 => (which.clone(), any_steps()).prop_map(|(which, steps)| Event::Restates(which, steps)),
        1 => which.prop_map(Event::Goes),
        2 => (any_path(), "[ab]?").prop_map(|(path, acl)| Event::Acl(path, acl)),
    ]
}

/// A claim of a server, or the end of some: tombstones above what is claimed deep below, and all
/// that they rule out as old as they are, so that the order of servers decides.
fn any_say() -> impl Strategy<Value = (usize, Step)> {
    let above = || prop_oneof!["A", "A/B"].prop_map(|name| path(&name));
    let step = prop_oneof![
        above().prop_map(|above| Step::Bury(above, 1)),
        Just(Step::Put(path("A/B/C/D"), leaf("v"), 1)),
        Just(Step::Put(path("A/B/E/F"), leaf("v"), 2)),
        above().prop_map(Step::Remove),
    ];
    (SERVERS, step)
}

/// A claim of a server on a few nodes at any time: now and then the later one wins, and what was
/// ruled out is brought back by what is claimed below it.
fn any_contest() -> impl Strategy<Value = (usize, Step)> {
    let name = prop_oneof!["A/B", "A/B/C", "A/B/C/D", "A/E"];
    let step = (name, 0..3, 1..9i64).prop_map(|(name, what, at_ms)| {
        let content = match what {
            0 => return Step::Bury(path(&name), at_ms),
            1 => leaf("v"),
            _ => Content::Interior { mime: "".into() },
        };
        Step::Put(path(&name), content, at_ms)
    });
    (SERVERS, step)
}

/// Sources and ACLs as they change.
#[derive(Clone, Default)]
struct World {
    layers: BTreeMap<usize, Layer>,
    acls: Acls,
    values: BTreeMap<Vec<String>, String>,
}

impl World {
    fn happens(&mut self, event: &Event) {
        let fresh = |which: usize| Layer::new(Source::new(SOURCES[which].0, SOURCES[which].1));
        match event {
            Event::Says(which, steps) => {
                apply(
                    self.layers.entry(*which).or_insert_with(|| fresh(*which)),
                    steps,
                );
            }
            Event::Restates(which, steps) => {
                let mut layer = fresh(*which);
                apply(&mut layer, steps);
                self.layers.insert(*which, layer);
            }
            Event::Goes(which) => {
                self.layers.remove(which);
            }
            Event::Acl(path, value) => {
                self.acls.set(path, value).expect("not the root");
                self.values.insert(names(path), value.clone());
            }
        }
    }

    /// As a holder of layers does before it merges, so that the next merge finds what was.
    fn seal(&mut self) -> Vec<Layer> {
        for layer in self.layers.values_mut() {
            layer.seal().expect("room");
        }
        self.acls.seal().expect("room");
        self.layers.values().cloned().collect()
    }

    /// The rule of inheritance, word by word.
    fn acl(&self, path: &TreePath) -> Option<&str> {
        let names = names(path);
        let above = (1..=names.len()).rev().map(|depth| &names[..depth]);
        let mut values = above.filter_map(|names| self.values.get(names));
        values.find(|value| !value.is_empty()).map(String::as_str)
    }
}

fn nodes(snapshot: &Snapshot) -> Vec<Node> {
    snapshot.walk(&TreePath::root())
}

/// The merge that goes on from an earlier one, which is the one from the beginning.
fn merged_on(before: &Snapshot, world: &mut World) -> Result<Snapshot, TestCaseError> {
    let layers = world.seal();
    let after = merge_after(Some(before), &layers, &world.acls).expect("distinct");
    let anew = merge_after(None, &layers, &world.acls).expect("distinct");
    prop_assert_eq!(nodes(&after), nodes(&anew));
    prop_assert_eq!(nodes(&after), naive_merge(&layers));
    prop_assert_eq!(after.len(), anew.len());
    prop_assert_eq!(before.diff(&after), before.diff(&anew));
    for node in &nodes(&after)[1..] {
        prop_assert_eq!(after.explain(&node.path), anew.explain(&node.path));
        let in_force = world.acl(&node.path).map(Arc::from);
        prop_assert_eq!(&after.acl(&node.path), &in_force);
        prop_assert_eq!(&anew.acl(&node.path), &in_force);
    }
    Ok(after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn going_on_from_a_merge_is_merging_from_the_beginning(
        events in proptest::collection::vec(any_event(), 1..12)
    ) {
        let mut world = World::default();
        let mut before = merge(&[]).expect("nothing");
        for event in &events {
            world.happens(event);
            before = merged_on(&before, &mut world)?;
        }
    }

    #[test]
    fn two_branches_from_one_merge_do_not_see_each_other(
        common in proptest::collection::vec(any_event(), 0..6),
        left in proptest::collection::vec(any_event(), 1..4),
        right in proptest::collection::vec(any_event(), 1..4),
    ) {
        let mut world = World::default();
        common.iter().for_each(|event| world.happens(event));
        let layers = world.seal();
        let root = merge_after(None, &layers, &world.acls).expect("distinct");
        let tip = |events: &[Event]| {
            let mut world = world.clone();
            events.iter().for_each(|event| world.happens(event));
            let layers = world.seal();
            let tip = merge_after(Some(&root), &layers, &world.acls).expect("distinct");
            (naive_merge(&layers), tip, layers, world)
        };
        let (left_nodes, left, _, _) = tip(&left);
        let (right_nodes, right, layers, world) = tip(&right);
        prop_assert_eq!(nodes(&left), left_nodes);
        prop_assert_eq!(nodes(&right), &right_nodes[..]);
        // And a branch may go on from another: as if it had been merged from the beginning.
        let crossed = merge_after(Some(&left), &layers, &world.acls).expect("distinct");
        prop_assert_eq!(nodes(&crossed), right_nodes);
        let mut tree: BTreeMap<_, _> =
            nodes(&left).into_iter().map(|node| (names(&node.path), node)).collect();
        for change in left.diff(&right) {
            tree.remove(&names(&change.path));
            tree.extend(change.after.map(|node| (names(&change.path), node)));
        }
        prop_assert_eq!(tree.into_values().collect::<Vec<_>>(), nodes(&right));
    }

    #[test]
    fn many_claims_at_once_are_the_same_claims_one_by_one(
        before in any_steps(), steps in proptest::collection::vec(any_step(), 0..30), sort in any::<bool>()
    ) {
        let mut steps: Vec<_> = steps
            .into_iter()
            .filter(|step| !matches!(step, Step::Remove(_)))
            .collect();
        if sort {
            steps.sort_by_key(|step| match step {
                Step::Put(path, ..) | Step::Bury(path, _) | Step::Remove(path) => names(path),
            });
        }
        let before = if sort { Vec::new() } else { before };
        let mut one_by_one = layer(SourceKind::Card, "x", &before);
        let mut load = Load::new(&one_by_one).expect("room");
        for step in &steps {
            let (path, claim, at_ms) = match step {
                Step::Put(path, Content::Interior { mime }, at) => {
                    (path, Claimed::Interior { mime }, *at)
                }
                Step::Put(path, Content::Leaf { value, format, mime }, at) => {
                    (path, Claimed::Leaf { value, format, mime }, *at)
                }
                Step::Bury(path, at) => (path, Claimed::Absent, *at),
                Step::Remove(_) => continue,
            };
            load.claim(path.as_str(), claim, at_ms).expect("allowed");
        }
        let at_once = load.finish().expect("room");
        apply(&mut one_by_one, &steps);
        prop_assert_eq!(at_once.entries(), one_by_one.entries());
        prop_assert_eq!(at_once.len(), one_by_one.len());
        prop_assert_eq!(nodes(&merge(&[at_once]).expect("one")), naive_merge(&[one_by_one]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cards_that_come_and_go_leave_the_order_of_servers(
        first in proptest::collection::vec(any_say(), 4..8),
        turns in proptest::collection::vec((any::<bool>(), any_say()), 1..8)
    ) {
        let mut world = World::default();
        let says = |(which, step)| Event::Says(which, vec![step]);
        first.into_iter().for_each(|say| world.happens(&says(say)));
        let mut before = merged_on(&merge(&[]).expect("nothing"), &mut world)?;
        for (are_there, say) in turns {
            world.happens(&says(say));
            for which in CARDS {
                world.happens(&if are_there {
                    Event::Says(which, vec![Step::Put(path("C"), leaf("v"), 1)])
                } else {
                    Event::Goes(which)
                });
            }
            before = merged_on(&before, &mut world)?;
        }
    }

    #[test]
    fn a_claim_that_becomes_later_wins_or_brings_back_what_is_above_it(
        first in proptest::collection::vec(any_contest(), 4..8),
        turns in proptest::collection::vec(any_contest(), 1..8)
    ) {
        let mut world = World::default();
        let says = |(which, step)| Event::Says(which, vec![step]);
        first.into_iter().for_each(|say| world.happens(&says(say)));
        let mut before = merged_on(&merge(&[]).expect("nothing"), &mut world)?;
        for say in turns {
            world.happens(&says(say));
            before = merged_on(&before, &mut world)?;
        }
    }
}

#[test]
fn a_tombstone_that_goes_frees_what_is_below_whoever_comes_before_the_one_above() {
    let sealed = |kind, id, step| {
        let mut layer = layer(kind, id, &[step]);
        layer.seal().expect("room");
        layer
    };
    let mut layers = vec![
        sealed(SourceKind::Server, "b", Step::Bury(path("./A"), 5)),
        sealed(
            SourceKind::Server,
            "c",
            Step::Put(path("./A/B/D/w"), leaf("v"), 5),
        ),
        sealed(SourceKind::Server, "d", Step::Bury(path("./A/B"), 5)),
        sealed(
            SourceKind::Server,
            "e",
            Step::Put(path("./A/B/E/v"), leaf("v"), 9),
        ),
    ];
    let before = merge(&layers).expect("distinct");
    assert!(before.get(&path("./A/B/D/w")).is_none());
    layers[2].remove(&path("./A/B"));
    layers[2].seal().expect("room");
    for id in ["x", "y", "z"] {
        layers.push(sealed(
            SourceKind::Card,
            id,
            Step::Put(path("./C"), leaf("v"), 1),
        ));
    }
    let after = merge_after(Some(&before), &layers, &Acls::default()).expect("distinct");
    assert!(after.get(&path("./A/B/D/w")).is_some());
    assert_eq!(nodes(&after), naive_merge(&layers));
}

#[test]
fn a_source_of_many_claims_that_comes_again_or_goes_leaves_the_tree_of_the_others() {
    let many = |kind, value: &str| {
        let mut layer = Layer::new(Source::new(kind, "x"));
        for number in 0..2_000 {
            let name = path(&format!("./All/{}/{number}", number % 7));
            layer.put(&name, leaf(value), 1).expect("allowed");
        }
        layer.seal().expect("room");
        layer
    };
    let device = many(SourceKind::Device, "device");
    let card = many(SourceKind::Card, "card");
    let again = many(SourceKind::Card, "another card");
    let mut before = merge(&[]).expect("nothing");
    for layers in [
        vec![device.clone()],
        vec![device.clone(), card.clone()],
        vec![device.clone(), again],
        vec![device],
        vec![card],
        vec![],
    ] {
        let after = merge_after(Some(&before), &layers, &Acls::default()).expect("distinct");
        assert_eq!(nodes(&after), naive_merge(&layers));
        assert_eq!(after.len(), nodes(&after).len());
        before = after;
    }
}

/// What leads from one version to another, by the letter: every claim of both, compared.
fn naive_amendments(old: &Layer, new: &Layer) -> Vec<Amendment> {
    let claims = |layer: &Layer| -> BTreeMap<_, _> {
        let entries = layer.entries().into_iter();
        entries.map(|entry| (names(&entry.path), entry)).collect()
    };
    let (old, new) = (claims(old), claims(new));
    let places: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let amendment = |place: &Vec<String>| Amendment {
        path: path(&place.join("/")),
        before: old.get(place).cloned(),
        after: new.get(place).cloned(),
    };
    let all = places.into_iter().map(amendment);
    all.filter(|one| one.before != one.after).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn amendments_are_the_claims_that_came_went_or_became_others(
        first in any_steps(), more in any_steps(), others in any_steps(), is_sealed in any::<bool>()
    ) {
        let mut old = layer(SourceKind::Card, "x", &first);
        if is_sealed {
            old.seal().expect("room");
        }
        let mut new = old.clone();
        apply(&mut new, &more);
        // One that was made from the old one, the way back, and one that was not.
        let foreign = layer(SourceKind::Card, "x", &others);
        for (from, to) in [(&old, &new), (&new, &old), (&old, &foreign), (&old, &old)] {
            prop_assert_eq!(from.amendments(to).expect("room"), naive_amendments(from, to));
        }
    }
}

fn words() -> (Arc<str>, Arc<str>) {
    ("chr".into(), "text/plain".into())
}

#[test]
fn a_million_siblings_are_loaded_merged_found_and_changed() {
    let (format, mime) = words();
    let mut load = Load::new(&Layer::new(Source::new(SourceKind::Card, "x"))).expect("room");
    for number in 0..1_000_000 {
        let leaf = Claimed::Leaf {
            value: b"v",
            format: &format,
            mime: &mime,
        };
        load.claim(&format!("./All/n{number:07}"), leaf, 1)
            .expect("allowed");
    }
    let mut all = load.finish().expect("room");
    let before = merge(std::slice::from_ref(&all)).expect("one");
    assert_eq!(before.len(), 1_000_002);
    let place = path("./All/n0654321");
    all.put(&place, leaf("new"), 2).expect("allowed");
    all.put(&path("./All/n0654321x"), leaf("came"), 2)
        .expect("allowed");
    all.seal().expect("room");
    let after = merge_after(Some(&before), &[all], &Acls::default()).expect("one");
    let changed: Vec<_> = before
        .diff(&after)
        .into_iter()
        .map(|change| change.path)
        .collect();
    assert_eq!(changed, [place.clone(), path("./All/n0654321x")]);
    assert_eq!(after.get(&place).expect("there").content, leaf("new"));
    assert_eq!(
        after.children(&path("./All")).expect("there").len(),
        1_000_001
    );
}

#[test]
fn siblings_claimed_one_by_one_in_any_order_are_as_many() {
    let mut layer = Layer::new(Source::new(SourceKind::Card, "x"));
    for number in 0..50_000_u32 {
        // An odd factor visits each number once, in no order.
        let number = number.wrapping_mul(40_503) % 50_000;
        layer
            .put(&path(&format!("./All/{number}")), leaf(""), 1)
            .expect("allowed");
    }
    assert_eq!(layer.len(), layer.entries().len());
    assert_eq!(merge(&[layer.clone()]).expect("one").len(), layer.len() + 1);
}

#[test]
fn the_deepest_path_of_the_longest_names_is_a_path_like_others() {
    let deep = path(&["n"; 32].join("/"));
    let long = path(&["n".repeat(127), "m".repeat(127)].join("/"));
    let mut layer = Layer::new(Source::new(SourceKind::Server, "x"));
    for place in [&deep, &long] {
        layer.put(place, leaf("v"), 1).expect("allowed");
        layer.put(place, leaf("again"), 2).expect("allowed");
    }
    let tree = merge(&[layer.clone()]).expect("one");
    for place in [&deep, &long] {
        assert_eq!(tree.get(place).expect("there").content, leaf("again"));
    }
    assert_eq!((layer.len(), tree.len()), (34, 35));
}

#[test]
fn what_is_written_and_forgotten_for_ever_takes_no_more_room() {
    let mut layer = Layer::new(Source::new(SourceKind::Server, "x"));
    let mut before = merge(&[]).expect("nothing");
    let mut most = 0;
    for round in 0..3_000_u32 {
        for number in 0..20 {
            let name = path(&format!("./Round{round}/{number}"));
            layer
                .put(&name, leaf(&"v".repeat(500)), round.into())
                .expect("allowed");
        }
        let gone = path(&format!("./Round{}", round.wrapping_sub(2)));
        layer.remove(&gone);
        layer.seal().expect("room");
        before = merge_after(Some(&before), &[layer.clone()], &Acls::default()).expect("one");
        most = most.max(layer.stored() + before.stored());
    }
    assert_eq!((layer.len(), before.len()), (42, 43));
    // 30 MB were written; twice what is in use and the threshold stay.
    assert!(most < 6 << 20, "{most} bytes");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_among_many_is_read_as_it_is_alone(
        first in "(\\./)?[AB](/[AB]){0,3}",
        texts in proptest::collection::vec("(\\./)?([AB/.\u{85}\n]|A/B|/AddrList12345){0,5}", 1..4)
    ) {
        let (format, mime) = words();
        let leaf = Claimed::Leaf { value: b"v", format: &format, mime: &mime };
        let mut load = Load::new(&Layer::new(Source::new(SourceKind::Card, "x"))).expect("room");
        load.claim(&first, leaf, 1).expect("a good path");
        for text in texts.iter().filter(|text| *text != ".") {
            let alone = TreePath::parse(text);
            prop_assert_eq!(load.claim(text, leaf, 1).err(), alone.clone().err());
            if let Ok(path) = alone {
                let layer = Layer::new(Source::new(SourceKind::Card, "x"));
                let mut anew = Load::new(&layer).expect("room");
                anew.claim(&first, leaf, 1).expect("a good path");
                anew.claim(path.as_str(), leaf, 1).expect("a good path");
                prop_assert!(anew.finish().expect("room").get(&path).is_some());
            }
        }
    }
}
