//! A merge on several threads is the merge on one.

#![allow(clippy::expect_used)]

mod support;

use mgmt_tree::{
    Acls, Claimed, Layer, Load, Node, Snapshot, Source, SourceKind, TreePath, merge_after, merge_on,
};
use support::*;

const SOURCES: [(SourceKind, &str); 4] = [
    (SourceKind::Device, "x"),
    (SourceKind::Card, "x"),
    (SourceKind::Server, "x"),
    (SourceKind::Server, "y"),
];

/// Some of a tree of 40 000 leaves, with tombstones, and leaves where others have directories.
fn large(number: usize) -> Layer {
    let (kind, id) = SOURCES[number];
    let (format, mime) = ("chr".into(), "text/plain".into());
    let mut load = Load::new(&Layer::new(Source::new(kind, id))).expect("room");
    let mut dice = number as u32 + 1;
    let mut throw = |sides| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 16) % sides
    };
    for place in 0..10_000 {
        let directory = format!("./Top{:03}/Sub{:02}", place / 50, place % 50);
        let mut claim = |path: &str, claim, throw: u32| {
            load.claim(path, claim, throw.into()).expect("allowed");
        };
        let leaf = Claimed::Leaf {
            value: id.as_bytes(),
            format: &format,
            mime: &mime,
        };
        match throw(20) {
            0 => claim(&directory, Claimed::Absent, throw(9)),
            1 => claim(&directory, leaf, throw(9)),
            _ => {
                for name in ["Addr", "AddressType", "AddressTypeOfAll", "Port"] {
                    let path = format!("{directory}/{name}");
                    match throw(5) {
                        0 => claim(&path, Claimed::Absent, throw(9)),
                        1 | 2 => claim(&path, leaf, throw(9)),
                        _ => (),
                    }
                }
            }
        }
    }
    load.finish().expect("room")
}

fn nodes(snapshot: &Snapshot) -> Vec<Node> {
    snapshot.walk(&TreePath::root())
}

#[test]
fn however_many_threads_make_the_same_tree_which_merges_can_go_on_from() {
    let mut layers: Vec<_> = (0..SOURCES.len()).map(large).collect();
    let mut acls = Acls::default();
    for (place, value) in [
        ("./Top005", "a"),
        ("./Top005/Sub07", "b"),
        ("./Top130", "c"),
    ] {
        acls.set(&path(place), value).expect("not the root");
    }
    acls.seal().expect("room");
    let merge = |threads, layers: &[Layer]| merge_on(threads, None, layers, &acls).expect("room");
    let alone = merge(1, &layers);
    let expected = nodes(&alone);
    assert!(expected.len() > 20_000);
    let together: Vec<_> = [2, 3, 8].map(|threads| merge(threads, &layers)).into();
    for tree in &together {
        assert_eq!(nodes(tree), expected);
        assert_eq!((tree.len(), tree.stored()), (alone.len(), alone.stored()));
        for node in &expected {
            assert_eq!(tree.acl(&node.path), alone.acl(&node.path));
        }
        assert_eq!(alone.diff(tree), []);
    }
    layers[3]
        .put(&path("./Top077/Sub07/New"), leaf("n"), 10)
        .expect("allowed");
    layers[3].bury(&path("./Top130"), 10).expect("allowed");
    layers[3].seal().expect("room");
    let anew = merge(1, &layers);
    for tree in &together {
        let after = merge_after(Some(tree), &layers, &acls).expect("room");
        assert_eq!(nodes(&after), nodes(&anew));
        assert_eq!(tree.diff(&after), alone.diff(&anew));
        // It was no merge from the beginning.
        assert!(after.stored() > tree.stored());
    }
}
