//! Accepting, naming, joining: what runs on the acceptor's thread.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::sleep;

use crate::credentials::peer_groups;
use crate::http2::Watch;
use crate::process::Program;
use crate::table::{Peer, Table};

/// How long accepting rests when the process has run out of descriptors or memory.
const REST: Duration = Duration::from_millis(100);
/// How long to wait before a full backlog of the server is tried again, and how often.
const BACKLOG_WAIT: Duration = Duration::from_millis(5);
const BACKLOG_TRIES: u32 = 400;
/// How much of a client is read at a time.
const CHUNK: usize = 8192;
/// Random bits of a name.
const NAME_BYTES: usize = 16;

/// Where things lie: the server's private socket, and the kernel's files about processes.
#[derive(Debug)]
pub(crate) struct Places {
    pub upstream: PathBuf,
    pub proc: PathBuf,
}

/// Accept for ever. Whatever `accept` says, the next client may be served.
pub(crate) async fn serve(listener: UnixListener, places: Places, table: Arc<Table>) {
    let places = Arc::new(places);
    loop {
        match accept(&listener).await {
            Ok((client, onward)) => {
                let (places, table) = (Arc::clone(&places), Arc::clone(&table));
                tokio::spawn(async move {
                    if join(client, onward, &places, &table).await.is_err() {
                        table.count_failure();
                    }
                });
            }
            // The client went before it was accepted.
            Err(cause) if is_passing(&cause) => (),
            // EMFILE, ENFILE, ENOBUFS, ENOMEM: waiting clients stay in the backlog.
            Err(_) => sleep(REST).await,
        }
    }
}

/// A client, and a socket for its way on: made first, so that in a shortage of descriptors no
/// client is accepted only to be closed.
async fn accept(listener: &UnixListener) -> io::Result<(UnixStream, UnixSocket)> {
    let onward = UnixSocket::new_stream()?;
    let (client, _) = listener.accept().await?;
    Ok((client, onward))
}

fn is_passing(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
    )
}

/// Serve one connection to its end. Errors are those from before the two sides were joined.
async fn join(
    mut client: UnixStream,
    onward: UnixSocket,
    places: &Places,
    table: &Arc<Table>,
) -> io::Result<()> {
    let peer = identify(&client, &places.proc)?;
    let Some(ticket) = table.admit(fresh_name()?, peer) else {
        return Ok(());
    };
    let mut server = dial(onward, ticket.name(), &places.upstream).await?;
    // An end of either side is passed on to the other (half-close); when one side breaks, or the
    // client sends what must not reach the server, both are dropped. Neither is an error of ours.
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let _ = tokio::try_join!(
        requests(from_client, to_server),
        answers(from_server, to_client)
    );
    Ok(())
}

async fn requests(mut client: ReadHalf<'_>, mut server: WriteHalf<'_>) -> io::Result<()> {
    let mut watch = Watch::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = client.read(&mut chunk).await?;
        if length == 0 {
            return server.shutdown().await;
        }
        let passed = watch.take(&chunk[..length]);
        let passed = passed.map_err(|_| io::ErrorKind::InvalidData)?;
        server.write_all(passed).await?;
    }
}

async fn answers(mut server: ReadHalf<'_>, mut client: WriteHalf<'_>) -> io::Result<()> {
    copy(&mut server, &mut client).await?;
    client.shutdown().await
}

fn identify(client: &UnixStream, proc: &Path) -> io::Result<Peer> {
    let credentials = client.peer_cred()?;
    let pid = credentials.pid().unwrap_or(0);
    let program = Program::of(client.as_fd(), pid, proc);
    Ok(Peer {
        uid: credentials.uid(),
        gid: credentials.gid(),
        pid,
        groups: peer_groups(client.as_fd())?,
        unit: program.unit,
        exe: program.exe,
        comm: program.comm,
    })
}

/// Connect a socket to the server under that abstract name.
async fn dial(mut socket: UnixSocket, name: &str, upstream: &Path) -> io::Result<UnixStream> {
    let mut tries = 0;
    loop {
        // The leading NUL makes the name abstract (unix(7)).
        socket.bind(format!("\0{name}"))?;
        match socket.connect(upstream).await {
            // A full backlog is EAGAIN on Unix sockets, not a wait (unix(7)).
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock && tries < BACKLOG_TRIES => {
                tries += 1;
                sleep(BACKLOG_WAIT).await;
                socket = UnixSocket::new_stream()?;
            }
            result => return result,
        }
    }
}

/// 128 random bits in letters that need no escaping anywhere.
fn fresh_name() -> io::Result<String> {
    let mut bits = [0_u8; NAME_BYTES];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    Ok(format!("cardea-{:032x}", u128::from_ne_bytes(bits)))
}
