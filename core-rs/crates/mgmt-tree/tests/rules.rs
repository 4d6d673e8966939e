//! Single rules by example: paths and their limits, refusals, cases worth a name.

#![allow(clippy::expect_used)]

mod support;

use mgmt_tree::{
    Content, Layer, MAX_DEPTH, MAX_PATH_BYTES, MAX_SEGMENT_BYTES, Outcome, Source, SourceKind,
    TreeError, TreePath, merge,
};
use support::*;

fn code(text: &str) -> &'static str {
    TreePath::parse(text).map_or_else(|error| error.code(), |_| "fine")
}

fn put(place: &str, value: &str, at_ms: i64) -> Step {
    Step::Put(path(place), leaf(value), at_ms)
}

fn bury(place: &str, at_ms: i64) -> Step {
    Step::Bury(path(place), at_ms)
}

#[test]
fn a_path_has_one_spelling() {
    for (text, canonical) in [
        (".", "."),
        ("./A", "./A"),
        ("A", "./A"),
        ("A/B", "./A/B"),
        ("./.hidden/..b", "./.hidden/..b"),
        ("./Zugänge/日本", "./Zugänge/日本"),
    ] {
        assert_eq!(TreePath::parse(text).expect("good").as_str(), canonical);
    }
}

#[test]
fn a_bad_path_is_refused_with_its_fault() {
    for (text, fault) in [
        ("", "path_empty"),
        ("./", "path_trailing_slash"),
        ("/", "path_trailing_slash"),
        ("A/", "path_trailing_slash"),
        ("/A", "path_segment_empty"),
        ("A//B", "path_segment_empty"),
        (".//A", "path_segment_empty"),
        ("..", "path_segment_dots"),
        ("../A", "path_segment_dots"),
        ("A/../B", "path_segment_dots"),
        ("A/./B", "path_segment_dots"),
        ("././A", "path_segment_dots"),
        ("A/.", "path_segment_dots"),
        ("A\0B", "path_segment_control"),
        ("A/B\n", "path_segment_control"),
        ("\u{85}", "path_segment_control"),
        ("A?prop=ACL", "path_segment_query"),
        ("A/ü?/B", "path_segment_query"),
    ] {
        assert_eq!(code(text), fault, "{text:?}");
    }
}

#[test]
fn the_limits_are_reached_and_not_passed() {
    let longest = "x".repeat(MAX_SEGMENT_BYTES);
    assert_eq!(code(&longest), "fine");
    assert_eq!(code(&format!("{longest}x")), "path_segment_too_long");
    // Bytes count, not characters.
    assert_eq!(code(&"ä".repeat(64)), "path_segment_too_long");
    let deepest = vec!["x"; MAX_DEPTH].join("/");
    assert_eq!(code(&deepest), "fine");
    assert_eq!(code(&format!("{deepest}/x")), "path_too_deep");
    let whole = vec!["x".repeat(100); 10].join("/");
    let filling = "y".repeat(MAX_PATH_BYTES - 2 - whole.len() - 1);
    assert_eq!(code(&format!("{whole}/{filling}")), "fine");
    assert_eq!(code(&format!("./{whole}/{filling}")), "fine");
    assert_eq!(code(&format!("{whole}/{filling}y")), "path_too_long");
    assert_eq!(code(&"/".repeat(50_000_000)), "path_too_long");
}

#[test]
fn the_root_is_permanent() {
    let mut device = Layer::new(Source::new(SourceKind::Device, "d"));
    let root = TreePath::root();
    assert_eq!(device.put(&root, leaf("x"), 1), Err(TreeError::RootFixed));
    assert_eq!(device.bury(&root, 1), Err(TreeError::RootFixed));
    assert_eq!(device.put(&root, interior(), 1), Ok(()));
    assert!(device.is_empty());
    assert!(merge(&[]).expect("nothing").get(&root).is_some());
}

#[test]
fn a_leaf_is_not_of_format_node() {
    let mut device = Layer::new(Source::new(SourceKind::Device, "d"));
    let content = Content::Leaf {
        value: b"x".as_slice().into(),
        format: "node".into(),
        mime: "".into(),
    };
    assert_eq!(
        device.put(&path("A"), content, 1),
        Err(TreeError::LeafFormat)
    );
    assert!(device.is_empty());
}

#[test]
fn one_source_has_one_layer() {
    let layers = [
        layer(SourceKind::Card, "x", &[]),
        layer(SourceKind::Server, "x", &[]),
        layer(SourceKind::Card, "x", &[put("A", "1", 1)]),
    ];
    let refusal = merge(&layers).map(|_| ()).expect_err("twice");
    assert_eq!(refusal.code(), "layer_twice");
    assert_eq!(refusal.to_string(), "two layers come from card:x");
}

#[test]
fn a_value_that_is_forgotten_uncovers_the_weaker_one() {
    let device = layer(SourceKind::Device, "d", &[put("A/B", "old", 1)]);
    let mut card = layer(SourceKind::Card, "c", &[put("A/B", "new", 0)]);
    let both = merge(&[device.clone(), card.clone()]).expect("fine");
    assert_eq!(both.get(&path("A/B")).expect("there").content, leaf("new"));
    assert!(card.remove(&path("A/B")));
    assert!(!card.remove(&path("A/B")));
    let after = merge(&[device, card]).expect("fine");
    assert_eq!(after.get(&path("A/B")).expect("there").content, leaf("old"));
}

