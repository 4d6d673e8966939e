//! Paths, layers, ACLs and merge of the management tree.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use mgmt_tree::{Claimed, Content, Load, Source, SourceKind, Stance, TreePath};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::buffer::Data;
use crate::columns::{Column, Labels, Numbers, same_length};
use crate::error::{TreeError, raise};
use crate::snapshot::Snapshot;
use crate::values::{parse, present, refuse, sketch, stance_value, text};

/// More threads than these wait for memory, and others want processors too.
const MOST_THREADS: usize = 4;
/// As many as there are processors to run on, but no more than that. Asked once: the kernel's
/// answer is read from files, which takes longer than to merge a small change.
static THREADS: LazyLock<usize> = LazyLock::new(|| {
    available_parallelism().map_or(1, |processors| processors.get().min(MOST_THREADS))
});

/// The only spelling of a path: "." for the root, else "./A/B".
///
/// Reads ".", "./A/B" and "A/B" (OMA DM TND §4.2). TreeError with a code "path_…" for anything
/// else: empty, "." or ".." as a segment, a trailing slash, control characters, more than 32
/// segments, 127 bytes a segment or 1024 bytes in all.
#[pyfunction]
fn canonical_path(path: &Bound<'_, PyString>) -> PyResult<String> {
    Ok(parse(path)?.as_str().to_owned())
}

/// Lay layers over one another, in any order: server over card over device.
///
/// Among layers of one kind the later claim wins, then the greater id. `since` is an earlier
/// snapshot: for layers and ACLs that are copies of those it was made of, only what has changed is
/// merged anew, and the result is the same. A large merge from the beginning is shared among at
/// most `threads`; 0 stands for as many as there are processors to run on, but no more than four.
/// TreeError "layer_twice" when two layers have the same kind and id. The interpreter is free
/// during the work.
#[pyfunction]
#[pyo3(signature = (layers, *, acls=None, since=None, threads=0))]
fn merge(
    py: Python<'_>,
    layers: Vec<Bound<'_, Layer>>,
    acls: Option<&Bound<'_, Acls>>,
    since: Option<&Snapshot>,
    threads: usize,
) -> PyResult<Snapshot> {
    // The clones are cheap, and end the borrows: others may change their layers meanwhile.
    let claims: Vec<mgmt_tree::Layer> = layers
        .iter()
        .map(|layer| layer.borrow_mut().sealed(py))
        .collect::<PyResult<_>>()?;
    let acls = match acls {
        Some(acls) => acls.borrow_mut().sealed(py)?,
        None => mgmt_tree::Acls::default(),
    };
    let since = since.map(|since| Arc::clone(&since.0));
    let threads = match threads {
        0 => *THREADS,
        _ => threads,
    };
    py.detach(|| mgmt_tree::merge_on(threads, since.as_deref(), &claims, &acls))
        .map(|snapshot| Snapshot(Arc::new(snapshot)))
        .map_err(|error| refuse(py, &error))
}

/// The ACL value of each node that has one. What they mean is not this module's matter.
#[pyclass(module = "cardea_core")]
#[derive(Default)]
struct Acls(mgmt_tree::Acls);

#[pymethods]
impl Acls {
    /// No values.
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Give a node a value; "": it inherits. TreeError "root_fixed": the root's is kept elsewhere.
    fn set(&mut self, path: &Bound<'_, PyString>, value: &str) -> PyResult<()> {
        let py = path.py();
        let path = parse(path)?;
        self.0.set(&path, value).map_err(|error| refuse(py, &error))
    }

    /// The same values on their own; they are shared until one of the two changes.
    fn copy(&mut self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self(self.sealed(py)?))
    }
}

impl Acls {
    fn sealed(&mut self, py: Python<'_>) -> PyResult<mgmt_tree::Acls> {
        self.0.seal().map_err(|error| refuse(py, &error))?;
        Ok(self.0.clone())
    }
}

type Amendment = (String, Option<Entry>, Option<Entry>);

/// What one source claims about the tree, at most one claim a node.
///
/// A layer never contradicts itself: its latest statement about a place wins.
#[pyclass(module = "cardea_core", eq)]
#[derive(PartialEq)]
struct Layer(mgmt_tree::Layer);

