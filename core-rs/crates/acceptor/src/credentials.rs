//! The system calls that no safe interface offers: duplicating a descriptor known by its number,
//! the socket options `SO_PEERGROUPS`, `SO_PEERPIDFD` and `SO_ACCEPTCONN`, and process descriptors.
//!
//! # Why this is sound
//! `fcntl(F_DUPFD_CLOEXEC)` and `pidfd_open` take any number and touch no memory of ours; the
//! descriptor that they, or `SO_PEERPIDFD`, return is new, so nobody else owns it. `getsockopt`
//! writes at most `length` bytes to the buffer, and `length` is the buffer's size in bytes; every
//! bit pattern is a valid `u32`. `poll` writes to the one `pollfd` it is given.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_void, socklen_t};

/// Groups that are asked for at first; the kernel says if there are more.
const USUAL_GROUPS: usize = 64;
/// More groups than the kernel gives a process (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// A descriptor of our own for the file behind `fd`, closed on exec.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed; see the module's note.
    let own = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `own` was just made by the kernel for this call alone.
    Ok(unsafe { OwnedFd::from_raw_fd(own) })
}

/// Whether the socket has been told to listen.
pub(crate) fn is_listening(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut answer = [0_u32];
    socket_option(socket, libc::SO_ACCEPTCONN, &mut answer)?;
    Ok(answer[0] != 0)
}

/// The supplementary groups the peer had when it connected.
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; USUAL_GROUPS];
    loop {
        match socket_option(socket, libc::SO_PEERGROUPS, &mut groups) {
            Ok(count) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Err(cause)
                if cause.raw_os_error() == Some(libc::ERANGE) && groups.len() < MOST_GROUPS =>
            {
                let larger = (groups.len() * 8).min(MOST_GROUPS);
                groups.resize(larger, 0);
            }
            Err(cause) => return Err(cause),
        }
    }
}

/// The process that connected, by a descriptor that no later process of its number can take.
///
/// A kernel before 6.5 has no `SO_PEERPIDFD`: there the process is looked up by its number, which
/// names another one if the first has ended, and the number was used again, since it connected.
pub(crate) fn peer_process(socket: BorrowedFd<'_>, pid: i32) -> io::Result<OwnedFd> {
    let mut answer = [0_u32];
    let number = match socket_option(socket, libc::SO_PEERPIDFD, &mut answer) {
        Ok(_) => i64::from(answer[0]),
        Err(cause) if cause.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            // SAFETY: no pointer is passed; see the module's note.
            unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }
        }
        Err(cause) => return Err(cause),
    };
    let fd = RawFd::try_from(number).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made by the kernel for this call alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the process behind a process descriptor has not ended: until then its number is its own.
pub(crate) fn lives(process: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = libc::pollfd {
        fd: process.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `asked` is one valid pollfd and outlives the call, which does not wait.
    match unsafe { libc::poll(&raw mut asked, 1, 0) } {
        0 => Ok(true),
        count if count > 0 => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Fill `buffer` with a socket-level option; how many words were written.
fn socket_option(socket: BorrowedFd<'_>, name: c_int, buffer: &mut [u32]) -> io::Result<usize> {
    let bytes = size_of_val(buffer);
    let mut length = socklen_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: `buffer` is valid for `length` bytes and outlives the call; `length` is valid.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            buffer.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((length as usize / size_of::<u32>()).min(buffer.len()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_number_that_is_no_descriptor_is_an_error() {
        assert_eq!(
            duplicate(-1).map_err(|cause| cause.raw_os_error()).err(),
            Some(Some(libc::EBADF))
        );
    }

    #[test]
    fn a_connected_socket_does_not_listen_and_has_groups_of_its_maker() -> io::Result<()> {
        let (left, _right) = UnixStream::pair()?;
        assert!(!is_listening(left.as_fd())?);
        let own = std::fs::read_to_string("/proc/self/status")?;
        let line = own.lines().find(|line| line.starts_with("Groups:"));
        let expected: Vec<u32> = line
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .filter_map(|word| word.parse().ok())
            .collect();
        assert_eq!(peer_groups(left.as_fd())?, expected);
        Ok(())
    }

    #[test]
    fn the_process_at_the_other_end_lives_until_it_has_ended() -> io::Result<()> {
        let (left, _right) = UnixStream::pair()?;
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        assert!(lives(peer_process(left.as_fd(), pid)?.as_fd())?);

        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()?;
        let number = i32::try_from(child.id()).map_err(io::Error::other)?;
        // SAFETY: no pointer is passed, and the descriptor is new.
        let process = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, number, 0);
            OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(io::Error::other)?)
        };
        assert!(lives(process.as_fd())?);
        child.kill()?;
        child.wait()?;
        assert!(!lives(process.as_fd())?);
        Ok(())
    }
}
