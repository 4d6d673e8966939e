//! Random layers, and the naive model they are compared with.

// Each test file uses a part of this.
#![allow(dead_code, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use mgmt_tree::{Content, Entry, Layer, Node, Source, SourceKind, Stance, TreePath};
use proptest::prelude::*;

/// One call on a layer.
#[derive(Debug, Clone)]
pub enum Step {
    Put(TreePath, Content, i64),
    Bury(TreePath, i64),
    Remove(TreePath),
}

pub fn path(text: &str) -> TreePath {
    TreePath::parse(text).expect("a good path")
}

pub fn leaf(value: &str) -> Content {
    Content::Leaf {
        value: value.as_bytes().into(),
        format: "chr".into(),
        mime: "text/plain".into(),
    }
}

pub fn interior() -> Content {
    Content::Interior { mime: "".into() }
}

pub fn layer(kind: SourceKind, id: &str, steps: &[Step]) -> Layer {
    let mut layer = Layer::new(Source::new(kind, id));
    apply(&mut layer, steps);
    layer
}

pub fn apply(layer: &mut Layer, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Put(path, content, at_ms) => {
                layer.put(path, content.clone(), *at_ms).expect("allowed");
            }
            Step::Bury(path, at_ms) => layer.bury(path, *at_ms).expect("allowed"),
            Step::Remove(path) => {
                layer.remove(path);
            }
        }
    }
}

/// Few names and times, so that layers meet, contradict each other and tie. Longer names agree
/// in their first bytes, and are of the lengths at which a cell begins to keep them otherwise.
pub fn any_path() -> impl Strategy<Value = TreePath> {
    let name = prop_oneof![
        12 => prop_oneof!["A", "B", "Ä"],
        1 => prop_oneof!["AddrLst", "AddrList", "AddrList1", "AddrList1234", "AddrList12345", "AddrList12346"],
    ];
    proptest::collection::vec(name, 1..5).prop_map(|names| path(&names.join("/")))
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let content = prop_oneof![
        3 => "[a-c]{0,2}".prop_map(|value| leaf(&value)),
        1 => prop_oneof!["", "urn:x"].prop_map(|mime: String| Content::Interior { mime: mime.into() }),
    ];
    prop_oneof![
        6 => (any_path(), content, 0..6_i64).prop_map(|(path, content, at)| Step::Put(path, content, at)),
        2 => (any_path(), 0..6_i64).prop_map(|(path, at)| Step::Bury(path, at)),
        1 => any_path().prop_map(Step::Remove),
    ]
}

pub fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any_step(), 0..10)
}

pub fn any_kind() -> impl Strategy<Value = SourceKind> {
    prop_oneof![
        Just(SourceKind::Device),
        Just(SourceKind::Card),
        Just(SourceKind::Server),
    ]
}

/// Layers of distinct sources, several of one kind among them.
pub fn any_layers() -> impl Strategy<Value = Vec<Layer>> {
    proptest::collection::btree_map((any_kind(), "[x-z]"), any_steps(), 0..6).prop_map(|sources| {
        sources
            .into_iter()
            .map(|((kind, id), steps)| layer(kind, &id, &steps))
            .collect()
    })
}

/// Many sources of one kind, or of two, around one node: tombstones and leaves on it, and in
/// other layers the node from before with what was claimed below it earlier or later. So often
/// several bring it back.
pub fn any_crowd() -> impl Strategy<Value = Vec<Layer>> {
    let at = || 1..5_i64;
    let node = || prop_oneof![3 => Just("A"), 1 => Just("A/B")].prop_map(path);
    let below = prop_oneof!["B", "C", "B/B"];
    let steps = prop_oneof![
        1 => (node(), at()).prop_map(|(node, at)| vec![Step::Bury(node, at)]),
        1 => (node(), at()).prop_map(|(node, at)| vec![Step::Put(node, leaf("v"), at)]),
        3 => (node(), 0..3_i64, below, 0..8_i64).prop_map(|(node, early, below, late)| {
            let below = path(&format!("{node}/{below}"));
            vec![Step::Put(node, interior(), early), Step::Put(below, leaf("v"), late)]
        }),
    ];
    let kind = prop_oneof![4 => Just(SourceKind::Server), 1 => Just(SourceKind::Card)];
    proptest::collection::btree_map((kind, "[u-z]"), steps, 2..7).prop_map(|sources| {
        sources
            .into_iter()
            .map(|((kind, id), steps)| layer(kind, &id, &steps))
            .collect()
    })
}

