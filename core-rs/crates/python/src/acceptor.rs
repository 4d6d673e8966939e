//! The socket acceptor that tells the daemon who is calling.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use acceptor::Limits;
use pyo3::create_exception;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::{CoreError, raise};

create_exception!(
    cardea_core,
    AcceptorError,
    CoreError,
    "A socket or path that an acceptor cannot work with."
);

/// Joins the clients of one listening Unix socket to a server's private socket, and knows who
/// they are.
///
/// A thread of its own serves all connections and never needs the interpreter. The descriptor is
/// duplicated, and the socket becomes non-blocking. Connections beyond the limits are closed at
/// once. AcceptorError if the descriptor is no listening Unix stream socket or the path cannot
/// be a socket's address. `proc` is where procfs is mounted, /proc by default.
#[pyclass(module = "cardea_core", frozen)]
struct Acceptor(acceptor::Acceptor);

#[pymethods]
impl Acceptor {
    /// Start accepting.
    #[new]
    #[pyo3(signature = (
        listener_fd, upstream_path, *,
        max_connections=1024, max_per_uid=256, proc=None
    ))]
    fn new(
        py: Python<'_>,
        listener_fd: i32,
        upstream_path: PathBuf,
        max_connections: usize,
        max_per_uid: usize,
        proc: Option<PathBuf>,
    ) -> PyResult<Self> {
        let limits = Limits {
            connections: max_connections,
            per_uid: max_per_uid,
        };
        let proc = proc.unwrap_or_else(|| PathBuf::from("/proc"));
        acceptor::Acceptor::start(listener_fd, &upstream_path, limits, &proc)
            .map(Self)
            .map_err(|error| raise::<AcceptorError>(py, error.code(), error.to_string()))
    }

    /// Who opened the connection that gRPC calls by this name (`context.peer()`); None for every
    /// name this acceptor did not give, and once the connection has closed.
    fn peer(&self, name: &str) -> Option<Peer> {
        self.0.peer(name).map(Peer)
    }

    /// Everybody who is connected, by the names gRPC gives the connections.
    fn peers(&self) -> HashMap<String, Peer> {
        let peers = self.0.peers().into_iter();
        peers.map(|(name, peer)| (name, Peer(peer))).collect()
    }

    /// How many connections are open.
    fn connections(&self) -> usize {
        self.0.connections()
    }

    /// How many connections the limits have turned away so far.
    fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// How many connections could not be joined to the server so far.
    fn failed(&self) -> u64 {
        self.0.failed()
    }

    /// Stop accepting, close all connections, wait for the thread. Twice is once.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    fn __repr__(&self) -> String {
        format!("<Acceptor with {} connections>", self.0.connections())
    }
}

/// Who opened a connection, as the kernel saw it at that moment.
#[pyclass(module = "cardea_core", frozen, eq, hash)]
#[derive(PartialEq, Hash)]
struct Peer(Arc<acceptor::Peer>);

#[pymethods]
impl Peer {
    /// User id.
    #[getter]
    fn uid(&self) -> u32 {
        self.0.uid
    }

    /// Primary group id.
    #[getter]
    fn gid(&self) -> u32 {
        self.0.gid
    }

    /// Process id, for logs only: numbers are used again. 0: not visible from here.
    #[getter]
    fn pid(&self) -> i32 {
        self.0.pid
    }

    /// Supplementary groups.
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.groups)
    }

    /// The systemd unit: netd.service, or user@1000.service/app.service. Empty: none, or unknown.
    #[getter]
    fn unit(&self) -> &str {
        &self.0.unit
    }

    /// Path of the program. Empty where it may not be read.
    #[getter]
    fn exe(&self) -> &str {
        &self.0.exe
    }

    /// The name the process gives itself: for people only.
    #[getter]
    fn comm(&self) -> &str {
        &self.0.comm
    }

    fn __repr__(&self) -> String {
        let peer = &self.0;
        format!("<Peer uid={} gid={} pid={}>", peer.uid, peer.gid, peer.pid)
    }
}

/// Adds the acceptor to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("AcceptorError", module.py().get_type::<AcceptorError>())?;
    module.add_class::<Acceptor>()?;
    module.add_class::<Peer>()
}
