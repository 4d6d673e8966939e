//! Why an acceptor could not be started.

use std::io;
use std::path::PathBuf;

/// A refusal to start. Once started, an acceptor lives on whatever a client or the server does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptorError {
    /// The descriptor could not be duplicated or asked.
    #[error("descriptor {fd} is no usable socket: {cause}")]
    Descriptor {
        /// The number that was given.
        fd: i32,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The socket is not a listening Unix stream socket.
    #[error("descriptor {fd} is not a listening Unix stream socket")]
    NotListening {
        /// The number that was given.
        fd: i32,
    },
    /// The path of the server's socket cannot be an address.
    #[error("{path:?} cannot be the address of a Unix socket: {cause}")]
    UpstreamPath {
        /// The path that was given.
        path: PathBuf,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// The thread or its event loop could not be made.
    #[error("the acceptor's thread could not be started: {0}")]
    Thread(io::Error),
}

impl AcceptorError {
    /// The machine code of this error, stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Descriptor { .. } => "acceptor_descriptor",
            Self::NotListening { .. } => "acceptor_not_listening",
            Self::UpstreamPath { .. } => "acceptor_upstream_path",
            Self::Thread(_) => "acceptor_thread",
        }
    }
}