#[test]
fn a_leaf_takes_the_place_of_a_weaker_subtree_for_good() {
    let device = layer(SourceKind::Device, "d", &[put("A/B", "1", 1)]);
    let card = layer(SourceKind::Card, "c", &[put("A", "leaf", 1)]);
    let server = layer(SourceKind::Server, "s", &[put("A/C", "2", 1)]);
    let tree = merge(&[device.clone(), card.clone()]).expect("fine");
    assert_eq!(tree.children(&path("A")).expect("a leaf").len(), 0);
    assert_eq!(tree.get(&path("A/B")), None);
    // The server needs an interior node there; what the card's leaf replaced stays replaced.
    let tree = merge(&[device, card, server]).expect("fine");
    let names = tree.children(&path("A")).expect("interior");
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["C"]);
}

#[test]
fn an_older_claim_of_one_server_returns_when_a_later_tombstone_is_forgotten() {
    let place = path("A/B");
    let mine = layer(SourceKind::Server, "a", &[put("A/B", "1", 1)]);
    let mut other = layer(SourceKind::Server, "b", &[bury("A", 2)]);
    let tree = merge(&[mine.clone(), other.clone()]).expect("fine");
    assert_eq!(tree.get(&place), None);
    let claims = tree.explain(&place);
    assert_eq!(claims[0].path, path("A"));
    assert_eq!(claims[1].outcome, Outcome::Hidden);
    other.remove(&path("A"));
    assert!(merge(&[mine, other]).expect("fine").get(&place).is_some());
}

#[test]
fn an_interior_node_brought_back_belongs_to_whom_it_is_needed_by() {
    let early = layer(
        SourceKind::Server,
        "a",
        &[Step::Put(path("A"), interior(), 1), put("A/B", "1", 3)],
    );
    let grave = layer(SourceKind::Server, "b", &[bury("A", 2)]);
    let node = merge(&[early, grave])
        .expect("fine")
        .get(&path("A"))
        .expect("brought back");
    assert_eq!((&*node.source.id, node.at_ms), ("a", 3));
}

#[test]
fn a_long_life_of_changes_leaves_a_layer_as_if_it_were_new() {
    let mut worn = Layer::new(Source::new(SourceKind::Server, "s"));
    for round in 0..20 {
        for name in 0..500 {
            let place = path(&format!("R{round}/N{name}/V"));
            worn.put(&place, leaf("x"), round).expect("allowed");
        }
        worn.bury(&path(&format!("T{round}/A/B")), round)
            .expect("allowed");
        if round < 19 {
            worn.remove(&path(&format!("R{round}")));
        }
    }
    assert_eq!(worn.len(), 1 + 500 + 500 + 20);
    let tree = merge(&[worn]).expect("fine");
    assert_eq!(tree.len(), 1 + 1 + 500 + 500);
}

#[test]
fn many_siblings_and_the_deepest_path_are_no_trouble() {
    let mut wide = Layer::new(Source::new(SourceKind::Card, "c"));
    for name in 0..100_000 {
        wide.put(&path(&format!("A/{name}")), leaf("x"), 1)
            .expect("allowed");
    }
    let deepest = path(&vec!["x"; MAX_DEPTH].join("/"));
    wide.put(&deepest, leaf("deep"), 1).expect("allowed");
    let tree = merge(&[wide]).expect("fine");
    assert_eq!(tree.children(&path("A")).expect("there").len(), 100_000);
    assert_eq!(tree.get(&deepest).expect("there").content, leaf("deep"));
    assert_eq!(tree.diff(&merge(&[]).expect("empty")).len(), tree.len() - 1);
}

#[test]
fn secrets_are_not_printed() {
    let card = layer(SourceKind::Card, "c", &[put("A", "hunter2", 1)]);
    let tree = merge(std::slice::from_ref(&card)).expect("fine");
    let node = tree.get(&path("A")).expect("there");
    for text in [
        format!("{node:?}"),
        format!("{:?}", card.entries()),
        format!("{:?}", tree.explain(&path("A"))),
        format!("{:?}", merge(&[]).expect("fine").diff(&tree)),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("104, 117"), "{text}");
    }
}

#[test]
fn a_node_that_several_bring_back_is_whose_claim_below_is_the_strongest() {
    for (x, y, winner) in [(4, 5, "y"), (5, 4, "x")] {
        let early = |id, below, at_ms| {
            let node = Step::Put(path("A"), interior(), 1);
            layer(SourceKind::Server, id, &[node, put(below, "v", at_ms)])
        };
        let grave = layer(SourceKind::Server, "z", &[Step::Bury(path("A"), 3)]);
        let layers = [early("x", "A/B", x), early("y", "A/C", y), grave];
        let node = merge(&layers)
            .expect("distinct")
            .get(&path("A"))
            .expect("brought back");
        assert_eq!((&*node.source.id, node.at_ms), (winner, 5));
    }
}
