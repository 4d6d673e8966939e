//! Paths, contents and errors of the tree as Python has them.

use mgmt_tree::{Content, Stance, TreePath};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::{TreeError, raise};

pub(crate) fn parse(path: &Bound<'_, PyString>) -> PyResult<TreePath> {
    TreePath::parse(text(path)?).map_err(|error| refuse(path.py(), &error))
}

pub(crate) fn text<'a>(path: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    path.to_str().map_err(|_| {
        let message = "the path contains half of a surrogate pair".to_owned();
        raise::<TreeError>(path.py(), "path_not_unicode", message)
    })
}

pub(crate) fn refuse(py: Python<'_>, error: &mgmt_tree::TreeError) -> PyErr {
    raise::<TreeError>(py, error.code(), error.to_string())
}

pub(crate) fn present(stance: &Stance) -> Option<&Content> {
    match stance {
        Stance::Present(content) => Some(content),
        Stance::Absent => None,
    }
}

pub(crate) fn stance_value<'py>(py: Python<'py>, stance: &Stance) -> Option<Bound<'py, PyBytes>> {
    present(stance).and_then(|content| content_value(py, content))
}

pub(crate) fn content_value<'py>(
    py: Python<'py>,
    content: &Content,
) -> Option<Bound<'py, PyBytes>> {
    content.value().map(|value| PyBytes::new(py, value))
}

/// A claim without its value: values may be secrets.
pub(crate) fn sketch(stance: &Stance) -> String {
    match stance {
        Stance::Present(content) => format!("{content:?}"),
        Stance::Absent => "Absent".to_owned(),
    }
}
