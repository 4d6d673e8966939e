//! A Unix-socket acceptor that names callers by kernel credentials.
//!
//! gRPC's core cannot tell who is at the other end of a Unix socket. So clients connect here: the
//! [`Acceptor`] asks the kernel who they are, joins each connection to the server's private
//! socket, and gives its own end there a name nobody can guess, under which the server finds the
//! caller's [`Peer`] again.
//!
//! Four things make that sound:
//!
//! * the private socket lies in a directory that only the daemon (and root) can enter;
//! * the name is 128 fresh random bits and says nothing by itself: identity lives in a table in
//!   memory, is there before the server can see the connection, and goes with it;
//! * credentials are those of the moment of `connect`: a descriptor passed on keeps them;
//! * a process is asked for its unit while a descriptor of it shows that its number is still its own.
//!
//! On their way to the server the bytes are looked at: see [`http2`].
//!
//! One thread with one event loop serves all connections; bytes wait in the kernel's socket
//! buffers when a side is slow.

mod acceptor;
mod credentials;
mod error;
mod hpack;
mod hpack_tables;
pub mod http2;
mod huffman;
mod process;
mod relay;
mod table;

pub use acceptor::Acceptor;
pub use error::AcceptorError;
pub use table::{Limits, Peer};
