//! What procfs tells of a caller's process: the systemd unit it runs in, and what it is.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::credentials::{lives, peer_process};

/// What is known of a process besides its numbers. Empty is unknown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub unit: String,
    pub exe: String,
    pub comm: String,
}

impl Program {
    /// The program at the other end of a connected socket.
    ///
    /// What was read by a number counts only if the process that connected still lives afterwards:
    /// then the number was its own all the time.
    pub fn of(socket: BorrowedFd<'_>, pid: i32, proc: &Path) -> Self {
        Self::read(socket, pid, proc).unwrap_or_default()
    }

    fn read(socket: BorrowedFd<'_>, pid: i32, proc: &Path) -> io::Result<Self> {
        let process = peer_process(socket, pid)?;
        let folder = proc.join(pid.to_string());
        let found = Self {
            unit: fs::read_to_string(folder.join("cgroup"))
                .ok()
                .and_then(|text| unit_in(&text))
                .unwrap_or_default(),
            // Readable for processes of the same user, and for whoever may trace others.
            exe: fs::read_link(folder.join("exe"))
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            comm: fs::read(folder.join("comm"))
                .map(|name| String::from_utf8_lossy(&name).trim_end().to_owned())
                .unwrap_or_default(),
        };
        Ok(if lives(process.as_fd())? {
            found
        } else {
            Self::default()
        })
    }
}

/// The unit in a process's `cgroup` file, by its place in the unified hierarchy.
///
/// Only root arranges the upper part of that tree: slices, and in them the system manager's units.
/// Below a unit whoever it was delegated to makes groups as it likes, so nothing there counts;
/// except below `user@N.service`, where the same holds once more for that user's manager, and its
/// units are named behind a slash.
fn unit_in(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut parts = path.split('/').skip_while(|part| part.ends_with(".slice"));
    let unit = unit_name(parts.next()?)?;
    let inner = parts.find(|part| !part.ends_with(".slice"));
    match inner.and_then(unit_name) {
        Some(inner) if is_user_manager(unit) => Some(format!("{unit}/{inner}")),
        _ => Some(unit.to_owned()),
    }
}

/// A group's name as a unit's: systemd puts `_` before names that the kernel could take for its own.
fn unit_name(group: &str) -> Option<&str> {
    let name = group.strip_prefix('_').unwrap_or(group);
    let (stem, kind) = name.rsplit_once('.')?;
    let known = matches!(kind, "service" | "scope" | "socket" | "mount" | "swap");
    (known && !stem.is_empty()).then_some(name)
}

fn is_user_manager(unit: &str) -> bool {
    unit.strip_prefix("user@")
        .and_then(|rest| rest.strip_suffix(".service"))
        .is_some_and(|uid| !uid.is_empty() && uid.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> Option<String> {
        unit_in(&format!(
            "9:name=systemd:/system.slice/old.service\n0::{path}\n"
        ))
    }

    #[test]
    fn a_unit_is_the_first_group_that_is_no_slice() {
        for (path, expected) in [
            ("/system.slice/netd.service", "netd.service"),
            (
                "/system.slice/system-getty.slice/getty@tty1.service",
                "getty@tty1.service",
            ),
            (
                "/user.slice/user-1000.slice/session-3.scope",
                "session-3.scope",
            ),
            ("/init.scope", "init.scope"),
            ("/system.slice/_memory.service", "memory.service"),
        ] {
            assert_eq!(unit(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_unit_of_a_users_manager_is_named_behind_a_slash() {
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (below, expected) in [
            ("/app.slice/news.service", "user@1000.service/news.service"),
            ("/init.scope", "user@1000.service/init.scope"),
            ("", "user@1000.service"),
        ] {
            assert_eq!(
                unit(&format!("{manager}{below}")).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn groups_that_a_unit_makes_below_itself_do_not_count() {
        for (path, expected) in [
            (
                "/system.slice/mine.service/system.slice/netd.service",
                "mine.service",
            ),
            ("/system.slice/mine.service/netd.service", "mine.service"),
            (
                "/user.slice/user-1.slice/user@1.service/a.slice/b.service/netd.service",
                "user@1.service/b.service",
            ),
            (
                "/system.slice/user@x.service/netd.service",
                "user@x.service",
            ),
        ] {
            assert_eq!(unit(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_is_no_unit_has_no_name() {
        for path in [
            "/",
            "/system.slice",
            "/docker/0123",
            "/../netd.service",
            "/system.slice/.service",
            "/system.slice/netd.service (deleted)",
            "/system.slice/netd.slice.d/x",
        ] {
            assert_eq!(unit(path), None, "{path}");
        }
        // The legacy hierarchies are not asked.
        assert_eq!(unit_in("1:name=systemd:/system.slice/netd.service\n"), None);
    }
}