#[pymethods]
impl Layer {
    /// A layer without claims. `kind` is "device", "card" or "server".
    #[new]
    fn new(py: Python<'_>, kind: &str, id: &str) -> PyResult<Self> {
        let kind = SourceKind::from_word(kind).ok_or_else(|| {
            let message = format!("a source is a device, card or server, not {kind:?}");
            raise::<TreeError>(py, "kind_unknown", message)
        })?;
        Ok(Self(mgmt_tree::Layer::new(Source::new(kind, id))))
    }

    /// "device", "card" or "server".
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.source().kind.as_str()
    }

    /// Which device, card or server.
    #[getter]
    fn id(&self) -> &str {
        &self.0.source().id
    }

    /// Claim that the node exists: a leaf with `value`, or an interior node (None).
    ///
    /// Missing parents, and own leaves and tombstones in their place, become interior claims of
    /// the same time; a leaf forgets the own claims below it. Defaults are "chr" and
    /// "text/plain" for leaves, "node" (always) and "" for interior nodes.
    #[pyo3(signature = (path, value, *, format=None, mime=None, at_ms))]
    fn put(
        &mut self,
        path: &Bound<'_, PyString>,
        value: Option<Data<'_>>,
        format: Option<&str>,
        mime: Option<&str>,
        at_ms: i64,
    ) -> PyResult<()> {
        let content = match value {
            Some(value) => Content::Leaf {
                value: value.as_slice().into(),
                format: format.unwrap_or("chr").into(),
                mime: mime.unwrap_or("text/plain").into(),
            },
            None => Content::Interior {
                mime: mime.unwrap_or("").into(),
            },
        };
        let py = path.py();
        let path = parse(path)?;
        self.0
            .put(&path, content, at_ms)
            .map_err(|error| refuse(py, &error))
    }

    /// Many `put`s at once: paths and, in lists of the same length or once for all, the rest.
    ///
    /// Fastest in an empty layer and in the order of entries(). On an error nothing has changed.
    /// TreeError "column_length" when a list is shorter or longer than the paths.
    #[pyo3(signature = (paths, values, *, format=None, mime=None, at_ms))]
    fn load(
        &mut self,
        py: Python<'_>,
        paths: &Bound<'_, PyList>,
        values: &Bound<'_, PyList>,
        format: Option<Column<String>>,
        mime: Option<Column<String>>,
        at_ms: Column<i64>,
    ) -> PyResult<()> {
        let count = paths.len();
        let format = Labels::new(py, format, "chr", count)?;
        let mime = Labels::new(py, mime, "text/plain", count)?;
        let at_ms = Numbers::new(py, at_ms, count)?;
        same_length(py, values.len(), count)?;
        let no_mime: Arc<str> = "".into();
        let mut load = Load::new(&self.0).map_err(|error| refuse(py, &error))?;
        for (row, (path, value)) in paths.iter().zip(values).enumerate() {
            let path = path.cast_into::<PyString>()?;
            let value: Option<Data<'_>> = value.extract()?;
            let claim = match &value {
                Some(value) => Claimed::Leaf {
                    value: value.as_slice(),
                    format: format.get(row),
                    mime: mime.get(row),
                },
                None => Claimed::Interior {
                    mime: mime.given(row).unwrap_or(&no_mime),
                },
            };
            load.claim(text(&path)?, claim, at_ms.get(row))
                .map_err(|error| refuse(py, &error))?;
        }
        self.0 = load.finish().map_err(|error| refuse(py, &error))?;
        Ok(())
    }

    /// Forget the own claims at and below the node; says whether there were any.
    fn remove(&mut self, path: &Bound<'_, PyString>) -> PyResult<bool> {
        Ok(self.0.remove(&parse(path)?))
    }

    /// Claim that the node shall not exist; forgets the own claims below it.
    #[pyo3(signature = (path, *, at_ms))]
    fn bury(&mut self, path: &Bound<'_, PyString>, at_ms: i64) -> PyResult<()> {
        let py = path.py();
        let path = parse(path)?;
        self.0
            .bury(&path, at_ms)
            .map_err(|error| refuse(py, &error))
    }

    /// The claim on exactly this node.
    fn get(&self, path: &Bound<'_, PyString>) -> PyResult<Option<Entry>> {
        Ok(self.0.get(&parse(path)?).map(Entry))
    }

    /// The claims at and below a node, or all: parents before children, siblings by name.
    #[pyo3(signature = (path=None))]
    fn entries(&self, path: Option<&Bound<'_, PyString>>) -> PyResult<Vec<Entry>> {
        let path = path.map_or_else(|| Ok(TreePath::root()), parse)?;
        Ok(self.0.entries_at(&path).into_iter().map(Entry).collect())
    }

    /// How many claims there are, how many bytes their values have, and when the latest was made
    /// (Unix milliseconds; None without claims). The interpreter is free during the work.
    fn totals(&mut self, py: Python<'_>) -> PyResult<(usize, usize, Option<i64>)> {
        let layer = self.sealed(py)?;
        Ok(py.detach(|| {
            let entries = layer.entries();
            let bytes = |entry: &mgmt_tree::Entry| match &entry.stance {
                Stance::Present(Content::Leaf { value, .. }) => value.len(),
                _ => 0,
            };
            let latest = entries.iter().map(|entry| entry.at_ms).max();
            (entries.len(), entries.iter().map(bytes).sum(), latest)
        }))
    }

    /// The claims that differ in another version of the layer: path, and the claim before and
    /// after, None where there is none. What is shared with a copy is not looked at.
    fn diff(this: &Bound<'_, Self>, newer: &Bound<'_, Self>) -> PyResult<Vec<Amendment>> {
        let py = this.py();
        let old = this.borrow_mut().sealed(py)?;
        let new = newer.borrow_mut().sealed(py)?;
        let amendments = py.detach(|| old.amendments(&new));
        let amendments = amendments.map_err(|error| refuse(py, &error))?;
        Ok(amendments
            .into_iter()
            .map(|each| {
                (
                    each.path.to_string(),
                    each.before.map(Entry),
                    each.after.map(Entry),
                )
            })
            .collect())
    }

    /// A layer of its own with the same claims; they are shared until one of the two changes.
    fn copy(&mut self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self(self.sealed(py)?))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<Layer {}, {} claims>", self.0.source(), self.0.len())
    }
}

