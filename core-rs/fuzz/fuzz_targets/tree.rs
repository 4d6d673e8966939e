//! Paths and claims: a path has one spelling, and the order in which layers come does not matter.
#![no_main]

use mgmt_tree::{Content, Layer, Source, SourceKind, TreePath, merge};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let kinds = [SourceKind::Device, SourceKind::Card, SourceKind::Server];
    let mut layers = kinds.map(|kind| Layer::new(Source::new(kind, "x")));
    for line in data.split(|byte| *byte == b'\n') {
        let Some((&[choice, time], text)) = line.split_first_chunk() else {
            continue;
        };
        let Some(path) = std::str::from_utf8(text).ok().and_then(parsed) else {
            continue;
        };
        let (layer, time) = (&mut layers[usize::from(choice) % 3], i64::from(time));
        match choice / 3 % 4 {
            0 => drop(layer.put(&path, leaf(), time)),
            1 => drop(layer.put(&path, Content::Interior { mime: "".into() }, time)),
            2 => drop(layer.bury(&path, time)),
            _ => drop(layer.remove(&path)),
        }
    }
    let forward = merge(&layers).unwrap();
    layers.reverse();
    let backward = merge(&layers).unwrap();
    assert!(forward.diff(&backward).is_empty());
});

fn parsed(text: &str) -> Option<TreePath> {
    let path = TreePath::parse(text).ok()?;
    assert_eq!(TreePath::parse(path.as_str()).as_ref(), Ok(&path));
    Some(path)
}

fn leaf() -> Content {
    Content::Leaf {
        value: b"value".as_slice().into(),
        format: "chr".into(),
        mime: "text/plain".into(),
    }
}
