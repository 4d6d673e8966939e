//! The merged tree and what it hands out.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use mgmt_tree::{Outcome, Stance, TreePath};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::values::{content_value, parse, sketch, stance_value};

/// The merged tree: immutable, shared by as many readers as like.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Snapshot(pub(crate) Arc<mgmt_tree::Snapshot>);

#[pymethods]
impl Snapshot {
    /// The node at a path.
    fn get(&self, path: &Bound<'_, PyString>) -> PyResult<Option<Node>> {
        Ok(self.0.get(&parse(path)?).map(Node))
    }

    /// The names of the children in order; empty for a leaf and where there is no node.
    fn children<'py>(&self, path: &Bound<'py, PyString>) -> PyResult<Vec<Bound<'py, PyString>>> {
        let names = self.0.children(&parse(path)?).unwrap_or_default();
        Ok(names
            .iter()
            .map(|name| PyString::new(path.py(), name))
            .collect())
    }

    /// The node and all below it, parents first, siblings by name; empty where there is no node.
    #[pyo3(signature = (path=None))]
    fn walk(&self, path: Option<&Bound<'_, PyString>>) -> PyResult<Vec<Node>> {
        let path = path.map_or_else(|| Ok(TreePath::root()), parse)?;
        Ok(self.0.walk(&path).into_iter().map(Node).collect())
    }

    /// What walk() lists, one node at a time: none is made before it is asked for.
    #[pyo3(signature = (path=None))]
    fn nodes(&self, path: Option<&Bound<'_, PyString>>) -> PyResult<Nodes> {
        let path = path.map_or_else(|| Ok(TreePath::root()), parse)?;
        Ok(Nodes {
            walk: mgmt_tree::Walk::new(&self.0, &path),
            snapshot: Arc::clone(&self.0),
        })
    }

    /// The ACL in force at a node, its own or that of the nearest node above that has one.
    ///
    /// None where there is no node, and where only the root's could count.
    fn acl<'py>(&self, path: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyString>>> {
        let value = self.0.acl(&parse(path)?);
        Ok(value.map(|value| PyString::new(path.py(), &value)))
    }

    /// Of how many nodes each source's claim is in force, by kind and id; the root is nobody's.
    ///
    /// The interpreter is free during the work.
    fn winners(&self, py: Python<'_>) -> Vec<((&'static str, String), usize)> {
        let winners = py.detach(|| self.0.winners());
        let named = |(source, count): (mgmt_tree::Source, _)| {
            ((source.kind.as_str(), source.id.to_string()), count)
        };
        winners.into_iter().map(named).collect()
    }

    /// All claims on a node, the winner first, then from strong to weak.
    ///
    /// Where claims exist but no node does, the first is the claim that denies it, which may
    /// stand above (see its path). Empty where nobody claims anything.
    fn explain(&self, path: &Bound<'_, PyString>) -> PyResult<Vec<Claim>> {
        let claims = self.0.explain(&parse(path)?);
        Ok(claims.into_iter().map(Claim).collect())
    }

    /// The changes from this snapshot to a newer one, parents before children, siblings by name.
    fn diff(&self, py: Python<'_>, newer: &Self) -> Vec<Change> {
        let changes = py.detach(|| self.0.diff(&newer.0));
        changes.into_iter().map(Change).collect()
    }

    /// How many nodes there are, the root among them.
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<Snapshot of {} nodes>", self.0.len())
    }
}

/// The rest of a walk; it keeps its snapshot alive.
#[pyclass(module = "cardea_core")]
struct Nodes {
    snapshot: Arc<mgmt_tree::Snapshot>,
    walk: mgmt_tree::Walk,
}

#[pymethods]
impl Nodes {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> Option<Node> {
        self.walk.next_of(&self.snapshot).map(Node)
    }
}

/// One node of a snapshot; it keeps no snapshot alive.
#[pyclass(module = "cardea_core", frozen, eq)]
#[derive(Clone, PartialEq)]
struct Node(mgmt_tree::Node);

#[pymethods]
impl Node {
    /// Where it stands.
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// The last segment of the path; "." for the root.
    #[getter]
    fn name(&self) -> &str {
        self.0.path.name()
    }

    /// Whether it can have children; else it has a value.
    #[getter]
    fn interior(&self) -> bool {
        self.0.content.is_interior()
    }

    /// The DM format word; "node" for interior nodes.
    #[getter]
    fn format(&self) -> &str {
        self.0.content.format()
    }

    /// The MIME type of a leaf, the object identifier of an interior node.
    #[getter]
    fn mime(&self) -> &str {
        self.0.content.mime()
    }

    /// The bytes of a leaf; None for interior nodes.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        content_value(py, &self.0.content)
    }

    /// The kind of the source that won: "device", "card" or "server".
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.source.kind.as_str()
    }

    /// The id of the source that won; "" for the root, which nobody claims.
    #[getter]
    fn id(&self) -> &str {
        &self.0.source.id
    }

    /// When the winning claim was made, in Unix milliseconds.
    #[getter]
    fn at_ms(&self) -> i64 {
        self.0.at_ms
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let Self(node) = self;
        format!("<Node {} {:?} of {}>", node.path, node.content, node.source)
    }
}

/// A claim that bears on a node, and what became of it.
#[pyclass(module = "cardea_core", frozen, eq)]
#[derive(PartialEq)]
struct Claim(mgmt_tree::Explanation);

#[pymethods]
impl Claim {
    /// Where the claim stands: the node in question, or the one above it that rules it out.
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// The kind of its source: "device", "card" or "server".
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.source.kind.as_str()
    }

    /// The id of its source.
    #[getter]
    fn id(&self) -> &str {
        &self.0.source.id
    }

    /// When it was made, in Unix milliseconds; for an interior node that a claim below brought
    /// back, when that was made.
    #[getter]
    fn at_ms(&self) -> i64 {
        self.0.at_ms
    }

    /// The bytes of a leaf claim; None for interior nodes and where `absent`.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        stance_value(py, &self.0.stance)
    }

    /// Whether it says that the node in question does not exist.
    #[getter]
    fn absent(&self) -> bool {
        self.0.stance == Stance::Absent
    }

    /// "wins", "lower_precedence", "older" or "hidden".
    #[getter]
    fn outcome(&self) -> &'static str {
        Outcome::as_str(self.0.outcome)
    }

    fn __repr__(&self) -> String {
        let Self(claim) = self;
        format!(
            "<Claim {} of {} on {} {}>",
            sketch(&claim.stance),
            claim.source,
            claim.path,
            claim.outcome.as_str()
        )
    }
}

/// A node that came (`before` is None), went (`after` is None) or changed.
#[pyclass(module = "cardea_core", frozen, eq)]
#[derive(PartialEq)]
struct Change(mgmt_tree::Change);

#[pymethods]
impl Change {
    /// The node.
    #[getter]
    fn path(&self) -> &str {
        self.0.path.as_str()
    }

    /// The node as it was.
    #[getter]
    fn before(&self) -> Option<Node> {
        self.0.before.clone().map(Node)
    }

    /// The node as it is.
    #[getter]
    fn after(&self) -> Option<Node> {
        self.0.after.clone().map(Node)
    }

    fn __repr__(&self) -> String {
        let word = match (&self.0.before, &self.0.after) {
            (None, _) => "came",
            (_, None) => "went",
            _ => "changed",
        };
        format!("<Change {} {word}>", self.0.path)
    }
}

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Snapshot>()?;
    module.add_class::<Nodes>()?;
    module.add_class::<Node>()?;
    module.add_class::<Claim>()?;
    module.add_class::<Change>()
}