impl Layer {
    /// What it claims now, on its own.
    fn sealed(&mut self, py: Python<'_>) -> PyResult<mgmt_tree::Layer> {
        self.0.seal().map_err(|error| refuse(py, &error))?;
        Ok(self.0.clone())
    }
}

/// One claim of a layer.
#[pyclass(module = "cardea_core", frozen, eq)]
#[derive(PartialEq)]
struct Entry(mgmt_tree::Entry);

#[pymethods]
impl Entry {
    /// The node the claim is about.
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// The bytes of a leaf; None for interior nodes and tombstones.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        stance_value(py, &self.0.stance)
    }

    /// The DM format word; "node" for interior nodes, "" for tombstones.
    #[getter]
    fn format(&self) -> &str {
        present(&self.0.stance).map_or("", Content::format)
    }

    /// The MIME type of a leaf, the object identifier of an interior node.
    #[getter]
    fn mime(&self) -> &str {
        present(&self.0.stance).map_or("", Content::mime)
    }

    /// When the claim was made, in Unix milliseconds.
    #[getter]
    fn at_ms(&self) -> i64 {
        self.0.at_ms
    }

    /// Whether the claim is a tombstone: the node shall not exist.
    #[getter]
    fn absent(&self) -> bool {
        self.0.stance == Stance::Absent
    }

    fn __repr__(&self) -> String {
        format!("<Entry {} {}>", self.0.path, sketch(&self.0.stance))
    }
}

/// Adds the functions and classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(canonical_path, module)?)?;
    module.add_function(wrap_pyfunction!(merge, module)?)?;
    module.add_class::<Layer>()?;
    module.add_class::<Acls>()?;
    module.add_class::<Entry>()
}
