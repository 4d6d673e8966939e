//! The acceptor's outside: start, ask, close.

use std::io;
use std::os::fd::{AsFd, RawFd};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::credentials::{duplicate, is_listening};
use crate::error::AcceptorError;
use crate::relay::{self, Places};
use crate::table::{Limits, Peer, Table};

/// What gRPC's core puts before the abstract name of a peer.
const GRPC_SCHEME: &str = "unix-abstract:";

/// Joins the clients of one listening socket to a private server socket.
pub struct Acceptor {
    table: Arc<Table>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Acceptor {
    /// Start accepting from a listening Unix stream socket, known by its descriptor's number.
    ///
    /// The descriptor is duplicated: the caller keeps its own and closes it when it likes. The
    /// socket becomes non-blocking for both. The server need not listen yet: clients that come
    /// too early are closed. `proc` is where procfs is mounted.
    ///
    /// # Errors
    /// [`AcceptorError`].
    pub fn start(
        listener: RawFd,
        upstream: &Path,
        limits: Limits,
        proc: &Path,
    ) -> Result<Self, AcceptorError> {
        let listener = adopt(listener)?;
        check_upstream(upstream).map_err(|cause| AcceptorError::UpstreamPath {
            path: upstream.to_owned(),
            cause,
        })?;
        let table = Arc::new(Table::new(limits));
        let places = Places {
            upstream: upstream.to_owned(),
            proc: proc.to_owned(),
        };
        let running =
            launch(listener, places, Arc::clone(&table)).map_err(AcceptorError::Thread)?;
        Ok(Self {
            table,
            running: Mutex::new(Some(running)),
        })
    }

    /// Who stands behind a connection, by the name gRPC gives it (`context.peer()`). None for
    /// every other name, and once the connection has closed.
    #[must_use]
    pub fn peer(&self, name: &str) -> Option<Arc<Peer>> {
        self.table.find(name.strip_prefix(GRPC_SCHEME)?)
    }

    /// Everybody who is connected, by the names gRPC gives the connections.
    #[must_use]
    pub fn peers(&self) -> Vec<(String, Arc<Peer>)> {
        let named = |(name, peer)| (format!("{GRPC_SCHEME}{name}"), peer);
        self.table.all().into_iter().map(named).collect()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.table.len()
    }

    /// How many connections the limits have turned away so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.table.refused()
    }

    /// How many connections could not be joined to the server so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.table.failed()
    }

    /// Stop accepting, close all connections, wait for the thread to end. Twice is once.
    pub fn close(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Running { stop, thread }) = running else {
            return;
        };
        // Either fails only if the thread has ended already.
        let _ = stop.send(());
        let _ = thread.join();
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.close();
    }
}

/// The listening socket behind a number, with a descriptor of our own.
fn adopt(fd: RawFd) -> Result<UnixListener, AcceptorError> {
    let refuse = |cause| AcceptorError::Descriptor { fd, cause };
    let own = duplicate(fd).map_err(refuse)?;
    let listening = is_listening(own.as_fd()).map_err(refuse)?;
    let listener = UnixListener::from(own);
    // Fails for every other family of addresses.
    if !listening || listener.local_addr().is_err() {
        return Err(AcceptorError::NotListening { fd });
    }
    listener.set_nonblocking(true).map_err(refuse)?;
    Ok(listener)
}

/// Say at the start what every connection would say later.
fn check_upstream(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is empty"));
    }
    SocketAddr::from_pathname(path).map(|_| ())
}

fn launch(listener: UnixListener, places: Places, table: Arc<Table>) -> io::Result<Running> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::UnixListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel();
    let thread = Builder::new().name("acceptor".into()).spawn(move || {
        runtime.block_on(async move {
            tokio::select! {
                _ = stopped => (),
                () = relay::serve(listener, places, table) => (),
            }
        });
        // Dropping the runtime drops every connection, and with it its place in the table.
    })?;
    Ok(Running { stop, thread })
}