/// A layer by the letter of its rule: a map from path to claim.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NaiveLayer(pub BTreeMap<Vec<String>, (Stance, i64)>);

impl NaiveLayer {
    pub fn of(steps: &[Step]) -> Self {
        let mut naive = Self::default();
        for step in steps {
            match step {
                Step::Put(path, content, at_ms) => naive.put(&names(path), content, *at_ms),
                Step::Bury(path, at_ms) => {
                    naive.remove(&names(path));
                    naive.0.insert(names(path), (Stance::Absent, *at_ms));
                }
                Step::Remove(path) => naive.remove(&names(path)),
            }
        }
        naive
    }

    fn put(&mut self, names: &[String], content: &Content, at_ms: i64) {
        for depth in 1..names.len() {
            let parent = self.0.get(&names[..depth]);
            if !matches!(parent, Some((Stance::Present(Content::Interior { .. }), _))) {
                let claim = (Stance::Present(interior()), at_ms);
                self.0.insert(names[..depth].to_vec(), claim);
            }
        }
        if !content.is_interior() {
            self.remove(names);
        }
        let claim = (Stance::Present(content.clone()), at_ms);
        self.0.insert(names.to_vec(), claim);
    }

    fn remove(&mut self, names: &[String]) {
        self.0.retain(|path, _| !path.starts_with(names));
    }
}

pub fn names(path: &TreePath) -> Vec<String> {
    path.segments().map(str::to_owned).collect()
}

/// A node of the naive merge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NaiveNode {
    content: Content,
    source: Source,
    at_ms: i64,
    /// It stands because a claim below needs it.
    needed_only: bool,
}

/// The rule of the crate's documentation, word by word: apply all claims to an empty tree, from
/// the weakest to the strongest.
pub fn naive_merge(layers: &[Layer]) -> Vec<Node> {
    let mut claims: Vec<(Source, Entry)> = layers
        .iter()
        .flat_map(|layer| {
            let source = layer.source().clone();
            layer
                .entries()
                .into_iter()
                .map(move |entry| (source.clone(), entry))
        })
        .collect();
    claims.sort_by_key(|(source, entry)| (source.kind, entry.at_ms, source.id.clone()));
    let mut tree: BTreeMap<Vec<String>, NaiveNode> = BTreeMap::new();
    for (source, entry) in claims {
        let own = layers.iter().find(|layer| *layer.source() == source);
        apply_claim(&mut tree, own.expect("one of them"), &entry);
    }
    let root = Node {
        path: TreePath::root(),
        content: interior(),
        source: Source::new(SourceKind::Device, ""),
        at_ms: 0,
    };
    let rest = tree.into_iter().map(|(names, node)| Node {
        path: path(&names.join("/")),
        content: node.content,
        source: node.source,
        at_ms: node.at_ms,
    });
    std::iter::once(root).chain(rest).collect()
}

fn apply_claim(tree: &mut BTreeMap<Vec<String>, NaiveNode>, layer: &Layer, entry: &Entry) {
    let names = names(&entry.path);
    let content = match &entry.stance {
        Stance::Absent => {
            tree.retain(|path, _| !path.starts_with(&names));
            return;
        }
        Stance::Present(content) => content,
    };
    let node = |content: Content, needed_only| NaiveNode {
        content,
        source: layer.source().clone(),
        at_ms: entry.at_ms,
        needed_only,
    };
    for depth in 1..names.len() {
        let parent = tree.get(&names[..depth]);
        let stands = parent.is_some_and(|node| node.content.is_interior() && !node.needed_only);
        if !stands {
            // A layer that claims a node claims its parents: this is what it says of them.
            let claim = layer.get(&path(&names[..depth].join("/")));
            let Some(Stance::Present(content)) = claim.map(|entry| entry.stance) else {
                panic!("a claim without a claimed parent");
            };
            tree.insert(names[..depth].to_vec(), node(content, true));
        }
    }
    if !content.is_interior() {
        tree.retain(|path, _| !path.starts_with(&names));
    }
    tree.insert(names, node(content.clone(), false));
}
